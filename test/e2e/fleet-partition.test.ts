import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Enclosure, must } from '../peers/enclosure.js';
import { freeSubnet } from '../peers/free-subnet.js';
import { NATS_PROGRAMS } from '../peers/nats.js';
import { LONG, PASSWORD } from '../support/faults.js';
import { connect } from '../support/line-client.js';
import { fromRoot } from '../support/paths.js';
import { lacksRoot } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { until } from '../support/until.js';
import { CountedMachines } from './support/counted-machines.js';
import { Fleet, SEND_TIMEOUT } from './support/fleet.js';

/** A site on a network of its own, of which every packet to and from the bus is dropped: neither side is told. */

const NETWORK = '10.79';
const SLOW = 3000;

await t.test('a true partition', { skip: lacksRoot(...NATS_PROGRAMS, 'ip', 'iptables', 'nsenter', 'unshare'), timeout: 300_000 }, async (t) => {
  const subnet = freeSubnet(NETWORK);
  const [outer, inner] = [`${NETWORK}.${subnet}.1`, `${NETWORK}.${subnet}.2`];
  const enclosure = await Enclosure.start((scratch) => {
    mkdirSync(join(scratch, 'site', 'state'), { recursive: true, mode: 0o700 });
    writeFileSync(join(scratch, 'hosts'), `${outer} localhost\n`);
    // there the bus has the name that stands in its certificate
    return { [join(scratch, 'hosts')]: '/etc/hosts' };
  });
  t.teardown(() => enclosure.stop());
  const cable = `argo${process.pid % 10_000}`;
  await enclosure.cable(cable, 'c0');
  await must('ip', ['addr', 'add', `${outer}/24`, 'dev', cable]);
  await must('ip', ['link', 'set', cable, 'up']);
  const inside = async (...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await enclosure.run(...args);
    if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
  };
  await inside('ip', 'addr', 'add', `${inner}/24`, 'dev', 'c0');
  await inside('ip', 'link', 'set', 'c0', 'up');

  const fleet = await Fleet.start(t, { busAddress: '0.0.0.0', sites: { berlin: { counted: { names: ['web1'] } } }, fronts: { f1: {} }, keys: [], away: ['paris'] });
  const folder = join(enclosure.scratch, 'site');
  const machines = new CountedMachines(folder, { names: ['web1', 'web2', 'slow1'], slow: { slow1: SLOW } });
  const port = await freePort();
  writeFileSync(join(folder, 'argo-server.conf'), fleet.siteConfig('paris', {}, machines).replace('[server]', `[server]\nlisten = ["${inner}:${port}"]\nstate-dir = "${join(folder, 'state')}"`), { mode: 0o600 });
  const log = join(folder, 'log');
  enclosure.daemon(['sh', '-c', `cd ${folder} && exec ${process.execPath} ${fromRoot('bin', 'argo-server.js')} --config ${join(folder, 'argo-server.conf')}`], log);
  await until(() => existsSync(log) && readFileSync(log, 'utf8').includes('"msg":"listening"'), LONG, 'the site to listen').catch((error: unknown) => { throw new Error(`${String(error)}: ${readFileSync(log, 'utf8')}`); });
  const client = await connect(port, inner);
  t.teardown(() => client.destroy());
  const paris = async (line: string): Promise<string> => client.answer(line, LONG);
  t.equal(await paris(`auth admin ${PASSWORD}`), '');
  const f1 = fleet.front('f1');
  await fleet.isUp('f1', 'paris');
  await until(async () => await fleet.count('f1', 'paris.*/*') === 3, LONG, 'its machines');
  t.equal(await f1.ask('reboot paris.kvm1/web1'), '');

  const other = await f1.logIn();
  const answer = other.answer('reboot paris.kvm1/slow1 --timeout=10', LONG);
  await until(async () => (await paris('task')).includes('kvm1/slow1'), LONG, 'an order to be under way');
  const ports = fleet.nats.servers.map(({ ports: { client: one } }) => one).join(',');
  await inside('iptables', '-A', 'OUTPUT', '-p', 'tcp', '-m', 'multiport', '--dports', ports, '-j', 'DROP');
  await inside('iptables', '-A', 'INPUT', '-p', 'tcp', '-m', 'multiport', '--sports', ports, '-j', 'DROP');
  const lost = await f1.logIn();
  const inFlight = lost.answer('reboot paris.kvm1/web1 --timeout=4', LONG);
  await fleet.isAway('f1', 'paris');
  const began = performance.now();
  t.match(await f1.ask('reboot paris.kvm1/web2'), /^400 UNREACHABLE: /);
  t.ok(performance.now() - began < 1000, 'told at once');
  t.equal(await f1.ask('reboot berlin.kvm1/web1'), '', 'the other site is ordered as ever');
  t.equal(await paris('reboot kvm1/web2'), '', 'its own people work on');
  t.match(await answer, /^400 UNCERTAIN: /, 'what was begun');
  t.match(await inFlight, /^400 (?:UNCERTAIN|UNREACHABLE)/, 'what was on its way');
  t.equal(machines.acts('slow1'), 'r');
  t.equal(machines.acts('web1'), 'r');
  await until(() => performance.now() - began > SEND_TIMEOUT, LONG, 'what was on its way to be too old');
  await inside('iptables', '-F');
  await fleet.isUp('f1', 'paris');
  t.equal(machines.acts('web1'), 'r', 'nothing comes through late');
  // the bus may yet end the old connection, of which it has heard nothing for so long, under the first order
  const answers: string[] = [];
  await until(async () => answers.push(await f1.ask('reboot paris.kvm1/web1')) > 0 && answers.at(-1) === '', LONG, 'orders to come through again');
  for (const one of answers.slice(0, -1)) t.match(one, /^400 (?:UNCERTAIN|UNREACHABLE): /);
  const uncertain = answers.filter((one) => one.startsWith('400 UNCERTAIN')).length;
  t.ok(machines.count('web1', 'r') >= 2 && machines.count('web1', 'r') <= 2 + uncertain, machines.acts('web1'));
  t.equal(machines.acts('web2'), 'r');
});
