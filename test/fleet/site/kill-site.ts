import { appendFileSync } from 'node:fs';
import type { BusMessage, Headers } from '../../../src/fleet/contract.js';
import { NkeySigner } from '../../../src/fleet/signer.js';
import { Site } from '../../../src/fleet/site/site.js';
import { Gate } from '../../../src/instances/gate.js';
import { Audit } from '../../../src/store/audit.js';
import { State } from '../../../src/store/state.js';
import { FakeMachine, fakeProvider } from '../../instances/fake-driver.js';
import { MemoryHub } from '../../support/fleet/memory-bus.js';

/** A site as a process of its own, which a test kills: what it says and hears goes over the pipe to its parent. */

export interface Given {
  readonly folder: string;
  readonly seed: string;
  readonly front: string;
  readonly machines: number;
  /** where each act on a machine is noted, by its name */
  readonly acts: string;
}

export type FromParent = { readonly number: number; readonly subject: string; readonly data: string; readonly headers: Headers };
export type FromChild =
  | { readonly isOpen: true }
  | { readonly subject: string }
  | { readonly number: number; readonly data: string; readonly headers: Headers };

const { folder, seed, front, machines: count, acts } = JSON.parse(process.argv[2]!) as Given;
const tell = (message: FromChild): void => void process.send!(message);

const machines = Array.from({ length: count }, (_, index) => {
  const machine = new FakeMachine(`m${index}`, 'on');
  machine.script.reboot = async () => {
    appendFileSync(acts, `${machine.name}\n`);
    machine.boots += 1;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 30));
  };
  return machine;
});
const { registry } = await fakeProvider(machines, { concurrency: 64 });
const audit = new Audit(folder, () => undefined);
const gate = new Gate({ registry, audit, log: () => undefined, actionTimeout: () => 10_000, groups: () => new Map() });

const listeners = new Map<string, (message: BusMessage) => void>();
const bus = Object.assign(new MemoryHub().connect('site'), {
  subscribe: (subject: string, told: (message: BusMessage) => void) => {
    listeners.set(subject, told);
    tell({ subject });
    return () => void listeners.delete(subject);
  },
});
process.on('message', ({ number, subject, data, headers }: FromParent) => {
  listeners.get(subject)?.({
    subject, data: Buffer.from(data, 'base64'), header: (name) => headers[name],
    respond: (answer, answerHeaders = {}) => tell({ number, data: Buffer.from(answer).toString('base64'), headers: answerHeaders }),
  });
});

const site = new Site({
  gate, bus, state: new State(folder, () => undefined), log: () => undefined, signer: new NkeySigner(seed), incarnation: `incarnation-${process.pid}-${Date.now()}`, version: '1',
  isOffered: () => true, offered: () => [{ name: 'fake', type: 'fake', held: true, dmesg: false }], outbox: () => 0, times: { hush: 50, hushAgain: 20 },
}, { fleet: { name: 'berlin', aliveInterval: 5000, deadAfter: 20_000, fronts: [{ name: 'f1', publicKey: front, grants: [{ instances: ['*'], commands: ['*'] }] }] }, groups: new Map() });
site.start();
const timer = setInterval(() => {
  if (!site.isOpen) return;
  clearInterval(timer);
  tell({ isOpen: true });
}, 5);
