import t from 'tap';
import { findMachine, soon } from '../drivers/driving.js';
import { setUp } from '../drivers/xenserver/open-driver.js';
import { SCREEN_PROGRAMS, startScreen, takePicture } from '../peers/screen.js';
import { XapiPeer } from '../peers/xapi.js';
import { lacks } from '../support/peers.js';
import { runProgram } from '../support/programs.js';

/** Our double of XenAPI, seen by clients that others wrote: what it says is what they expect. */

/** Debian's own: only it has Debian's modules. */
const PYTHON = '/usr/bin/python3';

void t.test('fence_xenapi of fence-agents, over XML-RPC', { skip: lacks('fence_xenapi'), timeout: 120_000 }, async (t) => {
  const peer = await XapiPeer.start({ vms: ['web1', 'db1'] });
  t.teardown(() => peer.stop());
  const fence = (...args: string[]) => runProgram('fence_xenapi', ['-s', peer.url(), '-l', 'root', '-p', 'pw', ...args]);
  const listed = await fence('-o', 'list');
  t.equal(listed.code, 0, listed.stderr);
  const names = listed.stdout.trim().split('\n').map((line) => line.split(',')[1]);
  t.same(names.filter((name) => ['web1', 'db1'].includes(name ?? '')).sort(), ['db1', 'web1']);
  t.notMatch(listed.stdout, /Control domain|Bookworm/);
  t.match(await fence('-o', 'status', '-n', 'web1'), { code: 2, stdout: /OFF/ });
  t.match(await fence('-o', 'on', '-n', 'web1'), { code: 0 });
  t.equal(peer.world.state('web1'), 'Running');
  t.match(await fence('-o', 'status', '-n', 'web1'), { code: 0, stdout: /ON/ });
  t.match(await fence('-o', 'reboot', '-n', 'web1'), { code: 0 });
  t.equal(peer.world.state('web1'), 'Running');
  t.match(await fence('-o', 'off', '-n', 'web1'), { code: 0 });
  t.equal(peer.world.state('web1'), 'Halted');
  t.match(await runProgram('fence_xenapi', ['-s', peer.url(), '-l', 'root', '-p', 'wrong', '-o', 'list']), { code: 1, stdout: /SESSION_AUTHENTICATION_FAILED/ });
});

const SCRIPT = `
import sys
from os_xenapi.client import XenAPI
session = XenAPI.Session(sys.argv[1])
session.login_with_password('root', 'pw')
print(session.API_version)
x = session.xenapi
vm = x.VM.get_by_name_label('web1')[0]
record = x.VM.get_record(vm)
print(record['power_state'], record['domid'], record['is_a_template'], record['metrics'].startswith('OpaqueRef:'))
task = x.Async.VM.start(vm, False, False)
while x.task.get_status(task) == 'pending': pass
print(x.task.get_status(task), x.VM.get_power_state(vm))
x.task.destroy(task)
print(sorted(x.VM.get_all_records().keys()) == sorted(x.VM.get_all()))
answer = session.xenapi_request('event.from', (['vm'], '', 1.0))
print(answer['token'].endswith(',0'), answer['events'][0]['class'], answer['valid_ref_counts']['vm'])
for call, args in ((x.VM.unpause, (vm,)), (x.VM.get_record, ('OpaqueRef:no',)), (x.VM.get_by_uuid, ('no',)), (x.VM.fly, (vm,)), (x.host.shutdown, (x.host.get_all()[0],)), (x.VM.start, (vm,))):
    try:
        call(*args)
    except XenAPI.Failure as failure:
        print(' '.join(failure.details).replace(vm, 'VM').replace(x.host.get_all()[0], 'HOST'))
session.xenapi.session.logout()
`;

void t.test('XenAPI.py of python3-os-xenapi', { skip: lacks('python3'), timeout: 60_000 }, async (t) => {
  const peer = await XapiPeer.start({ vms: ['web1'] });
  t.teardown(() => peer.stop());
  const { code, stdout, stderr } = await runProgram(PYTHON, ['-c', SCRIPT, peer.url()]);
  t.equal(code, 0, stderr);
  t.equal(stdout, `2.21
Halted -1 False True
success Running
True
True vm ${peer.world.table('VM').size}
VM_BAD_POWER_STATE VM paused running
HANDLE_INVALID VM OpaqueRef:no
UUID_INVALID VM no
MESSAGE_METHOD_UNKNOWN VM.fly
HOST_NOT_DISABLED
MESSAGE_PARAMETER_COUNT_MISMATCH VM.start 3 1
`);
  t.equal(peer.sessions.size, 0, 'logged out');
});

const NODE_SCRIPT = `
import { Xapi } from 'xen-api';
const [, url, transport] = process.argv;
const xapi = new Xapi({ url, auth: { user: 'root', password: 'pw' }, watchEvents: ['VM', 'task'], callTimeout: 5000, allowUnauthorized: true, transport });
await xapi.connect();
await xapi.objectsFetched;
const vm = Object.values(xapi.objects.all).find((object) => object.name_label === 'web1');
await xapi.callAsync('VM.start', vm.$ref, false, false);
console.log(await xapi.call('VM.get_power_state', vm.$ref));
const refused = await xapi.callAsync('VM.unpause', vm.$ref).catch((error) => [error.code, ...error.params.slice(1)]);
console.log(refused.join(' '));
await xapi.disconnect();
process.exit(0);
`;

for (const transport of ['json-rpc', 'xml-rpc']) {
  void t.test(`npm xen-api, with its own events and object cache, over ${transport} in TLS`, { skip: lacks('openssl'), timeout: 60_000 }, async (t) => {
    const peer = await XapiPeer.start({ vms: ['web1'], tls: true });
    t.teardown(() => peer.stop());
    const { code, stdout, stderr } = await runProgram(process.execPath, ['--input-type=module', '-e', NODE_SCRIPT, peer.url(), transport]);
    t.equal(code, 0, stderr);
    t.equal(stdout, 'Running\nVM_BAD_POWER_STATE paused running\n');
  });
}

void t.test('consoles: curl at the double\'s door, and through ours QEMU\'s screen in a viewer', { skip: lacks('curl', ...SCREEN_PROGRAMS), timeout: 120_000 }, async (t) => {
  const { peer, driver } = await setUp(t, { vms: ['web1'] });
  const screen = await startScreen();
  t.teardown(() => screen.stop());
  peer.behind.set('rfb', { host: '127.0.0.1', port: screen.port });
  const web = await findMachine(driver, 'web1');
  await web.start!(soon());
  const [session = ''] = peer.sessions;
  const [rfb = ''] = peer.world.get('VM', peer.world.vm('web1')).consoles as string[];
  const target = new URL(String(peer.world.get('console', rfb).location));
  const ask = (...args: string[]) => runProgram('curl', ['-s', '-i', '-N', '-0', '-X', 'CONNECT', '--request-target', target.pathname + target.search, '--max-time', '3', ...args, peer.url()]);
  t.match((await ask('-b', `session_id=${session}`)).stdout, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nRFB 003\.008\n/);
  t.match((await ask('-b', 'session_id=OpaqueRef:none')).stdout, /^HTTP\/1\.1 401 /);
  const picture = await takePicture((await web.console!.vnc!({ signal: soon() })).stream);
  t.equal(picture.readUInt16BE(0), 0xffd8, 'a JPEG');
  t.ok(picture.length > 1000, `of ${picture.length} bytes`);
});
