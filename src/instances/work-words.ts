import { outcomeWithoutWay } from '../kit/errors.js';
import { formatBytes, quoted } from '../kit/text.js';
import { WORKS, type WorkArgs, type WorkName } from './work-table.js';

/** Work in words: for the audit, and for people who ask what would be done. */

/** Arguments that are nobody's to read. */
const SECRETS: ReadonlySet<string> = new Set(['password']);

/** As they would be typed, without secrets: `--name=web1 --memory=536870912`. */
export function describeArgs(args: object): string {
  return wordsOf(args, '').join(' ');
}

function wordsOf(args: object, before: string): string[] {
  return Object.entries(args).flatMap(([key, value]: [string, unknown]) => {
    if (SECRETS.has(key)) return [`--${before}${key}`];
    if (Array.isArray(value)) return [`--${before}${key}=${value.join(',')}`];
    if (typeof value === 'object' && value !== null) return wordsOf(value, key === 'settings' ? before : `${before}${key}-`);
    return [`--${before}${key}=${quoted(String(value))}`];
  });
}

type RouteWords = { readonly destination: string; readonly prefix: number; readonly gateway?: string; readonly interface: string };

const routeWords = ({ destination, prefix, gateway, interface: via }: RouteWords): string =>
  `${destination === 'default' ? destination : `${destination}/${prefix}`}${gateway === undefined ? '' : ` by ${gateway}`} on ${via}`;

/** What is different from what the template or the machine has: `2 CPUs, 1.0 GiB of memory`. */
function settingWords(settings: object): string {
  const words = Object.entries(settings).map(([key, value]: [string, unknown]) => {
    if (SECRETS.has(key)) return `a new ${key}`;
    if (typeof value === 'bigint') return `${key} ${formatBytes(value)}`;
    return `${key} ${typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value)}`;
  });
  return words.join(', ');
}

const withSettings = (settings: object): string => (Object.keys(settings).length === 0 ? '' : ` with ${settingWords(settings)}`);

/** Whether it starts with its host is no thing of its next start. */
export const isForNextStart = (change: object): boolean => Object.keys(change).some((key) => key !== 'autostart');

type Changes = { readonly [Name in WorkName]?: (args: WorkArgs<Name>) => string };

/** What would be done, where that is more than to look: behind it stands where. */
const CHANGES: Changes = {
  'image.create': ({ name, size, format }) => `make the image ${name} of ${formatBytes(size)} (${format})`,
  'image.delete': ({ name }) => `delete the image ${name}`,
  'template.deploy': ({ template, name, settings }) => `make the machine ${name} from the template ${template}${withSettings(settings)}`,
  'template.delete': ({ template }) => `delete the template ${template}`,
  'template.create': ({ template, settings }) => `make the template ${template} of it${withSettings(settings)}`,
  'machine.install': ({ name, iso, disk, memory, vcpus }) =>
    `make the machine ${name} with ${vcpus} ${vcpus === 1 ? 'CPU' : 'CPUs'}, ${formatBytes(memory)} of memory and ${'size' in disk ? `a disk of ${formatBytes(disk.size)}` : `the volume ${disk.volume}`}, and start it from ${iso}`,
  'machine.delete': ({ disks }) => (disks ? 'delete it with its disks' : 'delete it and keep its disks'),
  'machine.migrate': ({ to }) => `move it to ${to}`,
  'hardware.change': (change) => `set ${settingWords(change)}${isForNextStart(change) ? ' for its next start' : ''}`,
  'route.add': (route) => `add the route ${routeWords(route)}`,
  'route.replace': ({ old, new: next }) => `replace the route ${routeWords(old)} by ${routeWords(next)}`,
  'route.delete': (route) => `delete the route ${routeWords(route)}`,
  'gateway.set': ({ gateway, interface: via }) => `set the default gateway ${gateway} on ${via}`,
  'bridge.add': ({ name, ...rest }) => `make the bridge ${name}${bridgeWords(rest)}`,
  'bridge.change': ({ name, ...rest }) => `change the bridge ${name}${bridgeWords(rest)}`,
  'bridge.delete': ({ name }) => `delete the bridge ${name}`,
  'bridge.add-member': ({ bridge, member }) => `put ${member} into the bridge ${bridge}`,
  'bridge.delete-member': ({ bridge, member }) => `take ${member} out of the bridge ${bridge}`,
};

function bridgeWords({ address, prefix, gateway }: { readonly address?: string; readonly prefix?: number; readonly gateway?: string }): string {
  if (address === undefined) return ' without an address';
  return ` with ${address}/${prefix}${gateway === undefined ? '' : ` and the gateway ${gateway}`}`;
}

/** What has to be there, or must not be, and in which list of the provider that can be seen at little cost. */
export const EXPECTED: { readonly [Name in WorkName]?: { readonly list: 'image.list' | 'template.list'; readonly of: string; readonly isThere: boolean } } = {
  'image.create': { list: 'image.list', of: 'name', isThere: false },
  'image.delete': { list: 'image.list', of: 'name', isThere: true },
  'template.deploy': { list: 'template.list', of: 'template', isThere: true },
  'template.delete': { list: 'template.list', of: 'template', isThere: true },
  'template.create': { list: 'template.list', of: 'template', isThere: false },
  'machine.install': { list: 'image.list', of: 'iso', isThere: true },
};

/** Of these the name must be no machine's yet. */
export const MAKES_MACHINE: ReadonlySet<WorkName> = new Set<WorkName>(['template.deploy', 'machine.install']);

/** What a piece of work would do, in words. */
export function plannedWords<Name extends WorkName>(name: Name, args: WorkArgs<Name>): string {
  const words = CHANGES[name] as ((args: WorkArgs<Name>) => string) | undefined;
  return words?.(args) ?? 'nothing, it only looks';
}

/** What is kept of an action, in the audit and in events. */
interface ActionRecord {
  /** the operation, behind the command that did it where that has another name */
  readonly command: string;
  readonly options: string;
  readonly outcome: string | null;
}

/** What those are told of an action who may not know why its machine's manager cannot be used. */
export const withoutReason = <Row extends ActionRecord>(row: Row): Row => ({ ...row, outcome: row.outcome && outcomeWithoutWay(row.outcome) });

/**
 * What those are told of an action who may see its machine and not do everything on its provider. Where it is work beyond
 * power, its arguments and the driver's words name what is not theirs: the provider to which it goes, images, other machines.
 * Of the rest they are not told why its manager cannot be used.
 */
export function forOthers<Row extends ActionRecord>(row: Row): Row {
  const operation = row.command.slice(row.command.lastIndexOf(' ') + 1);
  return Object.hasOwn(WORKS, operation) ? { ...row, options: '', outcome: row.outcome && row.outcome.split(': ', 1)[0]! } : withoutReason(row);
}
