import { SettingsFault } from '../../kit/errors.js';
import { TASK_TOLD_LEAST, TASK_TOLD_MOST } from '../../kit/limits.js';
import type { WorkSubject } from '../../instances/actor.js';
import type { WorkArgs, WorkName, WorkResult } from '../../instances/work-table.js';
import type { Context, OptionName } from '../host/contract.js';
import { inTypedWords } from './words.js';

/** The options of verbs that change something. */
export const CHANGES: readonly OptionName[] = ['timeout', 'dry-run'];
export const CHANGES_FORM = '[--timeout=SECONDS] [--dry-run]';
/** Of those that list. */
export const LISTS: readonly OptionName[] = ['timeout', 'json'];
export const LISTS_FORM = '[--timeout=SECONDS] [--json]';

/**
 * Tells what a task is doing, once it is something else, and that it is still at work where nothing moves.
 * @returns ends that
 */
function follow({ actor, body }: Context, task: string): () => void {
  body.line(`task ${task}`);
  let [told, at] = ['', performance.now()];
  const timer = setInterval(() => {
    const doing = actor.tasks.get(task)?.doing;
    if (doing === undefined || (doing === told && performance.now() - at < TASK_TOLD_MOST)) return;
    [told, at] = [doing, performance.now()];
    body.line(doing);
  }, TASK_TOLD_LEAST);
  return () => clearInterval(timer);
}

/**
 * A piece of work, with the request's `--timeout`; of a task, its id comes as the first line, then how far it is.
 * @throws ArgoError as the work does
 */
export async function carryOut<Name extends WorkName>(request: Context, name: Name, on: WorkSubject<Name>, args: WorkArgs<Name>): Promise<WorkResult<Name>> {
  const { actor, options, signal } = request;
  let end = (): void => undefined;
  try {
    return await actor.work(name, on, args, { deadline: options.timeout, signal, begun: (task) => { end = follow(request, task); } });
  } catch (thrown) {
    throw thrown instanceof SettingsFault ? inTypedWords(thrown) : thrown;
  } finally {
    end();
  }
}

/**
 * As {@link carryOut}, of what changes something: with `--dry-run` it says what would be done, and nothing is.
 * @returns undefined where nothing was done
 */
export async function change<Name extends WorkName>(
  request: Context,
  name: Name,
  on: WorkSubject<Name>,
  args: WorkArgs<Name>,
): Promise<{ readonly result: WorkResult<Name> } | undefined> {
  const { actor, body, options, signal } = request;
  if (!options.dryRun) return { result: await carryOut(request, name, on, args) };
  const words = await actor.planWork(name, on, args, { deadline: options.timeout, signal }).catch((thrown: unknown) => {
    throw thrown instanceof SettingsFault ? inTypedWords(thrown) : thrown;
  });
  body.line(typeof on === 'string' ? words : `${actor.display(on)}: ${words}`);
  return undefined;
}

/** Numbers that JSON has no form for stand as text. */
const jsonLine = (row: object): string => JSON.stringify(row, (_, value: unknown) => {
  if (typeof value !== 'bigint') return value;
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value);
});

/** A line a row; with `--json` each as an object. */
export function tell<Row extends object>({ body, options }: Context, rows: readonly Row[], line: (row: Row) => string): void | Promise<void> {
  return body.lines(rows.map(options.json ? jsonLine : line));
}

/** One thing as `key: value` lines, without those that are not known; with `--json` as an object. */
export function tellOf(request: Context, facts: object, lines: readonly (readonly [key: string, value: string | undefined])[]): void | Promise<void> {
  if (request.options.json) return tell(request, [facts], jsonLine);
  return request.body.lines(lines.filter(([, value]) => value !== undefined && value !== '').map(([key, value]) => `${key}: ${value}`));
}
