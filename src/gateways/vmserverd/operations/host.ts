import type { Bridge } from '../../../drivers/management/network.js';
import { harmless } from '../../../kit/text.js';
import { fields, list, nothing, oneOf, optional, text, whole } from '../../../protocols/vmserverd/shape.js';
import { row, type Call, type Rows } from './parts.js';

/** What the host says of itself: the provider that the gateway's table means by it. */

const network = fields({ name: text(), kind: oneOf(['bridged', 'internal']), interface: optional(text()), address: optional(text()), subnet: optional(text()), netmask: optional(text()) });
const networks = fields({ networks: list('network', network) });

interface Network {
  readonly name: string;
  readonly kind: 'bridged' | 'internal';
  readonly interface: string | undefined;
  readonly address: string | undefined;
  readonly subnet: string | undefined;
  readonly netmask: string | undefined;
}

/** What hypervisors call the host's end of a guest's interface. A bridge with any other member leads out of the host. */
const OF_GUESTS = /^(?:vnet|tap|vif|veth|macvtap|fwpr|fwln|ve-|vb-|lxc)\w*/;

const FULL = 0xFF_FF_FF_FF;
const dotted = (bits: number): string => [24, 16, 8, 0].map((shift) => bits >>> shift & 0xFF).join('.');

/** The address of a bridge with its network, of IPv4 alone: these messages have no room for another. */
function placeOf({ addresses }: Bridge): Pick<Network, 'address' | 'subnet' | 'netmask'> {
  for (const one of addresses) {
    const [, address = '', length = ''] = /^((?:\d{1,3}\.){3}\d{1,3})\/(\d{1,2})$/.exec(one) ?? [];
    if (address === '' || Number(length) > 32) continue;
    const mask = Number(length) === 0 ? 0 : FULL << 32 - Number(length);
    const bits = address.split('.').reduce((all, part) => all << 8 | Number(part), 0);
    return { address, subnet: dotted(bits & mask), netmask: dotted(mask) };
  }
  return { address: undefined, subnet: undefined, netmask: undefined };
}

function networkOf(bridge: Bridge): Network {
  const out = bridge.members.filter((member) => !OF_GUESTS.test(member));
  return { name: harmless(bridge.name), kind: out.length > 0 ? 'bridged' : 'internal', interface: out.length > 0 ? harmless(out.join(' ')) : undefined, ...placeOf(bridge) };
}

async function networksOf({ actor, parts, signal }: Call<unknown>): Promise<readonly Network[]> {
  return (await actor.work('bridge.list', await parts.hostProvider(), {}, { signal })).map(networkOf);
}

export const hostRows: Rows = {
  GSXHostInfo_Query: row({
    handler: 'VMware::VMServerd::GSXHostInfo::Query_Handler',
    access: 'authuser',
    operation: 'stats.host',
    in: nothing,
    out: fields({
      host: fields({
        provider: text(),
        os: optional(text()),
        kernel: optional(text()),
        uptime: optional(whole()),
        cpuModel: optional(text()),
        cpuMHz: optional(whole()),
        cpuPercent: optional(whole()),
        memTotal: optional(whole()),
        memFree: optional(whole()),
        address: optional(text()),
      }),
    }),
    run: async ({ actor, parts, signal }) => {
      const provider = await parts.hostProvider();
      const {
        cpu,
        memory,
        uptime,
        kernel,
        release,
        network: way,
      } = await actor.work('stats.host', provider, { figures: ['cpu', 'memory', 'uptime', 'kernel', 'network'] }, { signal });
      return {
        host: {
          provider,
          os: release && harmless(release),
          kernel: kernel && harmless(kernel),
          uptime: uptime === undefined ? undefined : Math.floor(uptime),
          cpuModel: cpu?.model && harmless(cpu.model),
          cpuMHz: cpu?.mhz === undefined ? undefined : Math.round(cpu.mhz),
          cpuPercent: cpu === undefined ? undefined : Math.round(cpu.percent),
          memTotal: memory === undefined ? undefined : Number(memory.total),
          memFree: memory === undefined ? undefined : Number(memory.total - memory.used),
          address: way?.address,
        },
      };
    },
  }),
  Host_GetBridgedNet: row({
    handler: 'VMware::VMServerd::Handlers::Host_GetBridgedNet_Handler',
    access: 'authuser',
    operation: 'bridge.list',
    in: nothing,
    out: networks,
    run: async (asked) => ({ networks: (await networksOf(asked)).filter(({ kind }) => kind === 'bridged') }),
  }),
  Host_GetHostOnlyNet: row({
    handler: 'VMware::VMServerd::Handlers::Host_GetHostOnlyNet_Handler',
    access: 'authuser',
    operation: 'bridge.list',
    in: nothing,
    out: networks,
    run: async (asked) => ({ networks: (await networksOf(asked)).filter(({ kind }) => kind === 'internal') }),
  }),
  Host_GetVirtualNet: row({
    handler: 'VMware::VMServerd::Handlers::Host_GetVirtualNet_Handler',
    access: 'authuser',
    operation: 'bridge.list',
    in: nothing,
    out: networks,
    run: async (asked) => ({ networks: await networksOf(asked) }),
  }),
};
