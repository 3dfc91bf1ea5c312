import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { ArgoError } from '../kit/errors.js';
import { ASK_FOR_COMPLETION } from './command-line.js';
import { COMPLETION_LINES, MAX_NAMES } from './completion.js';
import { type Answers, type KeptAnswers, mostOf } from './kept-answers.js';
import { requestFromLine } from './request.js';
import type { Session } from './session.js';

/** How long a Tab is held up where nothing is kept: a login takes a while, and to offer nothing is of no use. Milliseconds. */
const FIRST_PATIENCE = 1000;
/** How long the server has for all of its answers, in milliseconds: nobody waits for them, and they are there at the next Tab. */
const ANSWERED_WITHIN = 10_000;
/** An answer that is longer is not read to its end, in characters. */
const LONGEST_ANSWER = 16 * 1024 * 1024;

/**
 * What is known of the server: what it said before, or, where nothing is kept, what it says now. It is asked by a process
 * of its own, which goes on when the Tab is answered: what it says is for the next.
 * @param own the client's options, with which it is asked
 */
export async function knownAnswers(kept: KeptAnswers, own: readonly string[]): Promise<Answers> {
  const before = kept.read();
  if (before?.isFresh !== true && kept.takeTurn()) {
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ASK_FOR_COMPLETION, ...own], {
      detached: true, stdio: ['ignore', before === undefined ? 'pipe' : 'ignore', 'ignore'],
    });
    child.on('error', () => { /* then what is kept has to do */ }).unref();
    if (child.stdout !== null) return await firstAnswers(child.stdout) ?? {};
  }
  return before?.answers ?? {};
}

/** What the other process prints; undefined where it has not in time, or got no answer. */
async function firstAnswers(output: Readable): Promise<Answers | undefined> {
  const timer = setTimeout(() => output.destroy(), FIRST_PATIENCE);
  let text = '';
  try {
    for await (const piece of output.setEncoding('utf8')) text += piece;
    return text === '' ? undefined : JSON.parse(text) as Answers;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** With these the server says no, or that it does not know what is asked; any other reason may be gone a moment later. */
const NOTHING_THERE: ReadonlySet<string> = new Set(['NOT ALLOWED', 'NOT AUTHENTICATED', 'NOT SUPPORTED', 'USAGE', 'UNKNOWN COMMAND', 'BAD REQUEST']);

/**
 * Asks the server and keeps what it says. What it says no to is kept as nothing; what it cannot say now, as it said it before;
 * where it does not let us in, nothing stays.
 * @returns undefined where it could not be asked
 */
export async function askAnswers(session: Session, kept: KeptAnswers): Promise<Answers | undefined> {
  const signal = AbortSignal.timeout(ANSWERED_WITHIN);
  try {
    await session.connect(signal);
    const answers: Record<string, readonly string[]> = {};
    const before = kept.read();
    let at: number | undefined;
    for (const line of COMPLETION_LINES) {
      const lines = await linesOf(session, line, signal);
      if (lines === undefined) at = before?.at;
      answers[line] = lines ?? before?.answers[line] ?? [];
    }
    kept.write(answers, at);
    return answers;
  } catch (error) {
    if (error instanceof ArgoError && error.phrase === 'NOT AUTHENTICATED') kept.refuse();
    if (error instanceof ArgoError && error.phrase === 'CERTIFICATE REJECTED') kept.forget();
    return undefined;
  } finally {
    session.close();
  }
}

/** Ends this process, if it still runs by then. By a signal: `process.exit` would wait for the thread that hangs in a file. @param ms from now */
export const endWithin = (ms: number): void => void setTimeout(() => process.kill(process.pid, 'SIGKILL'), ms).unref();

/** @returns undefined where the server cannot say it now @throws ArgoError of a connection that has ended · the signal's reason */
async function linesOf(session: Session, line: string, signal: AbortSignal): Promise<readonly string[] | undefined> {
  const lines: string[] = [];
  let size = 0;
  for await (const batch of session.run(requestFromLine(line), signal)) {
    for (const event of batch) {
      if (event.kind === 'error') return NOTHING_THERE.has(event.phrase) ? [] : undefined;
      if (event.kind !== 'body') continue;
      size += event.text.length;
      if (size > LONGEST_ANSWER) throw new ArgoError('FAILED', `the answer to ${line} is too long`);
      if (lines.length < MAX_NAMES) lines.push(event.text);
    }
  }
  return mostOf(lines);
}
