import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { ArgoError } from '../kit/errors.js';
import { WATCH_EXEC_TIMEOUT, WATCH_RETRY_FIRST, WATCH_RETRY_LONGEST, WATCH_SILENCE } from '../kit/limits.js';
import { UsageError } from './command-line.js';
import { EXIT, exitCodeOf, type ExitCode, type Failure } from './outcome.js';
import { formatFailure } from './presenter.js';
import { isEnd, type ReplyEvent } from './replies.js';
import { requestFromArguments } from './request.js';
import type { Setting } from './setting.js';
import { parseEvent, type WatchEvent } from './watch-event.js';

/** What is watched, and what is done with it. */
export interface WatchOptions {
  /** names, `--types=…` and whatever else the server makes of its words */
  readonly words: readonly string[];
  /** the states at the beginning are asked for */
  readonly state: boolean;
  /** an event that is known */
  readonly since: string | undefined;
  /** for /bin/sh, once an event */
  readonly exec: string | undefined;
}

/** These will not get better by themselves. */
const FINAL = new Set(['NOT AUTHENTICATED', 'NOT ALLOWED', 'USAGE', 'UNKNOWN COMMAND', 'BAD REQUEST', 'LINE TOO LONG', 'NOT SUPPORTED', 'CERTIFICATE REJECTED']);

/** What the connection's own words come to where nothing was asked to be done. */
const LOST: Readonly<Record<string, string>> = { UNCERTAIN: 'argo: the connection is lost', TIMEOUT: 'argo: the server says nothing any more' };

/** The server has nothing more to tell, as at its end. */
const ENDED: Failure = { phrase: 'UNREACHABLE', detail: 'the server has ended it' };

/** @param words what follows `watch` @throws UsageError */
export function readWatchWords(words: readonly string[]): WatchOptions {
  const rest: string[] = [];
  let since: string | undefined;
  let exec: string | undefined;
  let state = false;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    const [, option, value] = /^--(exec|since)(?:=(.*))?$/s.exec(word) ?? [];
    const given = option === undefined ? undefined : value ?? words[at += 1];
    if (option !== undefined && !given) throw new UsageError(`--${option} needs a value`);
    if (option === 'exec') exec = given;
    else if (option === 'since') since = given;
    else if (word === '--state') state = true;
    else rest.push(word);
  }
  return { words: rest, state, since, exec };
}

/**
 * `argo watch`: shows what happens until it is interrupted, over lost connections and restarts of the
 * server. Where the server cannot go on without a gap, the states are told anew (`is`, `synced`).
 */
export class Watch {
  readonly #setting: Setting;
  readonly #options: WatchOptions;
  /** behind what has been shown; undefined before the first */
  #cursor: string | undefined;
  /** the states are to be told first */
  #relists: boolean;
  /** something has come since the watching was begun anew */
  #isRunning = false;
  #hasRun = false;

  constructor(setting: Setting, options: WatchOptions) {
    this.#setting = setting;
    this.#options = options;
    this.#cursor = options.since;
    this.#relists = options.state;
  }

  /** @throws BrokenPipe · SettingsError */
  async run(signal: AbortSignal): Promise<ExitCode> {
    let failures = 0;
    for (;;) {
      this.#isRunning = false;
      const failure = await this.#follow(signal);
      if (signal.aborted) return EXIT.interrupted;
      if (failure.phrase === 'CURSOR EXPIRED') {
        await this.#say('some events were missed; these are the states now');
        this.#relists = true;
        continue;
      }
      if (FINAL.has(failure.phrase) || !this.#hasRun) {
        await this.#setting.stderr.lines([formatFailure(failure)]);
        return exitCodeOf(failure.phrase);
      }
      failures = this.#isRunning ? 1 : failures + 1;
      if (failures === 1) await this.#setting.stderr.lines([`${LOST[failure.phrase] ?? formatFailure(failure)}; trying again`]);
      this.#setting.session.close();
      const wait = Math.min(WATCH_RETRY_FIRST * 2 ** (failures - 1), WATCH_RETRY_LONGEST);
      await pause(wait * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return EXIT.interrupted;
    }
  }

  /** Watches until something ends it. @returns why */
  async #follow(signal: AbortSignal): Promise<Failure> {
    const { session } = this.#setting;
    try {
      for await (const batch of session.run(this.#request(), signal, WATCH_SILENCE)) {
        if (batch.some(({ kind }) => kind === 'accepted')) this.#isRunning = this.#hasRun = true;
        await this.#take(batch, signal);
        const end = batch.at(-1);
        if (end !== undefined && isEnd(end)) return end.kind === 'error' ? end : ENDED;
      }
      return ENDED;
    } catch (error) {
      if (error instanceof ArgoError) return error;
      if (signal.aborted) return new ArgoError('FAILED');
      throw error;
    }
  }

  #request() {
    const known = this.#relists || this.#cursor === undefined ? [] : [`--since=${this.#cursor}`];
    return requestFromArguments(['watch', ...known, ...(this.#relists ? ['--state'] : []), ...this.#options.words]);
  }

  async #take(batch: readonly ReplyEvent[], signal: AbortSignal): Promise<void> {
    const { json, stdout } = this.#setting;
    const events = batch.flatMap((event) => (event.kind === 'body' ? [{ line: event.text, event: parseEvent(event.text) }] : []));
    const shown = events.filter(({ event }) => event?.type !== 'idle');
    if (this.#options.exec === undefined) await stdout.lines(shown.map(({ line, event }) => (json ? documentOf(line, event) : line)));
    for (const { event } of events) {
      if (event === undefined) continue;
      if (this.#options.exec !== undefined && event.type !== 'idle') await this.#tell(this.#options.exec, event, signal);
      this.#cursor = event.cursor;
      if (event.type === 'synced') this.#relists = false;
    }
  }

  /** Runs the command for an event, and waits for it: the next one comes after it. */
  async #tell(command: string, event: WatchEvent, signal: AbortSignal): Promise<void> {
    const child = spawn('/bin/sh', ['-c', command], { env: environmentOf(event), stdio: ['ignore', 'inherit', 'inherit'], timeout: WATCH_EXEC_TIMEOUT, killSignal: 'SIGKILL', signal });
    const how = await new Promise<string | undefined>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (code, killed) => resolve(killed ? `ended by ${killed}` : code === 0 ? undefined : `exit code ${code}`));
    });
    if (how !== undefined && !signal.aborted) await this.#say(`the command for ${event.type} at ${event.cursor}: ${how}`);
  }

  #say(message: string): Promise<void> {
    return this.#setting.stderr.lines([`argo: ${message}`]);
  }
}

const documentOf = (line: string, event: WatchEvent | undefined): string =>
  JSON.stringify(event === undefined ? { line } : { cursor: event.cursor, time: event.time, type: event.type, ...event.facts });

/** Ours, and the event: `ARGO_EVENT_TYPE`, `ARGO_EVENT_INSTANCE`, … */
function environmentOf({ cursor, time, type, facts }: WatchEvent): NodeJS.ProcessEnv {
  const all = Object.entries({ cursor, time, type, ...facts });
  return { ...process.env, ...Object.fromEntries(all.map(([name, value]) => [`ARGO_EVENT_${name.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`, String(value)])) };
}
