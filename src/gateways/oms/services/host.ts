import * as v from 'valibot';
import { HOST_FIGURES } from '../../../drivers/management/statistics.js';
import type { BridgeSettings, Guard, Route, RouteName } from '../../../drivers/management/network.js';
import type { WorkArgs } from '../../../instances/work-table.js';
import { figureOf, hostStatistics, STATISTICS } from './figures.js';
import { address, addressOrNone, gateway, interfaceName, maskOf, netmask, netmaskOrNone } from './params.js';
import { hostRow, type Row } from './row.js';

/** What a host says of itself, its routes and its bridges. */

export const statisticsRows: Readonly<Record<string, Row>> = {
  get_stats: hostRow({
    rest: v.picklist(STATISTICS, `the name of a statistic is expected: ${STATISTICS.join(', ')}`), operation: 'stats.host', reads: true,
    run: async ({ actor, provider, signal, rest }) => hostStatistics(await actor.work('stats.host', provider, { figures: rest.length === 0 ? HOST_FIGURES : [...new Set(rest.map(figureOf))] }, { signal })),
  }),
};

/** A route as route(8) shows it. Of what the kernel no longer counts (`Ref`, `Use`) it shows 0 itself. */
const routeLine = ({ destination, prefix, gateway: by, interface: through, metric }: Route): Readonly<Record<string, string>> => {
  const isHost = prefix === 32 && destination !== 'default';
  return {
    destination: destination === '0.0.0.0' ? 'default' : destination, netmask: maskOf(destination === 'default' ? 0 : prefix), router: by ?? '*',
    flags: `U${by === undefined ? '' : 'G'}${isHost ? 'H' : ''}`, metrics: String(metric), count: '0', use: '0', interface: through,
  };
};

const routeEntries = { destination: v.union([v.literal('default'), address], 'a network is expected'), netmask, gateway, interface: interfaceName };
const bridgeEntries = { bridge: interfaceName, address: addressOrNone, netmask: netmaskOrNone, gateway: addressOrNone };
const memberEntries = { bridge: interfaceName, member: interfaceName };

const orNone = (text: string): string | undefined => (text === '' ? undefined : text);

/** Without what is undefined, which arguments of work do not have. */
type Defined<T> = { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] } & {
  [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined>;
};
const defined = <T extends object>(all: T): Defined<T> => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Defined<T>;

const bridgeOf = ({
  bridge: name,
  address: own,
  netmask: prefix,
  gateway: by,
}: {
  readonly bridge: string;
  readonly address: string;
  readonly netmask: number | undefined;
  readonly gateway: string;
}): BridgeSettings => defined({ name, address: orNone(own), prefix, gateway: orNone(by) });

type ChangeName = 'route.add' | 'route.replace' | 'route.delete' | 'gateway.set' | 'bridge.add' | 'bridge.change' | 'bridge.delete' | 'bridge.add-member' | 'bridge.delete-member';

/** A row that changes a host's network. @param argsOf what is to be, of the call's parameters; how it is guarded is the same for all */
const changeRow = <Entries extends v.ObjectEntries, Name extends ChangeName>(
  operation: Name,
  params: Entries,
  argsOf: (args: v.InferOutput<v.ObjectSchema<Entries, undefined>>) => Omit<WorkArgs<Name>, keyof Guard>,
): Row =>
  hostRow({
    params,
    operation,
    run: async ({ actor, provider, args, signal, tools: { rollback } }) => {
      // which of the rows it is no longer matters: their arguments came from its own
      await actor.work<ChangeName>(
        operation,
        provider,
        { ...argsOf(args), rollback, force: false } as unknown as WorkArgs<ChangeName>,
        { signal },
      );
      return 0;
    },
  });

const routeOf = ({ netmask: prefix, ...route }: v.InferOutput<v.ObjectSchema<typeof routeEntries, undefined>>): RouteName => defined({ ...route, prefix });

export const networkRows: Readonly<Record<string, Row>> = {
  show_routing_table: hostRow({
    operation: 'route.list',
    reads: true,
    run: async ({ actor, provider, signal }) => (await actor.work('route.list', provider, {}, { signal })).map(routeLine),
  }),
  add_static_route: changeRow('route.add', routeEntries, routeOf),
  edit_static_route: changeRow(
    'route.replace',
    {
      destination_old: routeEntries.destination,
      netmask_old: netmask,
      gateway_old: gateway,
      interface: interfaceName,
      destination_new: routeEntries.destination,
      netmask_new: netmask,
      gateway_new: gateway,
    },
    ({ interface: through, ...args }) => ({
      old: routeOf({
        destination: args.destination_old,
        netmask: args.netmask_old,
        gateway: args.gateway_old,
        interface: through,
      }),
      new: routeOf({
        destination: args.destination_new,
        netmask: args.netmask_new,
        gateway: args.gateway_new,
        interface: through,
      }),
    }),
  ),
  delete_static_route: changeRow('route.delete', routeEntries, routeOf),
  edit_static_gateway: changeRow('gateway.set', { gateway: address, interface: interfaceName }, (args) => args),
  get_default_gateway: hostRow({
    params: { interface: interfaceName },
    operation: 'gateway.read',
    reads: true,
    run: async ({ actor, provider, args, signal }) => (await actor.work('gateway.read', provider, args, { signal })) ?? '',
  }),
  list_bridges: hostRow({
    operation: 'bridge.list',
    reads: true,
    run: async ({ actor, provider, signal }) =>
      (await actor.work('bridge.list', provider, {}, { signal })).map(({ name, members }) => ({ bridge: name, members })),
  }),
  add_bridge: changeRow('bridge.add', bridgeEntries, bridgeOf),
  edit_bridge: changeRow('bridge.change', bridgeEntries, bridgeOf),
  add_bridge_member: changeRow('bridge.add-member', memberEntries, (args) => args),
  delete_bridge_member: changeRow('bridge.delete-member', memberEntries, (args) => args),
  delete_bridge: changeRow('bridge.delete', { bridge: interfaceName }, ({ bridge: name }) => ({ name })),
};
