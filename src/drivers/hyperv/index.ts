import * as v from 'valibot';
import { flag, text } from '../../config/values.js';
import type { DriverModule } from '../driver.js';
import { faultsOfAddress, faultsOfHosts } from '../host/hosts.js';
import { hostAddress, listedHostEntries, singleHostEntries } from '../host/options.js';
import { HOST_ACTION_TIMEOUT } from '../host/power.js';
import { serviceSign } from '../wmi/open-link.js';
import { wmiEntries } from '../wmi/options.js';
import { HyperVDriver } from './driver.js';

const node = v.strictObject({
  name: text,
  /** the name unless given */
  address: v.optional(hostAddress),
  mac: listedHostEntries.mac,
  wol: listedHostEntries.wol,
  ping: listedHostEntries.ping,
  power: listedHostEntries.power,
  /** of this node's certificate */
  fingerprint: wmiEntries.fingerprint,
  /** of this node's service */
  kerberos: wmiEntries.kerberos,
});

type NodeTable = v.InferOutput<typeof node>;

const areDistinct = (words: readonly string[]): boolean => new Set(words).size === words.length;
const addressOf = ({ name, address = name }: NodeTable): string => address;

const nodes = v.pipe(
  v.array(node, 'a list is expected, such as [{ name = "hv2", address = "10.0.0.15" }]'),
  v.check((list) => areDistinct(list.map(({ name }) => name)), 'two nodes have the same name'),
  v.check((list) => areDistinct(list.map(addressOf)), 'two nodes have the same address'),
  v.check((list) => list.every((each) => v.is(hostAddress, addressOf(each))), 'a node whose name is no host name needs an address'),
);

/** The keys of a `[providers.NAME]` table of type hyperv. */
const options = {
  ...singleHostEntries,
  ...wmiEntries,
  /** of the failover cluster to which the host belongs */
  nodes: v.optional(nodes, []),
  /** whether guests close programs that hold unsaved work, and shut down although they are locked */
  'close-programs': v.optional(flag, false),
};

/** Hyper-V hosts and their virtual machines, through WMI. */
const hyperv: DriverModule<typeof options> = {
  options,
  defaults: {
    actionTimeout: HOST_ACTION_TIMEOUT,
    // Each change of a VM is seen at the next listing, which costs one query.
    pollInterval: 10_000,
    concurrency: 128,
  },
  check: (given) => [
    ...faultsOfAddress(() => serviceSign(given, given.address)),
    ...faultsOfHosts({ hosts: given.nodes }, ({ name, address = name }) => serviceSign(given, address)).map((fault) => ({ ...fault, path: ['nodes', ...(fault.path ?? []).slice(1)] })),
  ],
  open: (given, host) => new HyperVDriver(given, host),
};

export default hyperv;
