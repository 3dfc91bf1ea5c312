import { ArgoError } from '../../../kit/errors.js';
import { inOrder } from '../../../kit/text.js';
import type { Log } from '../../../kit/log.js';
import type { WorkCall } from '../contract.js';
import type { HostCommands } from '../host-commands.js';
import type { Bridge, Guard, Network, NetworkChange, Route } from '../network.js';
import { planAddBridge, planAddMember, planChangeBridge, planDeleteBridge, planDeleteMember } from './bridge-plans.js';
import { GuardedChange } from './guard.js';
import { readLinks, readNetwork, readRoutes, type Run } from './ip-output.js';
import { keep } from './keeping.js';
import type { Plan } from './plan.js';
import { planAddRoute, planDeleteRoute, planReplaceRoute, planSetGateway } from './route-plans.js';
import { defaultOf, ipv4Of, membersOf, type HostNetwork, type HostRoute } from './state.js';
import { readWay, type Way } from './way.js';

/** Of a route that leads nowhere, as /proc/net/route has it. */
const NOWHERE = '*';

type Planner = (network: HostNetwork, way: Way) => Plan;

export interface HostNetworkOptions {
  readonly commands: HostCommands;
  readonly log: Log;
  /** why nothing may be changed; undefined where it may */
  readonly refusal: string | undefined;
}

/** The network of a Linux host, by `ip` there. */
export function hostNetwork({ commands, log, refusal }: HostNetworkOptions): Network {
  const run: Run = (words, options) => commands.run(words, options);
  const changed = async (plan: Planner, guard: Guard, call: WorkCall): Promise<NetworkChange> => {
    if (refusal !== undefined) throw new ArgoError('NOT SUPPORTED', refusal);
    return change({ commands, log }, plan, guard, call);
  };
  return {
    routes: async (_, { signal }) => (await readRoutes(run, signal)).flatMap(shownRoutes),
    gateway: async (args, { signal }) => {
      const routes = await readRoutes(run, signal);
      return defaultOf({ links: [], routes }, args.interface)?.hops.find((hop) => hop.device === args.interface)?.gateway;
    },
    bridges: async (_, { signal }) => shownBridges({ links: await readLinks(run, signal), routes: [] }),
    addRoute: ({ rollback, force, ...name }, call) => changed((network, way) => planAddRoute(network, way, name), { rollback, force }, call),
    replaceRoute: ({ old, new: name, ...guard }, call) => changed((network, way) => planReplaceRoute(network, way, old, name), guard, call),
    deleteRoute: ({ rollback, force, ...name }, call) => changed((network, way) => planDeleteRoute(network, way, name), { rollback, force }, call),
    setGateway: ({ gateway, interface: device, ...guard }, call) => changed((network, way) => planSetGateway(network, way, gateway, device), guard, call),
    addBridge: ({ rollback, force, ...settings }, call) => changed((network, way) => planAddBridge(network, way, settings), { rollback, force }, call),
    changeBridge: ({ rollback, force, ...settings }, call) => changed((network, way) => planChangeBridge(network, way, settings), { rollback, force }, call),
    deleteBridge: ({ name, ...guard }, call) => changed((network, way) => planDeleteBridge(network, way, name), guard, call),
    addMember: ({ bridge, member, ...guard }, call) => changed((network, way) => planAddMember(network, way, bridge, member), guard, call),
    deleteMember: ({ bridge, member, ...guard }, call) => changed((network, way) => planDeleteMember(network, way, bridge, member), guard, call),
  };
}

async function change({ commands, log }: Pick<HostNetworkOptions, 'commands' | 'log'>, planner: Planner, { rollback, force }: Guard, call: WorkCall): Promise<NetworkChange> {
  const before = await readNetwork((words, options) => commands.run(words, options), call.signal);
  const way = await readWay(commands, before, call.signal);
  const plan = planner(before, way);
  if (plan.danger !== undefined && !force) throw new ArgoError('WRONG STATE', `${plan.danger}; force overrides`);
  const guarded = new GuardedChange(commands, before, force ? plan : keepingWayOut(plan, before, way), rollback, call);
  await guarded.make();
  try {
    // A connection from before lives on where the way to it was not touched.
    const run: Run = (words, options) => (plan.danger === undefined ? commands.run(words, options) : commands.runAnew(words, options));
    return { keptBy: await keep(run, log, plan.keeping, call) };
  } finally {
    await guarded.release();
  }
}

/** On the host itself no connection proves anything: at least its way out has to be there still. */
function keepingWayOut(plan: Plan, before: HostNetwork, { isHere }: Way): Plan {
  if (!isHere || defaultOf(before) === undefined) return plan;
  return { ...plan, fault: (now) => plan.fault(now) ?? (defaultOf(now) === undefined ? 'the host has no default way any more' : undefined) };
}

const shownRoutes = ({ destination, prefix, hops, metric, type, protocol }: HostRoute): Route[] =>
  (hops.length === 0 ? [{ device: NOWHERE }] : hops).map((hop) => ({
    destination, prefix, interface: hop.device, metric,
    ...('gateway' in hop && hop.gateway !== undefined ? { gateway: hop.gateway } : {}),
    ...(type === 'unicast' ? {} : { protocol: type }), ...(protocol === undefined || type !== 'unicast' ? {} : { protocol }),
  }));

const shownBridges = (network: HostNetwork): Bridge[] =>
  inOrder(network.links.filter(({ kind }) => kind === 'bridge'), ({ name }) => name).map((link) => ({
    name: link.name,
    members: inOrder(membersOf(network, link.name).map(({ name }) => name), (name) => name),
    addresses: ipv4Of(link).map(({ address, prefix }) => `${address}/${prefix}`),
    isUp: link.isUp,
  }));
