import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { must } from '../../peers/enclosure.js';
import { LIBVIRT_PROGRAMS } from '../../peers/libvirt.js';
import { lacksRoot } from '../../support/peers.js';
import { until } from '../../support/until.js';
import { leftovers, MIB, putLarge } from './templates.js';
import { templatesWorld, type TemplatesWorld as World, type Way } from './templates-daemon.js';

/** Templates of a real libvirt by the line protocol and by OMS' calls, through the whole daemon, here and over SSH; judged by virsh and qemu-img. */

export const options = { skip: lacksRoot(...LIBVIRT_PROGRAMS, 'sudo'), timeout: 170_000 };
const WAIT_MS = 60_000;
const SECRET = 'gr\u00fcn: & "$(id)"';

const imageInfo = async (file: string): Promise<unknown> => JSON.parse(await must('qemu-img', ['info', '-U', '--output=json', file]));

async function machines(t: Test, { say, done, virsh, folder, pool }: World): Promise<void> {
  t.equal(await say('template list funcclient'), 'tiny vm', 'that of a container is not its');
  t.match(await say('template show funcclient tiny'), /^name: tiny\ntype: vm\narch: x86_64\nvcpus: 1 [^]*^memory: 67108864 [^]*^file: tiny1\.img qcow2 1048576 /m);
  t.match(await say('template deploy funcclient tiny web1 memory=128M --dry-run'), /web1/);
  t.equal(await virsh('list', '--all', '--name'), '', 'which only says so');
  const [task = ''] = await done('template deploy funcclient tiny web1 memory=128M');
  t.match(task, /^task [\da-f-]{36}$/);
  t.match(await say(`task ${task.slice(5)}`), /^command: template\.deploy$[^]*^state: done$/m);
  t.match(await virsh('dominfo', 'web1'), /State:\s+shut off[^]*Max memory:\s+131072 KiB/);
  t.match(await virsh('domblklist', '--details', 'web1'), `${pool}/web1-1.qcow2`);
  t.match(await imageInfo(join(pool, 'web1-1.qcow2')), { format: 'qcow2', 'virtual-size': Number(MIB) });
  await done('start funcclient/web1 --wait');
  t.equal(await virsh('domstate', 'web1'), 'running');
  t.match(await say('template create funcclient/web1 again'), /^400 WRONG STATE: it is on, and must be off$/m);
  await done('stop funcclient/web1 --force --wait');
  t.match(await say('template create funcclient/web1 again --dry-run'), /again1\.qcow2/);
  await done('template create funcclient/web1 again vcpus=2');
  t.same(readdirSync(join(folder, 'again')).sort(), ['again.ovf', 'again1.qcow2']);
  await done('template deploy funcclient again web2');
  t.match(await virsh('dominfo', 'web2'), /CPU\(s\):\s+2[^]*Max memory:\s+131072 KiB/);
  await must('qemu-img', ['compare', join(pool, 'web1-1.qcow2'), join(pool, 'web2-1.qcow2')]);
  for (const [request, expected] of [
    ['template deploy funcclient again web1', /^400 WRONG STATE: there is a machine web1 already$/m],
    ['template deploy funcclient none web3', /^400 WRONG STATE: there is no template none$/m],
    ['template deploy funcclient ../tiny web3', /^400 BAD REQUEST/],
    ['template deploy funcclient tiny -rf', /^400 (?:BAD REQUEST|USAGE)/],
    ['template deploy funcclient tiny "$(id)"', /^400 BAD REQUEST/],
    ['template deploy funcclient tiny web3 vcpus=1000 memory=1M address=192.0.2.1', /^400 BAD REQUEST: (?=.*\bvcpus: )(?=.*\bmemory: )(?=.*\baddress: )/m],
    ['template create funcclient/web1 again', /^400 WRONG STATE: there is a template again already$/m],
    ['template deploy funcclient box web3', /^400 FAILED: .*template of containers/m],
  ] as const) t.match(await say(request), expected, request);
  t.equal(await virsh('list', '--all', '--name'), 'web1\nweb2');
  await done('machine delete funcclient/web2 --force --disks');
  t.notOk(existsSync(join(pool, 'web2-1.qcow2')));
  await done('template delete funcclient again');
  t.equal(await say('template list funcclient'), 'tiny vm');
  t.notOk(existsSync(join(folder, 'again')));
}

/** The root of a container that was made here. */
const rootOf = ({ containers }: World, name: string): string => join(containers, readdirSync(containers).find((each) => each.startsWith(`${name}-`)) ?? 'none');

async function boxes(t: Test, world: World): Promise<void> {
  const { say, done, virshLxc, folder } = world;
  t.equal(await say('template list lxc'), 'box container');
  await done('template deploy lxc box c1 nameserver=192.0.2.53 search-domain=example.org');
  t.match(await virshLxc('dominfo', 'c1'), /State:\s+shut off/);
  t.equal(readFileSync(join(rootOf(world, 'c1'), 'etc', 'resolv.conf'), 'utf8'), 'nameserver 192.0.2.53\nsearch example.org\n');
  t.equal(statSync(world.containers).mode & 0o777, 0o700, 'nobody else looks in');
  await done('start lxc/c1 --wait');
  t.equal(await virshLxc('domstate', 'c1'), 'running');
  await done('stop lxc/c1 --force --wait');
  await done('template create lxc/c1 pack');
  t.same(readdirSync(join(folder, 'pack')).sort(), ['pack.ovf', 'pack.tar.gz']);
  await done('template deploy lxc pack c2');
  t.equal(readFileSync(join(rootOf(world, 'c2'), 'etc', 'resolv.conf'), 'utf8'), 'nameserver 192.0.2.53\nsearch example.org\n');
  const root = rootOf(world, 'c2');
  await done('machine delete lxc/c2 --force --disks');
  t.notOk(existsSync(root));
  await done('template delete lxc pack');
}

async function byOms(t: Test, world: World): Promise<void> {
  const { oms, virsh, virshLxc, pool, folder, way } = world;
  // by its socket this machine is the host, with its own bridges
  const nic = way === 'here' ? {} : { interface: { type: 'bridge', source_bridge: 'virbr-argo' } };
  const ask = async (service: 'kvmservices' | 'ovzservices', method: string, ...params: readonly unknown[]): Promise<unknown> => {
    const { client, result } = await oms.result(service, method, 'funcclient', ...params) as { readonly client: string; readonly result: unknown };
    t.equal(client, 'funcclient');
    return result;
  };
  t.same(await ask('kvmservices', 'list_templates'), ['tiny']);
  t.same(await ask('ovzservices', 'list_templates'), ['box']);
  t.match(await ask('kvmservices', 'parse_template_for_vm', 'tiny', 'mail1'), {
    template_name: 'tiny', vm_name: 'mail1', domain_type: 'kvm', memory: '64', vcpu: '1', virt_type: 'hvm', arch: 'x86_64',
    disks: [{ template_name: 'tiny1.img', template_format: 'qcow2', template_capacity: String(MIB), deploy_type: 'file', type: 'file', device: 'disk' }],
  });
  t.match(await ask('kvmservices', 'deploy_template_for_vm', 'tiny', 'mail1', { vcpu: '1000', interface: { type: 'bridge', source_bridge: 'none0' } }), { vcpu: /between|only|must/, interface: /no bridge none0/ });
  t.same(await ask('kvmservices', 'deploy_template_for_vm', 'tiny', 'mail1', { memory: '96', ...nic }), {});
  t.match(await virsh('dominfo', 'mail1'), /Max memory:\s+98304 KiB/);
  t.match(await virsh('domiflist', 'mail1'), way === 'here' ? '' : /bridge +virbr-argo/);
  t.match(await imageInfo(join(pool, 'mail1-1.qcow2')), { format: 'qcow2', 'virtual-size': Number(MIB) });
  t.match(await ask('kvmservices', 'parse_vm_for_template', 'mail1', 'copy'), {
    template_name: 'copy', vm_name: 'mail1', memory: '96', disks: [{ filename: 'copy1.qcow2', disk_path: join(pool, 'mail1-1.qcow2'), disk_capacity: String(MIB) }],
  });
  t.same(await ask('kvmservices', 'create_template_from_vm', 'mail1', 'copy', {}), {});
  t.same(await ask('kvmservices', 'list_templates'), ['copy', 'tiny']);
  t.match(await imageInfo(join(folder, 'copy', 'copy1.qcow2')), { format: 'qcow2', 'virtual-size': Number(MIB) });
  t.match(await oms.ask('kvmservices', 'create_template_from_vm', 'funcclient', 'mail1', 'copy', {}), { error: { message: /already/ } });
  t.match(await oms.ask('kvmservices', 'create_template_from_vm', 'funcclient', 'mail1', '../copy', {}), { error: { origin: 1, code: 5 } });

  t.same(await ask('ovzservices', 'deploy_template_for_vm', 'box', 'shop', { passwd: SECRET, nameserver: '192.0.2.53' }), {});
  t.equal(await virshLxc('domstate', 'shop'), 'shut off');
  const [, hash = ''] = /^root:([^:]+):/m.exec(readFileSync(join(rootOf(world, 'shop'), 'etc', 'shadow'), 'utf8')) ?? [];
  t.equal(execFileSync('openssl', ['passwd', '-6', '-salt', hash.split('$')[2] ?? 'none', '-stdin'], { input: `${SECRET}\n`, encoding: 'utf8' }).trim(), hash, 'the password is set');
  t.match(await ask('ovzservices', 'parse_vm_for_template', 'shop', 'shopbox'), { template_name: 'shopbox', vm_id: 'shop', domain_type: 'openvz' });
  t.same(await ask('ovzservices', 'create_template_from_vm', 'shop', 'shopbox', {}), {});
  t.same(await ask('ovzservices', 'list_templates'), ['box', 'shopbox']);
}

/** The account's processes over there end with it, and nothing of what it made stays. */
async function cancelled(t: Test, world: World): Promise<void> {
  const { peer, say, aside, virsh, pool } = world;
  await putLarge(world, 'large', 300);
  const asked = say('template deploy funcclient large big');
  let task = '';
  await until(async () => {
    [, task = ''] = /^([\da-f-]{36}) .*template\.deploy/m.exec(await aside('task')) ?? [];
    return task !== '' && readdirSync(pool).some((name) => name.startsWith('big'));
  }, WAIT_MS, 'its disk to be begun');
  await aside(`task cancel ${task}`);
  t.match(await asked, /^task [^]*^400 BUSY: it was cancelled; nothing of it is left$/m);
  t.match(await say(`task ${task}`), /^state: cancelled$/m);
  t.notMatch(await virsh('list', '--all', '--name'), /big/);
  await until(async () => !readdirSync(pool).some((name) => name.startsWith('big')), WAIT_MS, 'nothing half made to be left');
  await until(async () => (await peer.inside('pgrep', '-x', 'qemu-img')).code === 1, WAIT_MS, 'qemu-img to end there');
}

/** All of it, by one way. */
export async function testTemplates(t: Test, way: Way): Promise<void> {
  const world = await templatesWorld(t, way);
  await t.test('virtual machines', (t) => machines(t, world));
  if (way !== 'root') await t.test('containers', (t) => boxes(t, world));
  if (way !== 'sudo') await t.test('by OMS', (t) => byOms(t, world));
  await t.test('one that is cancelled', (t) => cancelled(t, world));
  t.same(leftovers(world), []);
  t.notMatch(world.daemon.stderr(), 'gr\u00fcn');
  t.notMatch(world.daemon.stderr(), /"level":"error"/);
}
