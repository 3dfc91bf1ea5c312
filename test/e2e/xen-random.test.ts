import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { ArgoError } from '../../src/kit/errors.js';
import type { Machine, PowerState } from '../../src/drivers/driver.js';
import { openXen } from '../../src/drivers/xen/driver.js';
import { lacksXen, startXen, type Fault, type XenHost } from '../peers/xen/start.js';

/** Orders in all; each takes some 10 ms of xl. */
const ORDERS = 200;
/** So that a failure can be had again. */
const SEED = 12;
const NAMES = ['a', 'b 2', '3'];
const STEPS = ['start', 'shutdown', 'powerOff', 'reboot', 'reset', 'pause', 'unpause', 'suspend', 'resume'] as const;
/** What makes sense in a state, so that more than refusals is tried. */
const SENSIBLE: Readonly<Partial<Record<PowerState, readonly (typeof STEPS)[number][]>>> = {
  on: ['shutdown', 'powerOff', 'reboot', 'reset', 'pause', 'suspend', 'suspend'],
  off: ['start'],
  paused: ['unpause', 'unpause', 'powerOff'],
  suspended: ['resume', 'resume', 'powerOff'],
};
const FAULTS: readonly Fault[] = [
  ['pause', '*', 'ignore'], ['pause', '*', 'fail'], ['unpause', '*', 'fail'], ['destroy', '*', 'fail'], ['create', '*', 'fail'],
  ['suspend', '*', 'fail'], ['restore', '*', 'fail'], ['shutdown', '*', 'ignore'], ['create', '*', 'hang'], ['restore', '*', 'hang'], ['config', '*', 'fail'],
];
/** Milliseconds for an order that meets a fault. */
const SHORT = 600;
/** What an order may come to; anything else is a bug. */
const HONEST = new Set(['FAILED', 'WRONG STATE', 'UNCERTAIN', 'ACCESS DENIED', 'NOT SUPPORTED', 'BUSY', 'UNREACHABLE']);

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** What the hypervisor itself knows: a domain's flags in world.c's file. */
async function trueFlags(host: XenHost, name: string): Promise<string | undefined> {
  const rows = (await readFile(join(host.folder, 'world', 'domains'), 'utf8')).split('\n').map((row) => row.split('\t'));
  return rows.find((row) => row[10] === name)?.[1];
}

function agrees(state: PowerState, flags: string | undefined, hasImage: boolean): boolean {
  if (state === 'starting') return true;
  if (flags === undefined) return state === (hasImage ? 'suspended' : 'off');
  if (flags.includes('s') || flags.includes('d')) return state === 'stopping';
  return state === (flags.includes('p') ? 'paused' : 'on');
}

/** A domain may end between two looks, so they are compared until they agree. */
async function settled(host: XenHost, machine: Machine): Promise<{ state: PowerState; flags: string | undefined; agreed: boolean }> {
  for (let tries = 0; ; tries += 1) {
    const state = await machine.status(AbortSignal.timeout(20_000));
    const flags = await trueFlags(host, machine.name);
    const images = await readdir(host.saveDir).catch((): string[] => []);
    const agreed = agrees(state, flags, images.includes(`${encodeURIComponent(machine.name)}.save`));
    if (agreed || tries === 60) return { state, flags, agreed };
    await sleep(50);
  }
}

void t.test('whatever is ordered, and whatever fails, the state that is told is the true one', { skip: lacksXen() }, async (t) => {
  const host = await startXen();
  t.teardown(() => host.stop());
  for (const [number, name] of NAMES.entries()) await host.configure(`${number}.cfg`, `name = '${name}'\nkernel = '/k'\nmemory = 64\n`);
  const quiet = { name: 'dom0', log: () => undefined, changed: () => undefined, relist: () => undefined, lost: () => undefined };
  const driver = openXen({ xl: host.xl, configDir: host.configDir, saveDir: host.saveDir }, quiet);
  t.teardown(() => driver.close(AbortSignal.timeout(5000)));
  const machines = (await driver.list(AbortSignal.timeout(20_000))).map(({ machine }) => machine);
  const below = random(SEED);
  const outcomes: Record<string, number> = {};
  for (let number = 0; number < ORDERS; number += 1) {
    const machine = machines[below(machines.length)]!;
    const before = await settled(host, machine);
    t.ok(before.agreed, `${machine.name} is ${before.state}, truly ${before.flags}`);
    const steps = below(4) === 0 ? STEPS : SENSIBLE[before.state] ?? STEPS;
    const step = steps[below(steps.length)]!;
    const fault = below(3) === 0 ? FAULTS[below(FAULTS.length)] : undefined;
    await host.faults(...(fault ? [fault] : []));
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), fault?.[2] === 'hang' ? SHORT : 20_000);
    const outcome = await machine[step]!(limit.signal).then(() => 'done', (thrown: unknown) => (thrown instanceof ArgoError ? thrown.phrase : String(thrown)));
    clearTimeout(timer);
    await host.faults();
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    t.ok(outcome === 'done' || HONEST.has(outcome), `${step} on ${machine.name} (${before.state}, ${fault?.join(' ') ?? 'no fault'}): ${outcome}`);
    const after = await settled(host, machine);
    t.ok(after.agreed, `then ${machine.name} is ${after.state}, truly ${after.flags}`);
    if (outcome === 'done' && ['start', 'resume', 'reset', 'unpause'].includes(step)) t.equal(after.state, 'on', `after ${step}`);
    if (outcome === 'done' && step === 'suspend') t.equal(after.state, 'suspended');
    // A save whose domain xl could not clear away is whole: the plug is pulled, the image stays.
    if (outcome === 'done' && step === 'powerOff') t.equal(after.state, before.state === 'stopping' && after.state === 'suspended' ? 'suspended' : 'off');
    if (below(5) === 0) await driver.list(AbortSignal.timeout(20_000));
  }
  t.comment(JSON.stringify(outcomes));
  t.ok((outcomes.done ?? 0) > ORDERS / 3, 'much was done');
  t.same(await host.violations(), []);
});
