import type { Bridge, NetworkChange, Route, RouteName } from '../drivers/management/network.js';
import { SettingsFault } from '../kit/errors.js';
import { NETWORK_ROLLBACK } from '../kit/limits.js';
import { inOrder, quoted } from '../kit/text.js';
import type { WorkSubject } from '../instances/actor.js';
import type { WorkArgs, WorkName } from '../instances/work-table.js';
import type { Context, OptionName, Plugin, Verb } from './host/contract.js';
import { settingsOf, TEXT } from './management/words.js';
import { carryOut, change, CHANGES, CHANGES_FORM, LISTS, LISTS_FORM, tell } from './management/work.js';

/** Routes and bridges of a provider's host, in the words of ip(8). */

const OPTIONS: readonly OptionName[] = [...CHANGES, 'force', 'rollback'];
const OPTIONS_FORM = `[--force] [--rollback=SECONDS] ${CHANGES_FORM}`;
const ROUTE_FORM = 'DESTINATION[/PREFIX] [via GATEWAY] dev INTERFACE';

/** Bits of an address where none are said: all of them. */
const ALL_BITS = { ipv4: 32, ipv6: 128 };

const routeLine = ({ destination, prefix, gateway, interface: device, metric, protocol }: Route): string => [
  destination === 'default' ? destination : `${destination}/${prefix}`,
  ...(gateway === undefined ? [] : ['via', gateway]), 'dev', device, 'metric', metric, ...(protocol === undefined ? [] : ['proto', quoted(protocol)]),
].join(' ');

const pair = (key: string, values: readonly string[]): string => (values.length === 0 ? '' : ` ${key}=${quoted(values.join(','))}`);
const bridgeLine = ({ name, isUp, members, addresses }: Bridge): string => `${quoted(name)} ${isUp ? 'up' : 'down'}${pair('members', members)}${pair('addresses', addresses)}`;

/** `10.2.0.0/16` in two. @throws SettingsFault */
function prefixed(name: string, text: string): { readonly address: string; readonly prefix: number } {
  const [address = '', bits, more] = text.split('/');
  if (more !== undefined || (bits !== undefined && !/^\d{1,3}$/.test(bits))) throw new SettingsFault({ [name]: 'an address such as 10.2.0.0/16 is expected' });
  const all = address === 'default' ? 0 : ALL_BITS[address.includes(':') ? 'ipv6' : 'ipv4'];
  return { address, prefix: bits === undefined ? all : Number(bits) };
}

/** @throws ArgoError USAGE */
function routeOf(request: Context, words: readonly string[]): RouteName {
  const [typed = request.usage(), ...rest] = words;
  const [gateway, device, more] = rest[0] === 'via' ? [rest[1] ?? request.usage(), ...devOf(request, rest.slice(2))] : [undefined, ...devOf(request, rest)];
  if (more !== undefined) request.usage();
  const { address: destination, prefix } = prefixed('destination', typed);
  return { destination, prefix, interface: device, ...(gateway !== undefined && { gateway }) };
}

/** `dev INTERFACE`, and what follows it. */
function devOf(request: Context, [dev, device = request.usage(), more]: readonly string[]): readonly [device: string, more: string | undefined] {
  return dev === 'dev' ? [device, more] : request.usage();
}

type NetworkWork = { [Name in WorkName]: WorkArgs<Name> extends { readonly rollback: number } ? Name : never }[WorkName];

/** A verb that changes a host's network. */
const changing = <Name extends NetworkWork>(
  command: string,
  name: Name,
  form: string,
  help: string,
  read: (request: Context, words: readonly string[]) => object,
): Verb => {
  const word = name.slice(name.indexOf('.') + 1);
  return {
    word,
    help,
    usage: `${command} ${word} PROVIDER ${form} ${OPTIONS_FORM}`,
    right: 'host',
    on: 'provider',
    options: OPTIONS,
    async run(request) {
      const [provider = request.usage(), ...words] = request.args;
      const { rollback = NETWORK_ROLLBACK, force } = request.options;
      const done = await change(
        request,
        name,
        provider as WorkSubject<Name>,
        { ...read(request, words), rollback, force } as WorkArgs<Name>,
      );
      if (!done) return;
      const { keptBy } = done.result as NetworkChange;
      request.remark(
        keptBy === undefined ? 'lasts until the host is restarted; no tool of its own keeps it' : `kept by ${keptBy}`,
      );
    },
  };
};

const listing = <One extends object>(
  command: string,
  help: string,
  read: (request: Context, provider: string) => Promise<readonly One[]>,
  line: (one: One) => string,
): Verb => ({
  word: 'list',
  help,
  usage: `${command} list PROVIDER ${LISTS_FORM}`,
  right: 'read',
  on: 'provider',
  options: LISTS,
  async run(request) {
    const [provider = request.usage(), ...rest] = request.args;
    if (rest.length > 0) request.usage();
    await tell(request, await read(request, provider), line);
  },
});

const ROUTE: readonly Verb[] = [
  listing('route', 'List the routes of a provider\'s host.', (request, provider) => carryOut(request, 'route.list', provider, {}), routeLine),
  changing('route', 'route.add', ROUTE_FORM, 'Add a route.', routeOf),
  changing('route', 'route.replace', `${ROUTE_FORM} with ${ROUTE_FORM}`, 'Put a route in the place of another.', (request, words) => {
    const at = words.indexOf('with');
    return at === -1 ? request.usage() : { old: routeOf(request, words.slice(0, at)), new: routeOf(request, words.slice(at + 1)) };
  }),
  changing('route', 'route.delete', ROUTE_FORM, 'Take a route away.', routeOf),
];

/** So many words, no less and no more. */
function exactly(request: Context, words: readonly string[], count: number): readonly string[] {
  return words.length === count ? words : request.usage();
}

const GATEWAY: readonly Verb[] = [
  {
    word: 'show',
    usage: `gateway show PROVIDER INTERFACE ${LISTS_FORM}`,
    help: 'Show the default gateway of a provider\'s host by an interface.',
    right: 'read', on: 'provider', options: LISTS,
    async run(request) {
      const [provider = '', device = ''] = exactly(request, request.args, 2);
      const gateway = await carryOut(request, 'gateway.read', provider, { interface: device });
      await tell(request, gateway === undefined ? [] : [{ gateway }], (one) => one.gateway);
    },
  },
  changing('gateway', 'gateway.set', 'INTERFACE ADDRESS', 'Set the default gateway.', (request, words) => {
    const [device, gateway] = exactly(request, words, 2);
    return { interface: device, gateway };
  }),
];

function bridgeOf(request: Context, [name = request.usage(), ...words]: readonly string[]): object {
  const { address, gateway } = settingsOf(request, words, { address: TEXT, gateway: TEXT });
  if (address?.includes('/') === false) throw new SettingsFault({ address: 'an address with its prefix is expected, such as 192.168.1.41/24' });
  const given = address === undefined ? {} : prefixed('address', address);
  return { name, ...given, ...(gateway !== undefined && { gateway }) };
}

function memberOf(request: Context, words: readonly string[]): object {
  const [bridge, member] = exactly(request, words, 2);
  return { bridge, member };
}

const BRIDGE: readonly Verb[] = [
  listing('bridge', 'List the bridges of a provider\'s host, with their members and addresses.',
    async (request, provider) => inOrder(await carryOut(request, 'bridge.list', provider, {}), ({ name }) => name), bridgeLine),
  changing('bridge', 'bridge.add', 'NAME [address=IP/PREFIX] [gateway=IP]', 'Make a bridge.', bridgeOf),
  changing('bridge', 'bridge.change', 'NAME [address=IP/PREFIX] [gateway=IP]', 'Give a bridge another address.', bridgeOf),
  changing('bridge', 'bridge.delete', 'NAME', 'Take a bridge away.', (request, words) => ({ name: exactly(request, words, 1)[0] })),
  changing('bridge', 'bridge.add-member', 'BRIDGE INTERFACE', 'Put an interface into a bridge.', memberOf),
  changing('bridge', 'bridge.delete-member', 'BRIDGE INTERFACE', 'Take an interface out of a bridge.', memberOf),
];

export default {
  commands: [
    { word: 'route', help: 'Routes of a host.', verbs: ROUTE },
    { word: 'gateway', help: 'The default gateway of a host.', verbs: GATEWAY },
    { word: 'bridge', help: 'Bridges of a host.', verbs: BRIDGE },
  ],
} satisfies Plugin;
