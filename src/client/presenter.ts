import { type Document, toDocument } from './document.js';
import { type ExitCode, type Failure, exitCodeOf, parseTargetLine, Tally, type TargetLine } from './outcome.js';
import type { Output } from './output.js';
import type { Progress } from './progress.js';
import { bodyOf, type ReplyEvent } from './replies.js';
import { shownLine, type Request } from './request.js';
import type { Setting } from './setting.js';

/** Characters of a reply that `--json` keeps until it is complete; more than 100,000 names need. */
const MAX_DOCUMENT = 64 * 1024 * 1024;

/** Shows one reply. */
export interface Presenter {
  take(batch: readonly ReplyEvent[]): Promise<void>;
  /**
   * Called once, at the end.
   * @param error what went wrong on our side, where something did
   */
  end(error?: Failure): Promise<ExitCode>;
}

/** A failure as a line for people. */
export const formatFailure = ({ phrase, detail }: Failure): string => `argo: ${phrase}${detail && `: ${detail}`}`;

const noteOf = (batch: readonly ReplyEvent[]): string => {
  const last = batch.at(-1);
  return last?.kind === 'done' ? last.note : '';
};

const errorOf = (batch: readonly ReplyEvent[]): Failure | undefined => {
  const last = batch.at(-1);
  return last?.kind === 'error' ? { phrase: last.phrase, detail: last.detail } : undefined;
};

/** Without what an Error has beyond its words. */
const plain = (failure: Failure | undefined): Failure | null => failure ? { phrase: failure.phrase, detail: failure.detail } : null;

/** Body lines to standard output as they come, errors to standard error. */
export class PlainPresenter implements Presenter {
  readonly #tally: Tally;
  #error: Failure | undefined;
  #note = '';
  readonly #request: Request;
  readonly #stdout: Output;
  readonly #stderr: Output;
  readonly #progress: Progress | undefined;

  constructor(
    request: Request,
    stdout: Output,
    stderr: Output,
    progress?: Progress,
  ) {
    this.#request = request;
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#progress = progress;
    this.#tally = new Tally(request);
  }

  async take(batch: readonly ReplyEvent[]): Promise<void> {
    const lines = bodyOf(batch);
    if (this.#request.many) for (const line of lines) this.#count(line);
    this.#error = errorOf(batch) ?? this.#error;
    this.#note = noteOf(batch);
    if (lines.length > 0) await this.#progress?.clear();
    await this.#stdout.lines(lines);
    await this.#progress?.draw(this.#tally.count, this.#tally.failed);
  }

  async end(error?: Failure): Promise<ExitCode> {
    await this.#progress?.clear();
    const failure = error ?? this.#error;
    if (failure) await this.#stderr.lines([formatFailure(failure)]);
    else if (this.#note !== '') await this.#stderr.lines([`argo: ${this.#note}`]);
    return error ? exitCodeOf(error.phrase) : this.#tally.exitCode(failure);
  }

  #count(line: string): void {
    const about = parseTargetLine(line, this.#request.acts);
    if (about) this.#tally.add(about);
  }
}

/** One JSON document for the whole reply, on one line. */
export class JsonPresenter implements Presenter {
  readonly #tally: Tally;
  readonly #body: (TargetLine | string)[] = [];
  #size = 0;
  #error: Failure | undefined;
  #note = '';
  readonly #request: Request;
  readonly #stdout: Output;
  readonly #progress: Progress | undefined;

  constructor(request: Request, stdout: Output, progress?: Progress) {
    this.#request = request;
    this.#stdout = stdout;
    this.#progress = progress;
    this.#tally = new Tally(request);
  }

  async take(batch: readonly ReplyEvent[]): Promise<void> {
    this.#error = errorOf(batch) ?? this.#error;
    this.#note = noteOf(batch);
    for (const line of bodyOf(batch)) this.#keep(line);
    await this.#progress?.draw(this.#tally.count, this.#tally.failed);
  }

  async end(error?: Failure): Promise<ExitCode> {
    await this.#progress?.clear();
    const tooLarge = this.#size > MAX_DOCUMENT ? { phrase: 'FAILED', detail: 'the reply is too large for one document; leave out --json' } : undefined;
    const local = error ?? tooLarge;
    await this.#stdout.lines([JSON.stringify(toDocument(this.#request, this.#body, { error: plain(local ?? this.#error), note: this.#note || null }))]);
    return local ? exitCodeOf(local.phrase) : this.#tally.exitCode(this.#error);
  }

  #keep(line: string): void {
    this.#size += line.length;
    if (this.#size > MAX_DOCUMENT) return;
    const about = this.#request.many ? parseTargetLine(line, this.#request.acts) : undefined;
    if (about) this.#tally.add(about);
    this.#body.push(about ?? line);
  }
}

/** Shows why a line was not even sent. */
export async function refuse({ json, stdout, stderr }: Setting, line: string, { phrase, detail }: Failure): Promise<ExitCode> {
  const failure = { phrase, detail };
  if (json) await stdout.lines([JSON.stringify(unsent(line, failure))]);
  else await stderr.lines([formatFailure(failure)]);
  return exitCodeOf(phrase);
}

const unsent = (line: string, error: Failure): Document => ({ command: shownLine(line), ok: false, results: [], error, note: null });
