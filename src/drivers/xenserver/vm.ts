import type { Machine } from '../driver.js';
import type { PoolContext } from './subject.js';
import * as actions from './vm-actions.js';
import * as reads from './vm-reads.js';

/** Makes the machine for a virtual machine. It is found by its uuid for as long as it exists. */
export function createVm(context: PoolContext, uuid: string, name: string): Machine {
  const bind = <T>(work: (context: PoolContext, uuid: string, signal: AbortSignal) => Promise<T>) => (signal: AbortSignal): Promise<T> =>
    work(context, uuid, signal);
  return {
    id: uuid,
    name,
    type: 'vm',
    status: bind(reads.readState),
    start: bind(actions.start),
    shutdown: bind(actions.shutdown),
    powerOff: bind(actions.powerOff),
    reboot: bind(actions.reboot),
    reset: bind(actions.reset),
    pause: bind(actions.pause),
    unpause: bind(actions.unpause),
    suspend: bind(actions.suspend),
    resume: bind(actions.resume),
    bootMark: bind(reads.readBootMark),
    info: bind(reads.readFacts),
    ip: bind(reads.readAddresses),
    mac: bind(reads.readMacs),
    uptime: bind(reads.readUptime),
    rx: bind(reads.readRx),
    tx: bind(reads.readTx),
    load: bind(reads.readLoad),
    disk: bind(reads.readDisks),
  };
}
