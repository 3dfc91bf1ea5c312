import { createSocket } from 'node:dgram';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { explainOutput } from '../../../src/protocols/ipmi/errors.js';
import { chassisOrder, chassisPower, findIpmitool, ipmiLacks, type IpmiAccess } from '../../../src/protocols/ipmi/ipmitool.js';
import { IPMI_PROGRAMS, IpmiSim, LOOKER, OPERATOR } from '../../peers/ipmi-sim.js';
import { lacks } from '../../support/peers.js';
import { until } from '../../support/until.js';

const { password } = OPERATOR;
const signal = new AbortController().signal;
const skip = lacks(...IPMI_PROGRAMS);

const accessTo = (sim: { host: string; port: number }, more: Partial<IpmiAccess> = {}): IpmiAccess =>
  ({ host: sim.host, port: sim.port, user: OPERATOR.user, privilege: 'operator', cipherSuite: 3, ...more });

await t.test('a simulated board', { skip }, async (t) => {
  const sim = await IpmiSim.start();
  t.teardown(() => sim.stop());
  const access = accessTo(sim);

  await t.test('orders are given once, and its word is read', async (t) => {
    t.equal(await chassisPower(access, { password, signal }), 'off');
    await chassisOrder(access, 'on', { password, signal });
    t.equal(await chassisPower(access, { password, signal }), 'on');
    await chassisOrder(access, 'reset', { password, signal });
    await chassisOrder(access, 'soft', { password, signal });
    await chassisOrder(access, 'off', { password, signal });
    t.equal(await chassisPower(access, { password, signal, background: true }), 'off');
    t.same(sim.orders, ['power 1', 'reset 1', 'shutdown 1', 'power 0']);
    t.equal(await chassisPower(accessTo(sim, { cipherSuite: undefined }), { password, signal }), 'off', 'without a cipher suite, one is found');
  });

  await t.test('refusals by their kinds, without the password', async (t) => {
    const before = sim.orders.length;
    const wrong = { password: 'not-the-word', signal };
    await t.rejects(chassisPower(access, wrong), { name: 'BoardError', fault: 'login refused' });
    await t.rejects(chassisOrder(access, 'on', wrong), { name: 'BoardError', fault: 'login refused' });
    await t.rejects(chassisPower(accessTo(sim, { user: 'stranger' }), { password, signal }), { name: 'BoardError', fault: 'login refused' });
    await t.rejects(chassisPower(access, { password: 'x'.repeat(21), signal }), { name: 'BoardError', fault: 'login refused', message: /20 bytes/ });
    await t.rejects(chassisOrder(accessTo(sim, { user: LOOKER.user, privilege: 'user' }), 'on', { password: LOOKER.password, signal }), { name: 'BoardError', fault: 'right missing' });
    await t.rejects(chassisPower(accessTo(sim, { cipherSuite: 17 }), { password, signal }), { name: 'BoardError', fault: 'unsupported', message: /cipher suite/ });
    await t.rejects(chassisPower(accessTo(sim, { host: 'nobody.invalid' }), { password, signal }), { name: 'BoardError', fault: 'silent', message: /no address/ });
    t.equal(sim.orders.length, before);
    const error = await chassisPower(access, wrong).catch((thrown: unknown) => thrown);
    t.notMatch(JSON.stringify(error, Object.getOwnPropertyNames(error)), /not-the-word/);
  });

  await t.test('an order whose answer is lost is carried out once, and is in doubt', async (t) => {
    const before = sim.orders.length;
    sim.answersLateBy(6);
    await t.rejects(chassisOrder(access, 'reset', { password, signal }), { name: 'BoardError', fault: 'lost' });
    sim.answersLateBy(0);
    // The simulator is busy with the late answer until then.
    await until(async () => await chassisPower(access, { password, signal }).catch(() => undefined) !== undefined, 60_000, 'the simulator to go on');
    t.same(sim.orders.slice(before), ['reset 1']);
  });

  await t.test('however many boards are silent, one that answers does not wait for them', async (t) => {
    const silent = await Promise.all(Array.from({ length: 30 }, async (_, index) => {
      const socket = createSocket('udp4');
      await new Promise<void>((resolve) => { socket.bind(0, `127.0.1.${index + 1}`, resolve); });
      t.teardown(() => { socket.close(); });
      return accessTo({ host: `127.0.1.${index + 1}`, port: socket.address().port });
    }));
    await chassisPower(access, { password, signal });
    const ends = new AbortController();
    let ended = 0;
    const looks = silent.map((each) =>
      chassisPower(each, { password, signal: ends.signal, background: true })
        .catch(() => undefined)
        .then(() => {
          ended += 1;
        }),
    );
    await chassisOrder(access, 'on', { password, signal });
    t.equal(await chassisPower(access, { password, signal }), 'on');
    t.equal(ended, 0);
    ends.abort(new Error('enough'));
    await Promise.all(looks);
  });

  await t.test('a board that hangs', async (t) => {
    sim.hang(true);
    t.teardown(() => sim.hang(false));
    const before = sim.orders.length;
    await t.rejects(chassisPower(access, { password, signal }), { name: 'BoardError', fault: 'silent' });
    await t.rejects(chassisOrder(access, 'on', { password, signal }), { name: 'BoardError', fault: 'silent' });
    const soon = new AbortController();
    setTimeout(() => soon.abort(new Error('enough')), 100);
    await t.rejects(chassisPower(access, { password, signal: soon.signal }), { message: 'enough' });
    t.equal(sim.orders.length, before);
  });
});

await t.test('what ipmitool prints', async (t) => {
  const faultOf = (output: string, isOrder = true): string => explainOutput(output, isOrder).fault;
  const set = (words: string): string => `Loading IANA PEN Registry...\nInvalid completion code received: Insufficient privilege level\nSet Chassis Power Control to Up/On failed: ${words}\n`;
  t.equal(faultOf(set('Node busy')), 'busy');
  t.equal(faultOf(set('BMC initialization in progress')), 'busy');
  t.equal(faultOf(set('Insufficient privilege level')), 'right missing');
  t.equal(faultOf(set('Command not supported in present state')), 'wrong state');
  t.equal(faultOf(set('Invalid command')), 'unsupported');
  t.equal(faultOf(set('Unspecified error')), 'failed');
  t.equal(faultOf(set('Timeout')), 'lost', 'it may be carrying it out');
  t.equal(faultOf('Get Chassis Power Status failed: Timeout', false), 'failed');
  t.equal(faultOf('Unable to set Chassis Power Control to Up/On'), 'lost');
  t.equal(faultOf('what nobody knows'), 'lost', 'in doubt, it was sent');
  t.equal(faultOf('Unable to get Chassis Power Status', false), 'silent');
  const unopened = (words: string): string => `${words}\nError: Unable to establish IPMI v2 / RMCP+ session\n`;
  t.equal(faultOf(unopened('Error in open session response message : insufficient resources for session')), 'busy');
  t.equal(faultOf(unopened('RAKP 2 message indicates an error : unauthorized role requested')), 'right missing');
  t.equal(faultOf(unopened('Set Session Privilege Level to OPERATOR failed: Insufficient privilege level')), 'right missing');
  t.equal(faultOf(unopened('')), 'silent');
});

await t.test('the program gets the password by its environment alone', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-ipmitool-'));
  const path = process.env.PATH;
  t.teardown(() => {
    process.env.PATH = path;
    rmSync(folder, { recursive: true });
  });
  process.env.PATH = folder;
  t.equal(findIpmitool(), undefined);
  t.match(ipmiLacks(), /apt-get install ipmitool/);
  const nobody = accessTo({ host: '127.0.0.1', port: 9 });
  await t.rejects(chassisPower(nobody, { password, signal }), { name: 'BoardError', fault: 'no program', message: /apt-get install ipmitool/ });
  const program = join(folder, 'ipmitool');
  writeFileSync(program, '#!/bin/sh\n[ "$IPMI_PASSWORD" = "Op-Secret-1" ] || exit 9\necho "Chassis Power Control: $*"\necho "Chassis Power is on"\nset > "$0.env"\necho "$*" > "$0.args"\n');
  chmodSync(program, 0o755);
  process.env.OTHERS_SECRET = 'not-for-ipmitool';
  await chassisOrder(nobody, 'reset', { password, signal });
  const args = readFileSync(`${program}.args`, 'utf8');
  t.match(args, /-R 1 -C 3 chassis power reset$/m);
  t.notMatch(args, /Op-Secret/);
  t.notMatch(readFileSync(`${program}.env`, 'utf8'), /not-for-ipmitool/);
  t.equal(await chassisPower(nobody, { password, signal }), 'on');
});
