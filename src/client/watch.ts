import { spawn } from 'node:child_process';
import { WATCH_EXEC_TIMEOUT } from '../kit/limits.js';
import { UsageError } from './command-line.js';
import { Follower, type Heard } from './follower.js';
import { EXIT, exitCodeOf, type ExitCode, type Failure } from './outcome.js';
import { formatFailure } from './presenter.js';
import type { Setting } from './setting.js';
import type { WatchEvent } from './watch-event.js';

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

/** What the connection's own words come to where nothing was asked to be done. */
const LOST: Readonly<Record<string, string>> = { UNCERTAIN: 'argo: the connection is lost', TIMEOUT: 'argo: the server says nothing any more' };

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

/** `argo watch`: shows what happens until it is interrupted. */
export class Watch {
  readonly #setting: Setting;
  readonly #options: WatchOptions;

  constructor(setting: Setting, options: WatchOptions) {
    this.#setting = setting;
    this.#options = options;
  }

  /** @throws BrokenPipe · SettingsError */
  async run(signal: AbortSignal): Promise<ExitCode> {
    const follower = new Follower(this.#setting.session, { ...this.#options, isPatient: false }, {
      take: (heard, ended) => this.#take(heard, ended),
      lost: async (failure, attempts) => {
        if (attempts === 1) await this.#setting.stderr.lines([`${LOST[failure.phrase] ?? formatFailure(failure)}; trying again`]);
      },
      missed: () => this.#say('some events were missed; these are the states now'),
    });
    const failure: Failure | undefined = await follower.run(signal);
    if (failure === undefined) return EXIT.interrupted;
    await this.#setting.stderr.lines([formatFailure(failure)]);
    return exitCodeOf(failure.phrase);
  }

  async #take(heard: readonly Heard[], signal: AbortSignal): Promise<void> {
    const { json, stdout } = this.#setting;
    const { exec } = this.#options;
    const shown = heard.filter(({ event }) => event?.type !== 'idle');
    if (exec === undefined) return stdout.lines(shown.map(({ line, event }) => (json ? documentOf(line, event) : line)));
    for (const { event } of shown) if (event !== undefined) await this.#tell(exec, event, signal);
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
