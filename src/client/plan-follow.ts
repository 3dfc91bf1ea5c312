import { setTimeout as pause } from 'node:timers/promises';
import { ArgoError } from '../kit/errors.js';
import { WATCH_RETRY_FIRST, WATCH_SILENCE } from '../kit/limits.js';
import { PLAN_FOLLOW_TRIED } from '../kit/plan-limits.js';
import { EXIT, exitCodeOf, type ExitCode, type Failure } from './outcome.js';
import { parsePlanLine, type PlanLine } from './plan-lines.js';
import { PlanTable } from './plan-table.js';
import { formatFailure } from './presenter.js';
import type { ReplyEvent } from './replies.js';
import { requestFromArguments, type Request } from './request.js';
import type { Setting } from './setting.js';

/** The connection or the server is gone; the run may well go on, also behind a restart. */
const LOST = new Set(['UNCERTAIN', 'TIMEOUT', 'UNREACHABLE', 'SHUTTING DOWN']);

/** Whether a request is answered by a run as it goes on. */
export const isFollowing = ({ command, words, options }: Request): boolean =>
  command === 'plan' && options.includes('--follow') && !options.includes('--dry-run') && ['run', 'status'].includes(words[0]?.text ?? '');

/**
 * Shows a run until it has ended: as a table on a terminal, else line by line. Where the connection is
 * lost, it is looked for again for a while; nothing is begun a second time.
 */
export class PlanFollower {
  readonly #setting: Setting;
  readonly #table: PlanTable | undefined;
  #run: string | undefined;
  /** the last end of a reply */
  #end: Failure | undefined;
  #isOver = false;

  constructor(setting: Setting) {
    this.#setting = setting;
    this.#table = setting.progress && !setting.json ? new PlanTable(setting.stdout, !process.env.NO_COLOR) : undefined;
  }

  /** @throws the signal's reason · BrokenPipe · SettingsError */
  async run(asked: Request, signal: AbortSignal): Promise<ExitCode> {
    try {
      let failure = await this.#follow(asked, signal);
      for (const end = performance.now() + PLAN_FOLLOW_TRIED; failure !== undefined && this.#mayTryAgain(failure) && performance.now() < end;) {
        this.#setting.session.close();
        await pause(WATCH_RETRY_FIRST, undefined, { signal }).catch(() => undefined);
        signal.throwIfAborted();
        failure = await this.#follow(requestFromArguments(['plan', 'status', this.#run!, '--follow']), signal);
      }
      await this.#table?.end();
      return await this.#tellEnd(failure);
    } catch (error) {
      await this.#table?.end().catch(() => undefined);
      if (signal.aborted && this.#run !== undefined) await this.#setting.stderr.lines([`argo: the run ${this.#run} goes on; \`argo plan status ${this.#run} --follow\` shows it`]);
      throw error;
    }
  }

  #mayTryAgain({ phrase }: Failure): boolean {
    return this.#run !== undefined && !this.#isOver && LOST.has(phrase);
  }

  /** @returns how it ended, where not well */
  async #follow(request: Request, signal: AbortSignal): Promise<Failure | undefined> {
    this.#end = { phrase: 'UNREACHABLE', detail: 'the server has ended it' };
    try {
      for await (const batch of this.#setting.session.run(request, signal, WATCH_SILENCE)) await this.#take(batch);
      return this.#end;
    } catch (error) {
      if (!(error instanceof ArgoError) || signal.aborted) throw error;
      return error;
    }
  }

  async #take(batch: readonly ReplyEvent[]): Promise<void> {
    const { json, stdout } = this.#setting;
    const texts: string[] = [];
    for (const event of batch) {
      if (event.kind === 'error') this.#end = event;
      // the server ends while the run goes on
      if (event.kind === 'done' && this.#isOver) this.#end = undefined;
      if (event.kind !== 'body') continue;
      const line = parsePlanLine(event.text);
      if (line?.type === 'run') {
        this.#run = line.run;
        this.#isOver = ['done', 'failed', 'cancelled', 'unknown'].includes(line.state);
      }
      if (line !== undefined) this.#table?.take(line);
      texts.push(json ? documentOf(event.text, line) : event.text);
    }
    if (this.#table) await this.#table.draw();
    else await stdout.lines(texts);
  }

  async #tellEnd(failure: Failure | undefined): Promise<ExitCode> {
    const { json, stdout, stderr } = this.#setting;
    if (json) await stdout.lines([JSON.stringify({ type: 'end', ok: failure === undefined, error: failure ? { phrase: failure.phrase, detail: failure.detail } : null })]);
    else if (failure) await stderr.lines([formatFailure(failure)]);
    if (failure === undefined) return EXIT.done;
    const [, failed, all] = (failure.phrase === 'FAILED' && /^(\d+) of (\d+)$/.exec(failure.detail)) || [];
    return failed !== undefined && Number(failed) < Number(all) ? EXIT.partly : exitCodeOf(failure.phrase);
  }
}

/** What a program reads of a line. */
function documentOf(text: string, line: PlanLine | undefined): string {
  if (line?.type !== 'run') return JSON.stringify(line ?? { line: text });
  const { facts, ...rest } = line;
  return JSON.stringify({ ...rest, ...facts });
}
