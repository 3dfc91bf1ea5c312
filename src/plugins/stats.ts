import { HOST_FIGURES, type GuestFigures, type HostFigure, type HostFigures, type Use } from '../drivers/management/statistics.js';
import { ArgoError } from '../kit/errors.js';
import { formatBytes, formatUptime, inOrder, quoted } from '../kit/text.js';
import type { Context, Plugin } from './host/contract.js';
import { carryOut, LISTS, LISTS_FORM, tell, tellOf } from './management/work.js';

const GUESTS = 'guests';

const percent = (value: number | undefined): string | undefined => (value === undefined ? undefined : `${value.toFixed(1)}%`);
const use = ({ used, total }: Use): string => `${used} of ${total}, ${formatBytes(used)} of ${formatBytes(total)}`;
const words = (...parts: readonly (string | undefined)[]): string => parts.filter((part) => part !== undefined && part !== '').join(' ');

/** Bytes a second. */
const flow = ({ received, sent, maximum }: NonNullable<HostFigures['bandwidth']>): string =>
  `received ${Math.round(received)} sent ${Math.round(sent)}${maximum === undefined ? '' : ` of ${Math.round(maximum)}`} a second`;

const hostLines = ({
  cpu,
  memory,
  df = [],
  uptime,
  kernel,
  release,
  network,
  bandwidth,
  swap = [],
  iowait,
}: HostFigures): readonly (readonly [string, string | undefined])[] => [
  ['cpu', cpu && words(percent(cpu.percent), cpu.model, cpu.mhz === undefined ? undefined : `${cpu.mhz} MHz`, cpu.cache)],
  ['memory', memory && use(memory)],
  ...df.map((one): [string, string] => ['df', `${quoted(one.mount)} ${quoted(one.device)} ${use(one)}`]),
  ['uptime', uptime === undefined ? undefined : `${Math.floor(uptime)} ${formatUptime(uptime)}`],
  ['kernel', kernel],
  ['release', release],
  ['network', network && words(network.interface, network.address)],
  ['bandwidth', bandwidth && flow(bandwidth)],
  ...swap.map((one): [string, string] => ['swap', `${quoted(one.path)} ${use(one)}`]),
  ['iowait', percent(iowait)],
];

/** Figures of a machine with its name; undefined where it is gone, or not to be seen. */
function named({ actor }: Context, provider: string, figures: GuestFigures): (GuestFigures & { readonly name: string }) | undefined {
  try {
    return { name: actor.display({ provider, id: figures.id }), ...figures };
  } catch (thrown) {
    if (thrown instanceof ArgoError) return undefined;
    throw thrown;
  }
}

const pair = (key: string, value: string | number | bigint | undefined): string => (value === undefined ? '' : ` ${key}=${value}`);

const guestLine = ({ name, vcpus, cpuTime, cpuPercent, memory, maxMemory, usedMemory, rx, tx }: GuestFigures & { readonly name: string }): string =>
  `${quoted(name)}${pair('vcpus', vcpus)}${pair('cpu', percent(cpuPercent))}${pair('cpu-time', cpuTime)}${pair('memory', memory)}${pair('max-memory', maxMemory)}${pair('used-memory', usedMemory)}${pair('rx', rx)}${pair('tx', tx)}`;

const isFigure = (word: string): word is HostFigure => (HOST_FIGURES as readonly string[]).includes(word);

export default {
  commands: [{
    word: 'stats',
    usage: `stats PROVIDER [${GUESTS} | FIGURE...] ${LISTS_FORM}`,
    help: 'Show figures of a provider\'s host, or of its machines.',
    right: 'read',
    on: 'provider',
    options: LISTS,
    words: [GUESTS, ...HOST_FIGURES],
    async run(request) {
      const [provider = request.usage(), ...figures] = request.args;
      if (figures.length === 1 && figures[0] === GUESTS) {
        const guests = await carryOut(request, 'stats.guests', provider, {});
        const known = guests.flatMap((one) => named(request, provider, one) ?? []);
        return tell(request, inOrder(known, ({ name }) => name), guestLine);
      }
      if (!figures.every(isFigure)) return request.usage();
      const found = await carryOut(request, 'stats.host', provider, { figures: figures.length === 0 ? HOST_FIGURES : [...new Set(figures)] });
      return tellOf(request, found, hostLines(found));
    },
  }],
} satisfies Plugin;
