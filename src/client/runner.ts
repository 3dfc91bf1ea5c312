import { ArgoError } from '../kit/errors.js';
import type { ExitCode } from './outcome.js';
import { JsonPresenter, PlainPresenter, type Presenter } from './presenter.js';
import { Progress } from './progress.js';
import { readCommands } from './commands.js';
import { bodyOf } from './replies.js';
import { quoteWord, type Request, requestFromLine, withFacts } from './request.js';
import type { Session } from './session.js';
import type { Setting } from './setting.js';
import { countTargets } from './totals.js';

/**
 * Sends one request and shows its reply.
 * @param signal stops waiting; the command goes on at the server
 * @throws the signal's reason · BrokenPipe · SettingsError
 */
export async function runRequest(setting: Setting, asked: Request, signal: AbortSignal): Promise<ExitCode> {
  // few open consoles, or follow a plan: nobody else loads what that takes
  if (asked.command === 'console' || asked.command === 'shell') return (await import('./console.js')).runConsole(setting, asked, signal);
  if (asked.command === 'plan') {
    const { isFollowing, PlanFollower } = await import('./plan-follow.js');
    if (isFollowing(asked)) return new PlanFollower(setting).run(asked, signal);
  }
  let request = asked;
  let presenter = makePresenter(setting, request);
  try {
    if (asked.many || (setting.json && asked.targets.length > 0)) {
      request = await described(setting.session, asked, signal);
      presenter = makePresenter(setting, request);
    }
    if (setting.progress && request.many) {
      const progress = new Progress(setting.stderr, await countTargets(setting.session, request, signal));
      presenter = makePresenter(setting, request, progress);
    }
    for await (const batch of setting.session.run(request, signal)) await presenter.take(batch);
  } catch (error) {
    if (!(error instanceof ArgoError) || signal.aborted) throw error;
    return presenter.end(error);
  }
  return presenter.end();
}

/** What a command's words are only the server knows; it is asked where the answer may have a line a target. */
async function described(session: Session, request: Request, signal: AbortSignal): Promise<Request> {
  const lines: string[] = [];
  for await (const batch of session.run(requestFromLine(`help ${quoteWord(request.command)} --json`), signal)) {
    for (const line of bodyOf(batch)) lines.push(line);
  }
  return withFacts(request, readCommands(lines).get(request.command));
}

function makePresenter({ json, stdout, stderr }: Setting, request: Request, progress?: Progress): Presenter {
  return json ? new JsonPresenter(request, stdout, progress) : new PlainPresenter(request, stdout, stderr, progress);
}
