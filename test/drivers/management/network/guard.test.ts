import t from 'tap';
import { GuardedChange } from '../../../../src/drivers/management/network/guard.js';
import { ANOTHER, ARM, CHANGE, KEEP, LACKING, REFUSED, RELEASE, STAND, TOO_LATE, UNDO } from '../../../../src/drivers/management/network/guard-scripts.js';
import { readNetwork } from '../../../../src/drivers/management/network/ip-output.js';
import { planAddRoute } from '../../../../src/drivers/management/network/route-plans.js';
import type { HostCommands } from '../../../../src/drivers/management/host-commands.js';
import { ArgoError } from '../../../../src/kit/errors.js';
import type { CommandResult } from '../../../../src/protocols/ssh/command.js';
import { outcome } from '../../driving.js';

/** What is told of a change when something else than its plan happens, which a real host does only now and then. */

const NAMES = new Map([[ARM, 'arm'], [CHANGE, 'change'], [KEEP, 'keep'], [UNDO, 'undo'], [STAND, 'stand'], [RELEASE, 'release']]);
const LINKS = JSON.stringify([{ ifname: 'eth0', flags: ['UP'], addr_info: [{ family: 'inet', local: '10.0.0.2', prefixlen: 24 }] }]);
const ROUTE = { destination: '10.5.0.0', prefix: 16, gateway: '10.0.0.9', interface: 'eth0' };
const OWN = { dst: '10.0.0.0/24', dev: 'eth0', protocol: 'kernel' };
const MADE = { dst: '10.5.0.0/16', gateway: '10.0.0.9', dev: 'eth0' };

type Step = number | ArgoError | string;

/** A host that answers each script as it is told: an exit code, what is printed, or what is thrown; then 0. Its table is `before` until the change. */
function host(steps: Readonly<Partial<Record<string, Step[]>>>, before: readonly object[] = [OWN], after: readonly object[] = [OWN, MADE]) {
  const done: string[] = [];
  const answer = (step: Step | undefined): CommandResult => {
    if (step instanceof ArgoError) throw step;
    const [code, stdout] = typeof step === 'string' ? [0, step] : [step ?? 0, ''];
    return { code, signal: undefined, stdout, stderr: code === 0 ? '' : 'its words', truncated: false };
  };
  const run: HostCommands['run'] = (words, { stdin }) => {
    if (words[0] === 'ip') return Promise.resolve(answer(words.includes('address') ? LINKS : JSON.stringify(done.includes('change') ? after : before)));
    const name = NAMES.get(stdin ?? '')!;
    done.push(name);
    return Promise.resolve().then(() => answer(steps[name]?.shift()));
  };
  return { done, commands: { run, runAnew: run, way: () => Promise.resolve(undefined) } satisfies HostCommands };
}

async function changed({ commands, done }: ReturnType<typeof host>, signal = AbortSignal.timeout(60_000), rollback = 3_000) {
  const first = host({});
  const before = await readNetwork(first.commands.run, signal);
  const plan = planAddRoute(before, { client: undefined, devices: new Set(), route: undefined, isHere: false }, ROUTE);
  return { ...await outcome(new GuardedChange(commands, before, plan, rollback, { signal, task: 'task', progress: () => undefined }).make()), done };
}

await t.test('nothing is changed', async (t) => {
  t.match(await changed(host({ arm: [ANOTHER] })), { phrase: 'BUSY', detail: /another change/, done: ['arm'] });
  t.match(await changed(host({ arm: [LACKING] })), { phrase: 'FAILED', detail: /nothing was changed: its words/, done: ['arm'] });
  t.match(await changed(host({ arm: [new ArgoError('UNCERTAIN')] })), { phrase: 'UNREACHABLE', detail: /nothing was changed/, done: ['arm'] });
  t.match(await changed(host({ arm: [new ArgoError('ACCESS DENIED', 'that needs root')] })), { phrase: 'ACCESS DENIED', done: ['arm'] });
  t.match(await changed(host({}, [OWN, { dst: '10.7.0.0/16', dev: 'eth0' }])), { phrase: 'BUSY', detail: /by somebody else/, done: ['arm', 'release'] });
  t.match(await changed(host({}, [])), { phrase: 'BUSY', detail: /by somebody else/, done: ['arm', 'release'] });
});

await t.test('it is made', async (t) => {
  t.match(await changed(host({})), { phrase: undefined, error: undefined, done: ['arm', 'change', 'keep'] });
  const lost = new ArgoError('UNCERTAIN', 'lost');
  t.match(await changed(host({ change: [lost] })), { phrase: undefined, error: undefined, done: ['arm', 'change', 'keep'] }, 'though the session hung');
  t.match(await changed(host({ keep: [lost, ANOTHER] })), { phrase: undefined, error: undefined, done: ['arm', 'change', 'keep', 'keep', 'keep'] }, 'at another attempt');
  t.match(await changed(host({ keep: [TOO_LATE], stand: ['kept\n'] })), { phrase: undefined, error: undefined, done: ['arm', 'change', 'keep', 'stand'] }, 'whose answer was lost');
});

await t.test('it is undone', async (t) => {
  const undone = [OWN];
  t.match(await changed(host({ change: [REFUSED] }, undone, undone)), { phrase: 'FAILED', detail: 'undone by the host: its words', done: ['arm', 'change', 'release'] });
  t.match(await changed(host({ change: [TOO_LATE], undo: [TOO_LATE], stand: ['undoing\n', 'undone\n'] }, undone, undone)),
    { phrase: 'FAILED', detail: /^undone by the host: no new connection confirmed it in 3 s/, done: ['arm', 'change', 'undo', 'stand', 'stand', 'release'] });
  t.match(await changed(host({}, undone, undone)),
    { phrase: 'FAILED', detail: 'undone by the host: the route 10.5.0.0/16 is not there', done: ['arm', 'change', 'undo', 'release'] });
  t.match(await changed(host({ change: [REFUSED] }, [OWN], [])), { phrase: 'FAILED', detail: 'undone by the host, but the route 10.0.0.0/24 is missing: its words' });
});

await t.test('nobody knows', async (t) => {
  t.match(await changed(host({ keep: [TOO_LATE], stand: [''] })), { phrase: 'UNCERTAIN', detail: /^it is in force, but has not been confirmed/ });
  const stop = new AbortController();
  const cut = host({ change: [new ArgoError('UNCERTAIN', 'lost')], keep: Array.from({ length: 100 }, () => new ArgoError('UNREACHABLE', 'no way')) });
  const told = changed(cut, stop.signal, 60_000);
  setTimeout(() => stop.abort(), 500);
  t.match(await told, { phrase: 'UNCERTAIN', detail: /the host undoes it by itself/ });
});
