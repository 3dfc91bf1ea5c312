import { existsSync, readFileSync } from 'node:fs';
import { loadDriver } from '../drivers/catalogue.js';
import * as v from 'valibot';
import { Deadline, explainDeadline } from '../kit/deadline.js';
import { toArgoError } from '../kit/errors.js';

/** A provider that this machine may have. */
interface Candidate {
  readonly name: string;
  /** for people */
  readonly title: string;
  /** its table in argo-server.conf */
  readonly table: Readonly<Record<string, string>>;
  /** why it cannot be there, found without asking anybody; undefined where it may be */
  absence(): string | undefined;
}

/** What became of looking for one provider. */
export interface Finding {
  readonly name: string;
  readonly title: string;
  readonly table: Readonly<Record<string, string>>;
  /** how many instances it has; undefined where it is not usable */
  readonly instances?: number;
  /** why it is not usable */
  readonly reason?: string;
}

/** One candidate gets this long to answer, milliseconds. */
const PROBE_TIMEOUT = 1500;

const XEN_CAPABILITIES = '/proc/xen/capabilities';
const LIBVIRT_SOCKETS = ['/run/libvirt/libvirt-sock', '/run/libvirt/virtqemud-sock', '/run/libvirt/virtlxcd-sock'];

const libvirtAbsence = (): string | undefined =>
  LIBVIRT_SOCKETS.some((path) => existsSync(path)) ? undefined : `there is no ${LIBVIRT_SOCKETS[0]}`;

function xenAbsence(): string | undefined {
  if (!existsSync(XEN_CAPABILITIES)) return `there is no ${XEN_CAPABILITIES}`;
  return readFileSync(XEN_CAPABILITIES, 'utf8').includes('control_d') ? undefined : 'this is not the control domain';
}

const CANDIDATES: readonly Candidate[] = [
  { name: 'xen', title: 'local Xen', table: { type: 'xen' }, absence: xenAbsence },
  { name: 'kvm', title: 'KVM through libvirt', table: { type: 'libvirt', uri: 'qemu:///system' }, absence: libvirtAbsence },
  { name: 'lxc', title: 'LXC through libvirt', table: { type: 'libvirt', uri: 'lxc:///system' }, absence: libvirtAbsence },
];

/** Looks for what this machine has. Each candidate is asked once, all at the same time. */
export const discover = (): Promise<Finding[]> => Promise.all(CANDIDATES.map(probe));

async function probe({ name, title, table, absence }: Candidate): Promise<Finding> {
  const reason = absence();
  if (reason !== undefined) return { name, title, table, reason };
  const deadline = new Deadline(PROBE_TIMEOUT);
  try {
    return { name, title, table, instances: await count(name, table, deadline) };
  } catch (thrown) {
    return { name, title, table, reason: toArgoError(explainDeadline(thrown, title)).message };
  } finally {
    deadline.clear();
  }
}

async function count(name: string, table: Readonly<Record<string, string>>, deadline: Deadline): Promise<number> {
  const module = await loadDriver(table.type!);
  if (!module) throw new Error(`no driver for ${table.type}`);
  const driver = module.open(v.parse(v.object(module.options), table), {
    name, log: () => undefined, changed: () => undefined, relist: () => undefined, lost: () => undefined,
  });
  try {
    return (await deadline.run((signal) => driver.list(signal))).length;
  } finally {
    await driver.close(deadline.signal).catch(() => undefined);
  }
}
