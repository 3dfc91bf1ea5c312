import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { HOSTS_PROGRAMS, HostsPeer } from '../peers/hosts.js';
import { startDaemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { everything, LOGIN, omsTable } from '../support/oms/accounts.js';
import { OmsClient } from '../support/oms/client.js';
import { examplesIn } from '../support/oms/examples.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { readDocument, section } from '../docs/markdown.js';

/** A host with a real sshd comes and goes by OMS' FuncService, as docs/gateways/oms.md prints it. */

const WITHIN = 60_000;
const NAME = 'funcclient';

await t.test('a host is signed and removed', { skip: lacksRoot(...HOSTS_PROGRAMS), timeout: 240_000 }, async (t) => {
  const peer = await HostsPeer.start({ count: 1 });
  t.teardown(() => peer.stop());
  const home = peer.openHome();
  const folder = mkdtempSync(join(tmpdir(), 'argo-oms-enrol-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const { table } = await omsTable();
  const daemon = await startDaemon({ config: `${await everything()}[enrolment]\nuser = "argo-free"\n${table}`, folder, listeners: 2 });
  t.teardown(() => daemon.stop());
  const line = await connect(daemon.port);
  t.teardown(() => line.destroy());
  await line.ask(`auth ${LOGIN.name} ${LOGIN.password}`);
  t.match(await line.ask(`enrol add ${peer.hosts[0]!.address} ${NAME}`, WITHIN), { code: 300 });
  const { body: [key = ''] } = await line.ask('enrol key');
  const keys = join(home, '.ssh', 'authorized_keys');
  mkdirSync(join(home, '.ssh'), { recursive: true });
  writeFileSync(keys, `${key}\n`);
  // the user's own, who is not us
  chmodSync(join(home, '.ssh'), 0o777);
  chmodSync(keys, 0o666);
  const client = new OmsClient(daemon.ports[1]!);
  await client.login(LOGIN.name, LOGIN.password);
  for (const { method, params, answer } of examplesIn(section(readDocument('docs/gateways/oms.md'), '### FuncService'), ['enrolment'])) {
    const call = async (): Promise<unknown> => {
      const { error, result } = await client.call('funcservices', method, JSON.parse(params.replaceAll('"SESSID"', JSON.stringify(client.sessid))) as unknown[]);
      return error === null ? result : { error };
    };
    // a provider that has just come may not have answered yet
    if (method === 'list_signed') await until(async () => JSON.stringify(await call()) === JSON.stringify(JSON.parse(answer)), WITHIN, answer);
    t.same(await call(), JSON.parse(answer), `${method} ${params}`);
  }
  t.equal(readFileSync(keys, 'utf8').trim(), '', 'our key is gone from the host');
});

await t.test('a host that is two providers is removed with both, and said to be managed still where one stays', { skip: lacksRoot(...HOSTS_PROGRAMS), timeout: 240_000 }, async (t) => {
  const peer = await HostsPeer.start({ count: 1 });
  t.teardown(() => peer.stop());
  const home = peer.openHome();
  const folder = mkdtempSync(join(tmpdir(), 'argo-oms-enrol-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const hosts = 'hosts = { node1 = { kvm = "node1-kvm", ovz = "node1-lxc" }, node2 = { kvm = "node2-kvm", ovz = "node2-lxc" } }';
  const { table } = await omsTable();
  const byHand = '[providers.node2-lxc]\ntype = "sim"\ninstances = ["ct1"]\n';
  const daemon = await startDaemon({ config: `${await everything()}[enrolment]\nuser = "argo-free"\n${table.replace(/^hosts = .*$/m, hosts)}${byHand}`, folder, listeners: 2 });
  t.teardown(() => daemon.stop());
  const line = await connect(daemon.port);
  t.teardown(() => line.destroy());
  await line.ask(`auth ${LOGIN.name} ${LOGIN.password}`);
  const { body: [key = ''] } = await line.ask('enrol key');
  const keys = join(home, '.ssh', 'authorized_keys');
  mkdirSync(join(home, '.ssh'), { recursive: true });
  writeFileSync(keys, '');
  chmodSync(join(home, '.ssh'), 0o777);
  chmodSync(keys, 0o666);
  const letIn = async (...names: readonly string[]): Promise<void> => {
    writeFileSync(keys, `${key}\n`);
    for (const name of names) {
      t.match(await line.ask(`enrol add ${peer.hosts[0]!.address} ${name}`, WITHIN), { code: 300 });
      t.match(await line.ask(`enrol approve ${name}`, WITHIN), { code: 300 }, name);
    }
  };
  const client = new OmsClient(daemon.ports[1]!);
  await client.login(LOGIN.name, LOGIN.password);
  await letIn('node1-kvm', 'node1-lxc');
  t.same(await client.result('funcservices', 'remove_signed', ['node1']), { failed_removals: [] });
  t.same((await line.ask('enrol list')).body, []);
  t.equal(readFileSync(keys, 'utf8').trim(), '', 'our key is gone from the host');
  await t.rejects(client.result('funcservices', 'remove_signed', ['node1']), { message: /UnknownRemoveSignedError/ });
  await letIn('node2-kvm');
  t.same(await client.result('funcservices', 'remove_signed', ['node2']), { failed_removals: ['node2'] }, 'what somebody has configured by hand is managed still');
  t.same((await line.ask('enrol list')).body, []);
  t.equal(readFileSync(keys, 'utf8').trim(), '');
});
