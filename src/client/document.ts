import type { Failure, TargetLine } from './outcome.js';
import { shownLine, type Request } from './request.js';

/** What one name of the document has to say. `lines` are the server's own words. */
export interface Result {
  /** null where lines belong to no instance */
  readonly name: string | null;
  readonly ok: boolean;
  readonly lines: readonly string[];
  readonly error: Failure | null;
  /** of `list --ids` */
  readonly id?: string;
  /** of `status` */
  readonly state?: string;
  /** of `uptime` */
  readonly seconds?: number;
  /** of `rx` and `tx`; text where a number would not be exact */
  readonly bytes?: number | string;
  /** of `info`: key → value, with a list where a key comes several times */
  readonly info?: Readonly<Record<string, string | readonly string[]>>;
}

/** What `--json` prints for one command. */
export interface Document {
  /** the request as it was sent */
  readonly command: string;
  readonly ok: boolean;
  readonly results: readonly Result[];
  readonly error: Failure | null;
  /** what the server adds for people, such as which names may be out of date */
  readonly note: string | null;
}

type Typed = Pick<Result, 'id' | 'state' | 'seconds' | 'bytes' | 'info'>;

const firstWord = (lines: readonly string[]): string => lines[0]?.split(' ', 1)[0] ?? '';

function bytesOf(lines: readonly string[]): Typed {
  const digits = firstWord(lines);
  if (!/^\d+$/.test(digits)) return {};
  const value = Number(digits);
  return { bytes: Number.isSafeInteger(value) ? value : digits };
}

function infoOf(lines: readonly string[]): Typed {
  const info = new Map<string, string | string[]>();
  for (const line of lines) {
    const [, key, value = ''] = /^([^:]+):(?: (.*))?$/.exec(line) ?? [];
    if (key === undefined) continue;
    const before = info.get(key);
    info.set(key, before === undefined ? value : [before, value].flat());
  }
  return { info: Object.fromEntries(info) };
}

/** Values that a program would otherwise have to cut out of the lines. */
const TYPED: Readonly<Record<string, (lines: readonly string[]) => Typed>> = {
  status: ([state]) => (state === undefined ? {} : { state }),
  uptime: (lines) => (/^\d+$/.test(firstWord(lines)) ? { seconds: Number(firstWord(lines)) } : {}),
  rx: bytesOf,
  tx: bytesOf,
  info: infoOf,
};

function result(command: string, name: string | null, lines: readonly string[], error: Failure | null): Result {
  const typed = error === null && Object.hasOwn(TYPED, command) ? TYPED[command]!(lines) : {};
  return { name, ok: error === null, ...typed, lines, error };
}

/** The document for a reply whose body has been taken apart where the request has many targets. */
export function toDocument(request: Request, body: readonly (TargetLine | string)[], end: Pick<Document, 'error' | 'note'>): Document {
  return { command: shownLine(request.line), ok: end.error === null, results: results(request, body, end.error), ...end };
}

/** Whatever a name holds, the id is what follows the last blank. */
function withId(line: string): Result {
  const at = line.lastIndexOf(' ');
  return { ...result('list', line.slice(0, at), [], null), id: line.slice(at + 1) };
}

function results({ command, targets, options, many }: Request, body: readonly (TargetLine | string)[], error: Failure | null): Result[] {
  const lines = body.filter((entry) => typeof entry === 'string');
  if (command === 'list') return lines.map((line) => (options.includes('--ids') ? withId(line) : result(command, line, [], null)));
  const target = targets[0]?.text;
  if (!many && target !== undefined) return [result(command, target, lines, error)];
  const named = new Map<string, { lines: string[]; error: Failure | null }>();
  for (const entry of body) {
    if (typeof entry === 'string') continue;
    const about = named.get(entry.name) ?? { lines: [], error: null };
    named.set(entry.name, about);
    if (entry.value !== undefined) about.lines.push(entry.value);
    about.error ??= entry.failure ?? null;
  }
  const about = [...named].map(([name, { lines: own, error: failure }]) => result(command, name, own, failure));
  return lines.length > 0 ? [...about, result(command, null, lines, null)] : about;
}
