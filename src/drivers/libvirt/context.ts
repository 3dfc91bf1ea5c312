import type { Domain } from '../../protocols/libvirt/types.js';
import type { Hypervisor } from './hypervisors.js';
import type { Link } from './connection.js';
import type { RunLog } from './run-log.js';

/** One domain of a connection. It is found by its uuid for as long as it is defined. */
export interface Subject {
  readonly domain: Domain;
  readonly hypervisor: Hypervisor;
  readonly link: Link;
  readonly runs: RunLog;
}
