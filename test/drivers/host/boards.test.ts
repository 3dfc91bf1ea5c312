import t, { type Test } from 'tap';
import type { Log } from '../../../src/kit/log.js';
import type { BoardParts } from '../../../src/drivers/host/board.js';
import { boardOf } from '../../../src/drivers/host/boards.js';
import { HostPower } from '../../../src/drivers/host/power.js';
import { singleHostEntries, singleHostSettings } from '../../../src/drivers/host/options.js';
import { Pinger } from '../../../src/protocols/ping/pinger.js';
import { LOOKER, OPERATOR, RedfishDouble, REDFISH_PROGRAMS } from '../../peers/redfish-double.js';
import { IPMI_PROGRAMS, IpmiSim, LOOKER as IPMI_LOOKER, OPERATOR as IPMI_OPERATOR } from '../../peers/ipmi-sim.js';
import { lacks } from '../../support/peers.js';
import * as v from 'valibot';

const signal = new AbortController().signal;

function open(t: Test, power: object): BoardParts & { readonly lines: readonly string[] } {
  const lines: string[] = [];
  const log: Log = (level, message) => { lines.push(`${level}: ${message}`); };
  const settings = singleHostSettings('web1', v.parse(v.strictObject(singleHostEntries), { address: '127.0.0.1', power }));
  const pinger = new Pinger({});
  const parts = boardOf(new HostPower(settings, { pinger, log }), log, true)!;
  t.teardown(async () => {
    await parts.board.close();
    pinger.close();
  });
  return Object.assign(parts, { lines });
}

await t.test('Redfish', { skip: lacks(...REDFISH_PROGRAMS) }, async (t) => {
  const double = await RedfishDouble.start();
  t.teardown(() => double.stop());
  const { user, password } = OPERATOR;
  const table = { type: 'redfish', url: double.url, user, password, fingerprint: double.fingerprint };

  await t.test('orders and states', async (t) => {
    const { board } = open(t, table);
    await board.order('on', signal);
    t.equal(await board.power(signal, false), 'on');
    await t.rejects(board.order('on', signal), { name: 'ArgoError', phrase: 'WRONG STATE', detail: /^redfish 127\.0\.0\.1:\d+: it says: The system is on already/ });
    double.mischief.losesAnswers = true;
    await t.rejects(board.order('reset', signal), { name: 'ArgoError', phrase: 'UNCERTAIN' });
    delete double.mischief.losesAnswers;
    t.same(double.orders, ['1 On', '1 ForceRestart']);
  });

  await t.test('a wrong password is tried once, whoever asks', async (t) => {
    const before = double.refusedLogins;
    const boards = [1, 2, 3].map(() => open(t, { ...table, password: 'not-the-word' }).board);
    for (const board of boards) await t.rejects(board.power(signal, false), { name: 'ArgoError', phrase: 'ACCESS DENIED', detail: /not tried again before/ });
    await t.rejects(boards[0]!.order('on', signal), { name: 'ArgoError', phrase: 'ACCESS DENIED' });
    t.equal(double.refusedLogins - before, 1);
    t.equal(await open(t, table).board.power(signal, false), 'on', 'others are not held back');
  });

  await t.test('of several boards behind one address, one that refuses holds no other back', async (t) => {
    const strict = await RedfishDouble.start({ users: [LOOKER] });
    t.teardown(() => strict.stop());
    const { board } = open(t, { ...table, url: strict.url, fingerprint: strict.fingerprint });
    await t.rejects(board.power(signal, false), { name: 'ArgoError', phrase: 'ACCESS DENIED' });
    t.equal(await open(t, table).board.power(signal, false), 'on');
  });

  await t.test('missing rights are no wrong password', async (t) => {
    const { board } = open(t, { ...table, user: LOOKER.user, password: LOOKER.password });
    for (let time = 0; time < 2; time += 1) await t.rejects(board.order('off', signal), { name: 'ArgoError', phrase: 'ACCESS DENIED', detail: /insufficient privileges/ });
    t.equal(await board.power(signal, false), 'on');
  });

  await t.test('whom to trust', async (t) => {
    const stranger = open(t, { ...table, fingerprint: undefined });
    await t.rejects(stranger.board.power(signal, false), { name: 'ArgoError', phrase: 'CERTIFICATE REJECTED' });
    t.same(open(t, { ...table, fingerprint: undefined, insecure: true }).lines, ['warn: insecure = true: whoever answers in the place of a host\'s board gets its password']);
  });

  await t.test('an order whose time is over before it is sent', async (t) => {
    const { board } = open(t, table);
    double.mischief.hangs = true;
    const soon = new AbortController();
    setTimeout(() => soon.abort(), 100);
    await t.rejects(board.order('off', soon.signal), { name: 'ArgoError', phrase: 'UNREACHABLE', detail: /before anything was sent/ });
    double.mischief.hangs = false;
  });
});

await t.test('IPMI', { skip: lacks(...IPMI_PROGRAMS) }, async (t) => {
  const sim = await IpmiSim.start();
  t.teardown(() => sim.stop());
  const { user, password } = IPMI_OPERATOR;
  const table = { type: 'ipmi', host: sim.host, port: sim.port, user, password, 'cipher-suite': 3 };
  const { board } = open(t, table);
  await board.order('on', signal);
  t.equal(await board.power(signal, false), 'on');
  await t.rejects(open(t, { ...table, password: 'not-the-word' }).board.power(signal, false), { name: 'ArgoError', phrase: 'ACCESS DENIED', detail: /not tried again before/ });
  await t.rejects(open(t, { ...table, user: IPMI_LOOKER.user, password: IPMI_LOOKER.password, privilege: 'user' }).board.order('off', signal), { name: 'ArgoError', phrase: 'ACCESS DENIED', detail: /Insufficient privilege/ });
  await t.rejects(open(t, { ...table, 'cipher-suite': 17 }).board.power(signal, false), { name: 'ArgoError', phrase: 'NOT SUPPORTED', detail: /cipher suite/ });
  t.same(sim.orders, ['power 1']);
});
