import type { Disk, Load } from '../drivers/driver.js';
import type { ReadingName, Readings } from '../instances/operations.js';
import { formatBytes, formatUptime } from '../kit/text.js';
import type { Command, Plugin } from './host/contract.js';

/** A command that prints one reading of a machine. */
function reading<Name extends ReadingName>(name: Name, help: string, print: (value: Readings[Name]) => string | readonly string[]): Command {
  return {
    word: name,
    usage: `${name} NAME... [--timeout=SECONDS]`,
    help,
    right: 'read',
    on: 'instances',
    options: ['timeout'],
    run: (request) => request.each(async (target) => print(await request.read(target, name))),
  };
}

const bytes = (value: bigint): string => `${value} ${formatBytes(value)}`;

const load = (value: Load): string =>
  'averages' in value ? value.averages.map((average) => average.toFixed(2)).join(' ') : `${value.cpuPercent.toFixed(1)}%`;

const disk = ({ target, type, format, size, source }: Disk): string =>
  [target, type, format ?? '-', size === undefined ? '-' : `${size} ${formatBytes(size)}`, source].filter(Boolean).join(' ');

export default {
  commands: [
    reading('ip', 'Show the IP addresses of an instance.', (addresses) => addresses),
    reading('mac', 'Show the MAC addresses of an instance.', (addresses) => addresses),
    reading('uptime', 'Show how long an instance has been up.', (seconds) => `${Math.floor(seconds)} ${formatUptime(seconds)}`),
    reading('rx', 'Show how many bytes an instance has received.', bytes),
    reading('tx', 'Show how many bytes an instance has sent.', bytes),
    reading('load', 'Show the system load of an instance.', load),
    reading('disk', 'Show the disks of an instance.', (disks) => disks.map(disk)),
  ],
} satisfies Plugin;
