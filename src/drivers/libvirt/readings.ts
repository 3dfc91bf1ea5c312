import { setTimeout as sleep } from 'node:timers/promises';
import type { LibvirtClient } from '../../protocols/libvirt/client.js';
import { AddressSource, DomainState } from '../../protocols/libvirt/constants.js';
import { ErrorCode, LibvirtError } from '../../protocols/libvirt/errors.js';
import { formatUuid, type Domain, type InterfaceAddresses, type StateAndReason } from '../../protocols/libvirt/types.js';
import { ArgoError } from '../../kit/errors.js';
import type { Disk, Facts, Load, PowerState } from '../driver.js';
import { parseDomainXml, type DomainDescription } from './domain-xml.js';
import { isStoppedByDisk, stateInWords, toPowerState } from './states.js';
import type { VmContext } from './context.js';
import { readDiskFaults } from './refusals.js';

/** What can be read of one domain. */

const KIB = 1024n;

/** Milliseconds between the two looks at a machine's CPU time: long against the host's clock ticks. */
const LOAD_INTERVAL_MS = 500;

/** A domain that is shut off may have a managed save image; only a second question tells. */
export async function readState(client: LibvirtClient, { domain, hypervisor }: Pick<VmContext, 'domain' | 'hypervisor'>, signal: AbortSignal): Promise<PowerState> {
  const state = await client.state(domain, signal);
  const isSaved = hypervisor.saves && state.state === DomainState.SHUTOFF && await client.hasManagedSave(domain, signal);
  return toPowerState(state, isSaved);
}

/** libvirt's id differs from run to run; a reboot leaves it as it is, but events tell of it. */
export async function readBootMark(client: LibvirtClient, { domain, runs }: VmContext, signal: AbortSignal): Promise<string> {
  const { id } = await client.lookup(domain.uuid, signal);
  return `${id}.${runs.reboots(formatUuid(domain.uuid), id)}`;
}

export async function readUptime(client: LibvirtClient, { domain, runs }: VmContext, signal: AbortSignal): Promise<number> {
  const { id } = await client.lookup(domain.uuid, signal);
  if (id < 0) throw notRunning();
  const seconds = runs.uptime(formatUuid(domain.uuid), id);
  if (seconds === undefined) throw new ArgoError('NOT SUPPORTED', 'libvirt does not tell since when it runs, and its start was not seen from here');
  return seconds;
}

/** The share of its CPUs that it uses over {@link LOAD_INTERVAL_MS}. */
export async function readLoad(client: LibvirtClient, domain: Domain, signal: AbortSignal): Promise<Load> {
  const first = await client.info(domain, signal);
  if (first.state === DomainState.SHUTOFF) throw notRunning();
  const from = performance.now();
  await sleep(LOAD_INTERVAL_MS, undefined, { signal });
  const second = await client.info(domain, signal);
  const available = (performance.now() - from) * 1e6 * Math.max(1, second.cpus);
  const share = (Number(second.cpuTime - first.cpuTime) / available) * 100;
  return { cpuPercent: Math.min(100, Math.max(0, share)) };
}

const notRunning = (): ArgoError => new ArgoError('WRONG STATE', 'it is not running');

async function describe(client: LibvirtClient, domain: Domain, signal: AbortSignal): Promise<DomainDescription> {
  return parseDomainXml(await client.xml(domain, signal));
}

export async function readMacs(client: LibvirtClient, domain: Domain, signal: AbortSignal): Promise<string[]> {
  return macsOf(await describe(client, domain, signal));
}

const macsOf = (description: DomainDescription): string[] =>
  description.nics.map((nic) => nic.mac).filter((mac) => mac !== undefined);

/**
 * Addresses: what the agent in the guest says, which knows them all; where none listens, the DHCP leases of libvirt's
 * own networks, and for interfaces without one what the host's ARP table knows of their MACs. None is no error: of a
 * guest on a bridge with which the host has nothing to do, libvirt cannot know any.
 */
export async function readAddressesOf(client: LibvirtClient, domain: Domain, signal: AbortSignal): Promise<string[]> {
  return addressesOf(client, domain, await describe(client, domain, signal), signal);
}

async function addressesOf(client: LibvirtClient, domain: Domain, { hasAgent, nics }: DomainDescription, signal: AbortSignal): Promise<string[]> {
  const told = hasAgent ? usable(await interfacesFrom(client, domain, AddressSource.AGENT, signal)) : [];
  if (told.length > 0) return told;
  const leased = await interfacesFrom(client, domain, AddressSource.LEASE, signal);
  const leasedMacs = new Set(leased.filter(({ addresses }) => addresses.length > 0).map(({ mac }) => mac?.toLowerCase()));
  if (nics.every(({ mac }) => leasedMacs.has(mac?.toLowerCase()))) return usable(leased);
  const heard = await interfacesFrom(client, domain, AddressSource.ARP, signal);
  return usable([...leased, ...heard.filter(({ mac }) => !leasedMacs.has(mac?.toLowerCase()))]);
}

async function interfacesFrom(client: LibvirtClient, domain: Domain, source: number, signal: AbortSignal): Promise<InterfaceAddresses[]> {
  try {
    return await client.addresses(domain, source, signal);
  } catch (error) {
    if (error instanceof LibvirtError && error.code !== ErrorCode.OPERATION_INVALID) return [];
    throw error;
  }
}

const usable = (interfaces: readonly InterfaceAddresses[]): string[] =>
  [...new Set(interfaces.flatMap(({ addresses }) => addresses).filter((address) => !isLocal(address)))];

/** What an agent tells of its loopback and of connection-local addresses leads nowhere. */
const isLocal = (address: string): boolean => /^(127\.|::1$|fe80:)/i.test(address);

/**
 * Bytes that went over all of a domain's interfaces. libvirt turns the two sides of a tap round itself,
 * so that `rx` is what the guest has received (since 3.x; virNetDevTapInterfaceStats).
 */
export async function readTraffic(client: LibvirtClient, domain: Domain, side: 'rxBytes' | 'txBytes', signal: AbortSignal): Promise<bigint> {
  const { state } = await client.state(domain, signal);
  if (state === DomainState.SHUTOFF) throw notRunning();
  const { nics } = await describe(client, domain, signal);
  const devices = nics.map((nic) => nic.device).filter((device) => device !== undefined);
  const counted = await Promise.all(devices.map((device) => client.interfaceStats(domain, device, signal)));
  return counted.map((stats) => stats[side]).filter((bytes) => bytes >= 0n).reduce((sum, bytes) => sum + bytes, 0n);
}

export async function readDisks(client: LibvirtClient, domain: Domain, signal: AbortSignal): Promise<Disk[]> {
  return withSizes(client, domain, await describe(client, domain, signal), signal);
}

async function withSizes(client: LibvirtClient, domain: Domain, { disks }: DomainDescription, signal: AbortSignal): Promise<Disk[]> {
  return Promise.all(disks.map(async (disk) => {
    try {
      const { capacity } = await client.blockInfo(domain, disk.target, signal);
      return { ...disk, size: capacity };
    } catch (error) {
      // A container's folder, a disk whose file is absent: its size is not known, the rest is.
      if (error instanceof LibvirtError) return disk;
      throw error;
    }
  }));
}

/** A container's memory is what it uses now, so its limit is told; a guest's is what its balloon leaves it. */
export async function readFacts(client: LibvirtClient, { domain, hypervisor }: VmContext, signal: AbortSignal): Promise<Facts> {
  const description = await describe(client, domain, signal);
  const [state, info, host, ips, persistent, autostart] = await Promise.all([
    client.state(domain, signal),
    client.info(domain, signal),
    client.hostname(signal),
    addressesOf(client, domain, description, signal).catch(withoutAddresses),
    client.isPersistent(domain, signal).catch(unknownToLibvirt),
    client.startsWithHost(domain, signal).catch(unknownToLibvirt),
  ]);
  return {
    uuid: formatUuid(domain.uuid),
    cpus: info.cpus,
    memory: (hypervisor.type === 'container' || info.memory === 0n ? info.maxMemory : info.memory) * KIB,
    ...(ips.length > 0 ? { ips } : {}),
    macs: macsOf(description),
    disks: await withSizes(client, domain, description, signal),
    host,
    ...(persistent === undefined ? {} : { persistent }),
    ...(autostart === undefined ? {} : { autostart }),
    more: {
      ...(description.title === undefined ? {} : { title: description.title }),
      reason: await explainState(client, domain, state, signal),
    },
  };
}

/** libvirt's state with its reason, and the disks that are one. */
async function explainState(client: LibvirtClient, domain: Domain, state: StateAndReason, signal: AbortSignal): Promise<string> {
  const faults = isStoppedByDisk(state) ? await readDiskFaults(client, domain, signal) : '';
  return faults === '' ? stateInWords(state) : `${stateInWords(state)}, ${faults}`;
}

/** Not every hypervisor has it. */
function unknownToLibvirt(error: unknown): undefined {
  if (error instanceof LibvirtError) return undefined;
  throw error;
}

/** A domain that is off has none. */
function withoutAddresses(error: unknown): string[] {
  if (error instanceof LibvirtError) return [];
  throw error;
}
