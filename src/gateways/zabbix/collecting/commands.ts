import type { Actor } from '../../../instances/actor.js';
import type { InstanceInfo } from '../../../instances/info.js';
import { OPERATIONS, type PowerAction } from '../../../instances/operation-table.js';
import type { PowerOrder } from '../../../instances/order.js';
import { hasEnded, type RunInfo } from '../../../instances/plans.js';
import { ArgoError, toArgoError } from '../../../kit/errors.js';
import type { Log } from '../../../kit/log.js';
import { harmless, trimmed } from '../../../kit/text.js';
import { underAll, unlessAborted } from '../../../kit/within.js';
import { splitWords, takeOptions, type OptionName, type Options, type Word } from '../../../kit/words.js';
import { COMMAND_PLAN, COMMAND_SIZE } from '../../../kit/zabbix-collecting-limits.js';
import type { RemoteCommand, TaskResult } from '../../../protocols/zabbix/messages.js';
import { endsEarly } from '../../shared/ends-early.js';
import { instanceFor } from './subjects.js';

/** Remote commands: words of the line protocol, of which some are taken. There is no shell anywhere. */

type Result = Pick<TaskResult, 'status' | 'info'>;

/** What became of one target. */
interface Line {
  readonly text: string;
  readonly isGood: boolean;
}

type Runner = (request: Request) => Promise<readonly Line[]>;

interface Request {
  readonly actor: Actor;
  readonly names: readonly Word[];
  readonly options: Options;
  readonly signal: AbortSignal;
}

interface CommandRow {
  readonly usage: string;
  readonly options: readonly OptionName[];
  readonly run: Runner;
}

const power = (action: PowerAction): CommandRow => ({
  usage: `${action} NAME... [--force] [--wait=SECONDS] [--timeout=SECONDS]`,
  options: ['force', 'wait', 'timeout'],
  run: (request) => onEach(request, (target) => switchOne(request, action, target)),
});

const ACTIONS = (Object.keys(OPERATIONS) as (keyof typeof OPERATIONS)[]).filter((name): name is PowerAction => OPERATIONS[name].right === 'power');

const COMMANDS: ReadonlyMap<string, CommandRow> = new Map<string, CommandRow>([
  ...ACTIONS.map((action): [string, CommandRow] => [action, power(action)]),
  ['status', {
    usage: 'status NAME... [--timeout=SECONDS]',
    options: ['timeout'],
    run: (request) => onEach(request, async (target) => {
      const state = await request.actor.read(target, 'status', { deadline: request.options.timeout, signal: request.signal });
      return { text: state, isGood: state !== 'unknown' };
    }),
  }],
  ['plan', { usage: 'plan run NAME', options: [], run: runPlan }],
]);

/** What only a shell would understand. In quotes it may be part of a name. */
const SHELL = /[;|&<>`$()]/;

/** Runs commands as the configured account, each decided by the account's grants. How many run at a time, and how long a result may be, is the caller's part. */
export class Commands {
  readonly #actor: (origin: string) => Actor;
  readonly #log: Log;

  /** @param actor makes the account at work; the origin is for the audit */
  constructor(actor: (origin: string) => Actor, log: Log) {
    this.#actor = actor;
    this.#log = log;
  }

  /**
   * @returns 0 where every target is done or was so already, and a line for each; never rejects
   */
  async run({ command, parentTaskId }: Pick<RemoteCommand, 'command' | 'parentTaskId'>, origin: string, signal: AbortSignal): Promise<Result> {
    const result = await this.#run(command, origin, signal).catch((thrown: unknown): Result => ({ status: -1, info: toArgoError(thrown).message }));
    this.#log('info', 'remote command', { task: parentTaskId, from: origin, command: harmless(trimmed(command.slice(0, COMMAND_SIZE))), status: result.status });
    return result;
  }

  async #run(command: string, origin: string, signal: AbortSignal): Promise<Result> {
    const { row, names, options } = readCommand(command);
    const lines = await row.run({ actor: this.#actor(origin), names, options, signal });
    return { status: lines.every(({ isGood }) => isGood) ? 0 : -1, info: lines.map(({ text }) => text).join('\n') };
  }
}

/** @throws ArgoError with what is wrong, in plain words */
function readCommand(command: string): { readonly row: CommandRow; readonly names: readonly Word[]; readonly options: Options } {
  const line = trimmed(command);
  if (line === '') throw new ArgoError('BAD REQUEST', 'the command is empty');
  if (line.length > COMMAND_SIZE) throw new ArgoError('LINE TOO LONG', `a command has ${COMMAND_SIZE} characters at the most`);
  if (/[\r\n]/.test(line)) throw new ArgoError('BAD REQUEST', 'a command is one line');
  if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(line)) throw new ArgoError('BAD REQUEST', 'a command holds no control characters');
  const [first, ...rest] = splitWords(line);
  const row = first === undefined || first.quoted ? undefined : COMMANDS.get(first.text.toLowerCase());
  if (row === undefined) throw new ArgoError('UNKNOWN COMMAND', `known are ${[...COMMANDS.keys()].join(', ')}; programs and scripts are not run`);
  if (rest.some(({ text, quoted }) => !quoted && SHELL.test(text))) throw new ArgoError('BAD REQUEST', 'there is no shell here; a name with such signs is put in quotes');
  const taken = takeOptions(rest, row.options);
  if (taken === undefined || taken.names.length === 0) throw new ArgoError('USAGE', row.usage);
  return { row, ...taken };
}

/** Does work for each instance that is meant. A target that fails holds up no other. */
async function onEach(request: Request, work: (target: InstanceInfo) => Promise<Line>): Promise<readonly Line[]> {
  const { actor, signal } = request;
  const targets = await select(request);
  const names = new Map(targets.map((target) => [target, actor.display(target)]));
  const lines: Line[] = [];
  for await (const { subject, value, error } of actor.each(targets, (target) => unlessAborted(work(target), signal, endsEarly))) {
    const line = value ?? { text: toArgoError(error).message, isGood: false };
    lines.push({ text: `${names.get(subject)}: ${line.text}`, isGood: line.isGood });
  }
  return lines;
}

/** The instances that words stand for; a host's technical name in quotes, such as `"demo lj"`, stands for its instance. @throws ArgoError */
async function select({ actor, names }: Request): Promise<readonly InstanceInfo[]> {
  const words = await Promise.all(names.map(async (word) => {
    if (!word.quoted || !word.text.includes(' ')) return word;
    const { fullName } = await instanceFor(actor, { host: word.text, name: word.text });
    return { text: fullName, quoted: true };
  }));
  return (await actor.select(words)).instances;
}

/** One order, waited for unless told otherwise: whoever reads the result wants to know what was verified. */
async function switchOne({ actor, options: { force, timeout, wait } }: Request, action: PowerAction, target: InstanceInfo): Promise<Line> {
  const softFor = force && action === 'stop' ? timeout : undefined;
  const order: PowerOrder = { action, mode: softFor === undefined ? (force ? 'hard' : 'soft') : { softFor }, wait: wait === false ? true : wait };
  const { result, before, after, verified } = await actor.power(target, order, { deadline: softFor === undefined ? timeout : undefined });
  if (result === 'already') return { text: `already so, ${after}`, isGood: true };
  if (!verified) return { text: `accepted, not verified: ${after} (was ${before})`, isGood: false };
  return { text: `done, ${after} (was ${before})`, isGood: true };
}

/** Begins a plan and waits for its end. @throws ArgoError */
async function runPlan({ actor, names: [word, name, ...more], signal }: Request): Promise<readonly Line[]> {
  if (word?.text !== 'run' || name === undefined || more.length > 0) throw new ArgoError('USAGE', 'plan run NAME');
  let run = await actor.plans.run(name.text);
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), COMMAND_PLAN);
  try {
    await underAll([signal, limit.signal], async (ends) => {
      for await (const change of actor.plans.follow(run.id, ends)) run = change.run;
    }).catch((thrown: unknown) => {
      // it goes on at the next start, which its line says
      if (toArgoError(thrown).phrase !== 'SHUTTING DOWN') throw thrown;
    });
  } finally {
    clearTimeout(timer);
  }
  return [planLine(run)];
}

function planLine({ plan, id, state, reason, targets }: RunInfo): Line {
  const counts = `${targets.ended} of ${targets.all} targets, ${targets.failed} failed, run ${id}`;
  const isOver = hasEnded({ state } as RunInfo);
  return { text: `plan ${plan}: ${isOver ? state : `${state}, and goes on`} (${counts})${reason === undefined ? '' : `: ${reason}`}`, isGood: state === 'done' && targets.failed === 0 };
}
