import { join } from 'node:path';
import { hash } from 'bcrypt';
import t from 'tap';
import { BCRYPT_COST } from '../../src/kit/limits.js';
import { connect } from '../support/line-client.js';
import { lacks } from '../support/peers.js';
import { runProgram } from '../support/programs.js';
import { Ansible, ANSIBLE_PROGRAMS, PLAYER, serverOf, type Result, type Told } from './support/ansible.js';
import { PASSWORD, selfSigned, startIntegrated } from './support/integrations.js';

const skip = lacks(...ANSIBLE_PROGRAMS, 'openssl');
const WRONG = 'wr0ng-se-cret';

const TABLES = `
[groups]
web = ["web[1-2]"]
[providers.demo]
type = "sim"
instances = ["lj", { name = "test", state = "off" }, "dev", "broken", "hung", { name = "kept", state = "suspended" }]
faults = { dev = "deaf", broken = "error", hung = "hang" }
[providers.lab]
type = "sim"
instances = ["web1", "web2", "mail server", { name = "test", state = "off" }, "odd[1]", "{{ 7 * 7 }}", "localhost", "up/../../x", "-oProxyCommand=x", "lj,web1", "['web1', 'web2']", "argo_state_off", "all"]
[providers.plain]
type = "markless"
`;

/** A host that nothing tells one boot of from the next; one that was told to restart does not come back. */
const MARKLESS = `
const machine = { id: 'box', name: 'box', type: 'host', state: 'on', status: async () => machine.state, reboot: async () => { machine.state = 'off'; } };
export default {
  kind: 'driver', options: {},
  open: () => ({ list: async () => [{ machine, state: machine.state }], close: async () => undefined }),
};
`;

/** Of each machine, what a key says. */
const each = <Key extends keyof Told>({ instances }: Result, key: Key): Record<string, Told[Key]> =>
  Object.fromEntries(instances!.map((one) => [one.name, one[key]]));

await t.test('modules and inventory with a server', { skip }, async (t) => {
  const ansible = await Ansible.install(t);
  const { cert, files } = await selfSigned(t);
  const digest = (await runProgram('openssl', ['x509', '-in', cert, '-noout', '-fingerprint', '-sha256'])).stdout.trim().split('=')[1]!;
  const reader = `[accounts.reader]\npassword = "${await hash(PASSWORD, BCRYPT_COST)}"\ngrants = [{ instances = ["web*"], commands = ["read"] }]\n`;
  const tls = 'plugin-path = ["plugins"]\ntls-listen = ["127.0.0.1:0"]\ntls-cert = "cert.pem"\ntls-key = "key.pem"';
  const daemon = await startIntegrated(t, PLAYER, `${reader}${TABLES}`, tls, { ...files, 'plugins/markless.mjs': MARKLESS });
  const server = serverOf(daemon);
  const secure = { server: `127.0.0.1:${daemon.ports[1]}` };
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  await client.ask(`auth ${PLAYER.name} ${PASSWORD}`);
  await client.ask('tag add lj web1 "rack 7"');
  const states = async (names: string): Promise<string[]> => (await client.ask(`status ${names}`)).body.toSorted();

  await t.test('changed is what was switched', async (t) => {
    const { results: [planned, asked, stopped, again, started, restarted, twice, saved, back, accepted, nothing, literal] } = await ansible.play(server, [
      ['power', { name: ['lj', '@web', 'demo/test'], state: 'stopped' }, { check_mode: true, diff: true }],
      ['info', { name: ['lj', 'web[1-2]'], facts: false }],
      ['power', { name: ['lj', '@web', 'demo/test'], state: 'stopped' }],
      ['power', { name: ['lj', '@web', 'demo/test'], state: 'stopped' }],
      ['power', { name: ['web[1-9]'], state: 'started' }],
      ['power', { name: ['web1', 'mail server'], state: 'restarted' }],
      ['power', { name: 'web1', state: 'restarted', force: true }],
      ['power', { name: '@tag:"rack 7"', state: 'suspended' }, { check_mode: true }],
      ['power', { name: ['kept'], state: 'started' }],
      ['power', { name: ['web2'], state: 'paused', wait: false }],
      ['power', { name: [], state: 'stopped' }],
      ['power', { name: ['odd[1]'], exact: true, state: 'stopped' }],
    ]);
    t.match(planned, { changed: true, diff: { prepared: 'lj: clean shutdown (it is on)\nweb1: clean shutdown (it is on)\nweb2: clean shutdown (it is on)\n' } });
    t.same(each(planned!, 'changed'), { 'demo/test': false, lj: true, web1: true, web2: true });
    t.same(each(asked!, 'state'), { lj: 'on', web1: 'on', web2: 'on' }, 'check mode changes nothing');
    t.same(each(stopped!, 'changed'), each(planned!, 'changed'));
    t.match(again, { changed: false, failed: false });
    t.notOk('diff' in again!);
    t.same(each(started!, 'changed'), { web1: true, web2: true });
    t.same([restarted!.changed, twice!.changed], [true, true]);
    t.match(saved, { failed: true, msg: '1 of 2: lj: WRONG STATE: lj is off' });
    t.same(each(back!, 'before'), { kept: 'suspended' });
    t.match(accepted, { changed: true, failed: false });
    t.match(nothing, { changed: false, instances: [] });
    t.match(literal, { changed: true, instances: [{ name: 'odd[1]' }] });
    t.same(await states('lj web1 web2 kept "odd[1]" "mail server"'), ['kept: on', 'lj: off', 'mail server: on', 'odd[1]: off', 'web1: on', 'web2: paused']);
  });

  await t.test('what fails is told of each machine, and what is not known is not changed', async (t) => {
    const { results: [mixed, deaf, hung, off, nobody, refused, unseen, none, info, unreachable, mistaken, both, never, ever] } = await ansible.play(server, [
      ['power', { name: ['kept', 'broken', 'demo/test'], state: 'stopped' }],
      ['power', { name: ['dev'], state: 'stopped', timeout: 1 }],
      ['power', { name: ['hung', 'dev'], state: 'stopped', force: true, timeout: 5 }],
      ['power', { name: ['demo/test'], state: 'restarted' }],
      ['power', { name: ['nobody'], state: 'started' }],
      ['power', { name: ['web1'], state: 'stopped', account: 'reader', password: PASSWORD, password_file: '{{ omit }}' }],
      ['info', { account: 'reader', password: PASSWORD, password_file: '{{ omit }}' }],
      ['info', { name: 'nothing*' }],
      ['info', { name: ['lj', 'broken'], timeout: 30 }],
      ['power', { name: 'lj', state: 'started', server: '127.0.0.1:1' }],
      ['power', { name: 'lj', state: 'started', clean: 5 }],
      ['info', { password: PASSWORD }],
      ['power', { name: ['web1'], state: 'stopped', timeout: 0 }, { check_mode: true }],
      ['power', { name: ['web1'], state: 'stopped', connect_timeout: -1 }, { check_mode: true }],
    ]);
    t.match(mixed, { failed: true, changed: true, msg: '1 of 3: broken: FAILED: simulated fault' });
    t.same(each(mixed!, 'changed'), { broken: false, 'demo/test': false, kept: true });
    t.match(deaf, { failed: true, changed: false, instances: [{ phrase: 'TIMEOUT', uncertain: true }] });
    t.same(each(hung!, 'changed'), { dev: true, hung: false });
    t.same(each(hung!, 'uncertain'), { dev: false, hung: true });
    t.match(off, { failed: true, changed: false, msg: '1 of 1: demo/test: WRONG STATE: test is off' });
    t.match(nobody, { failed: true, changed: false, phrase: 'NO SUCH INSTANCE' });
    t.match(refused, { failed: true, changed: false, phrase: 'NOT ALLOWED' });
    t.same(unseen!.instances!.map(({ name }) => name), ['web1', 'web2'], 'what it may not see is not there');
    t.match(none, { failed: false, instances: [], warnings: [/NO MATCH/] });
    t.match(info, { changed: false, instances: [{ name: 'broken', state: 'unknown', error: /simulated fault/ }, { name: 'lj', state: 'off', tags: ['rack 7'], provider: 'demo', cpus: 1 }] });
    t.match(unreachable, { failed: true, changed: false, phrase: 'UNREACHABLE' });
    t.match(mistaken, { failed: true, msg: /clean is for/ });
    t.match(both, { failed: true, msg: /mutually exclusive/ });
    t.match(never, { failed: true, phrase: 'BAD REQUEST', msg: /a time is more than 0, and 86400 seconds at most/ }, 'check mode finds what would be refused');
    t.match(ever, { failed: true, msg: /connect_timeout is more than 0/ });
    t.same(await states('kept dev web1'), ['dev: off', 'kept: off', 'web1: on']);
  });

  await t.test('with TLS, and a password that nobody else sees', async (t) => {
    const given = { account: PLAYER.name, password: PASSWORD };
    const { results, stdout, stderr } = await ansible.play(given, [
      ['info', { ...secure, name: 'web1', ca_file: cert }],
      ['info', { ...secure, name: 'web1', fingerprint: digest }],
      ['info', { ...secure, name: 'web1', fingerprint: 'ab'.repeat(32) }],
      ['info', { ...secure, name: 'web1', tls: true }],
      ['power', { ...secure, name: 'web1', state: 'stopped', ca_file: cert, password: WRONG }],
      ['power', { ...secure, name: 'web1', state: 'stopped', ca_file: '/nonexistent/ca.pem' }],
    ], ['-vvv']);
    t.same(results.map(({ failed, phrase }) => phrase ?? failed), [false, false, 'CERTIFICATE REJECTED', 'CERTIFICATE REJECTED', 'NOT AUTHENTICATED', true]);
    t.match(results[5]!.msg, '/nonexistent/ca.pem');
    t.match(stdout, 'module_args', 'it tells all that it may');
    t.notMatch(`${stdout}${stderr}`, new RegExp(`${PASSWORD}\\b|${WRONG}`));
    t.same(await states('web1'), ['on']);
  });

  await t.test('the inventory has what is off, too, unless it is told to skip it', async (t) => {
    await client.ask('stop demo/test dev lj kept --force');
    const { groups, stderr } = await ansible.inventory('all.argo.yml', {
      ...server, timeout: 5, compose: { ansible_host: 'argo_ips | first' }, groups: { small: 'argo_cpus < 2' }, keyed_groups: [{ key: 'argo_provider_type', prefix: 'by' }],
    });
    const hosts = (group: string): readonly string[] | undefined => groups[group]?.hosts?.toSorted();
    t.same(hosts('argo_provider_lab'), ['lab/test', 'mail server', 'odd[1]', 'web1', 'web2']);
    t.same(hosts('argo_state_off'), ['demo/test', 'dev', 'kept', 'lab/test', 'lj', 'odd[1]']);
    t.same(hosts('argo_state_unknown'), ['broken', 'hung']);
    t.same(hosts('argo_tag_rack_7'), ['lj', 'web1']);
    t.ok(hosts('by_sim')!.length === 11 && hosts('small')!.includes('web1') && hosts('argo_type_vm')!.length === 11);
    t.match(JSON.stringify(groups._meta.hostvars.web1), /"ansible_host":.*"192\.0\.2\.\d+"/);
    t.equal(stderr.match(/is\s+left\s+out/g)?.length, 8, 'names that are a template, this host, a way to other files, an option, a list, or a group');

    const few = await ansible.inventory('few.argo.yml', { ...server, name: ['web*', '@tag:"rack 7"', 'demo/test', 'broken'], skip_off: true, full_names: true });
    t.same(few.groups.argo_type_vm!.hosts!.toSorted(), ['demo/broken', 'lab/web1', 'lab/web2'], 'what is unknown is not off');
  });

  await t.test('a cached inventory asks nobody until it is told to', async (t) => {
    const cache = join(ansible.folder, 'cache');
    const env = { SECRET_OF_A_TEST: PASSWORD };
    const file = { server: `127.0.0.1:${daemon.port}`, account: PLAYER.name, password: "{{ lookup('env', 'SECRET_OF_A_TEST') }}", name: ['web1'], cache: true, cache_plugin: 'jsonfile', cache_connection: cache };
    const groupsOf = async (): Promise<string[]> => Object.keys((await ansible.inventory('cached.argo.yml', file, env)).groups).filter((name) => name.startsWith('argo_state'));
    t.same(await groupsOf(), ['argo_state_on']);
    await client.ask('stop web1 --force --wait');
    t.same(await groupsOf(), ['argo_state_on'], 'as it was');
    const listed = await ansible.run('ansible-playbook', ['-i', 'cached.argo.yml', '--flush-cache', '--list-hosts', ansible.write('off.yml', [{ hosts: 'argo_state_off' }])], env);
    t.match(listed.stdout, /^ +web1$/m);
    t.notMatch((await runProgram('grep', ['-r', PASSWORD, cache])).stdout, PASSWORD);

    const wrong = await ansible.inventory('wrong.argo.yml', { ...file, password: WRONG, cache: false }, {}, ['-vvv']);
    t.match(wrong.stderr, /NOT\s+AUTHENTICATED/);
    t.notMatch(`${wrong.stdout}${wrong.stderr}`, WRONG);

    const both = await ansible.inventory('both.argo.yml', { ...server, password: "{{ lookup('env', 'SECRET_OF_A_TEST') }}" }, env);
    t.match(both.stderr.replace(/\s+/g, ' '), 'parameters are mutually exclusive: password|password_file');
    t.notMatch(`${both.stdout}${both.stderr}`, PASSWORD);
    t.notOk(both.groups.argo_type_vm, 'as with the modules');
    const never = await ansible.inventory('never.argo.yml', { ...server, connect_timeout: 0 }, env);
    t.match(never.stderr.replace(/\s+/g, ' '), 'connect_timeout is more than 0');
  });

  await t.test('check mode refuses a restart that nobody could tell, as the order does', async (t) => {
    const restart = { name: ['box', 'web1'], state: 'restarted' };
    await client.ask('start web1 --wait');
    const { results: [planned, refused, hoped, untouched, accepted] } = await ansible.play(server, [
      ['power', restart, { check_mode: true }],
      ['power', { ...restart, name: ['box'] }],
      ['power', { ...restart, wait: false }, { check_mode: true }],
      ['info', { name: ['box', 'web1'], facts: false }],
      ['power', { ...restart, name: ['box'], wait: false }],
    ]);
    const why = { phrase: 'NOT SUPPORTED', detail: 'a reboot of box cannot be verified; leave out --wait' };
    t.match(planned, { failed: true, changed: true, msg: `1 of 2: box: ${why.phrase}: ${why.detail}` });
    t.same([each(planned!, 'changed'), each(planned!, 'uncertain')], [{ box: false, web1: true }, { box: false, web1: false }]);
    t.match(refused, { failed: true, changed: false, instances: [{ ...why, uncertain: false }] });
    t.same(each(hoped!, 'changed'), { box: true, web1: true }, 'where nobody waits it would be done');
    t.match(untouched, { instances: [{ name: 'box', state: 'on' }, { name: 'web1', state: 'on' }] }, 'nothing was ordered until now');
    t.match(accepted, { failed: false, changed: true });
    t.same(await states('box'), ['off'], 'and then it was');
  });
});
