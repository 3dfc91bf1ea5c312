import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { writeIso } from '../peers/iso-image.js';
import { defineKeys } from '../peers/keys-guest.js';
import { LIBVIRT_PROGRAMS, startLibvirt, type LibvirtPeer } from '../peers/libvirt.js';
import { startDaemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { everything, LOGIN, omsTable } from '../support/oms/accounts.js';
import { OmsClient, send, type RpcAnswer } from '../support/oms/client.js';
import { lacksRoot } from '../support/peers.js';
import { listens } from '../support/ports.js';
import { until } from '../support/until.js';

/** What people did with an OMS, done with a real libvirtd; judged by virsh, qemu-img, ip and the host's own files. */

const options = { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 240_000 };
const WAIT_MS = 60_000;
const HOST = 'funcclient';
const MIB = 1024 * 1024;
const run = promisify(execFile);

interface Listed {
  readonly id: string;
  readonly status: number | null;
  readonly tags: readonly { readonly tag: string; readonly level: number }[];
  readonly stats: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** Fails where the answer is an error. @returns what a host has answered */
function ofClient({ error, result }: RpcAnswer): unknown {
  if (error !== null) throw new Error(error.message);
  const { client, result: inner } = result!.result as { readonly client: string; readonly result: unknown };
  if (client !== HOST) throw new Error(`of ${client}`);
  return inner;
}

async function setUp(t: Test) {
  const peer = await startLibvirt();
  t.teardown(() => peer.stop());
  const folder = await peer.startPool('default');
  writeIso(join(folder, 'disc.iso'));
  await defineKeys(peer, 'keys');
  await peer.defineDom('dom');
  await peer.defineTiny('tiny');
  await peer.defineContainer('web');
  const { table, vnc } = await omsTable('legacy-get = true\nstop-timeout = "3s"');
  const provider = (name: string, driver: 'qemu' | 'lxc'): string => `[providers.${name}]\ntype = "libvirt"\nuri = "${driver}:///system?socket=${peer.socket}"\n`;
  const daemon = await startDaemon({ listeners: 2, config: await everything() + table + provider(HOST, 'qemu') + provider('lxc', 'lxc') });
  t.teardown(() => daemon.stop());
  const oms = new OmsClient(daemon.ports[1]!);
  const ask = async (service: string, method: string, ...params: readonly unknown[]): Promise<unknown> =>
    ofClient(await oms.ask(service, method, HOST, ...params));
  const list = async (service: string, ...statistics: readonly string[]): Promise<Readonly<Record<string, Listed>>> =>
    Object.fromEntries((await ask(service, 'list_vms', ...statistics) as readonly Listed[]).map((one) => [one.id, one]));
  return { peer, folder, daemon, oms, vnc, ask, list, virsh: virshOf(peer, 'qemu'), virshLxc: virshOf(peer, 'lxc') };
}

/** What virsh says, which must not fail. */
const virshOf = (peer: LibvirtPeer, driver: 'qemu' | 'lxc') => async (...args: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await peer.virsh('-c', peer.uri(driver), ...args);
  if (code !== 0) throw new Error(`virsh ${args.join(' ')}: ${stderr}`);
  return stdout.trim();
};

type World = Awaited<ReturnType<typeof setUp>>;

/** A line of virsh's tables, `Used memory: 376 KiB`, without its unit. */
const figure = (text: string, label: string): number => Number(new RegExp(`^ *${label}[:=] *(\\d+)`, 'm').exec(text)?.[1]);

async function imageInfo(peer: LibvirtPeer, file: string): Promise<{ readonly format: string; readonly 'virtual-size': number; readonly 'actual-size': number }> {
  const { stdout } = await peer.inside('qemu-img', 'info', '-U', '--output=json', file);
  return JSON.parse(stdout) as Awaited<ReturnType<typeof imageInfo>>;
}

await t.test('OMS with libvirt', options, async (t) => {
  const world = await setUp(t);
  await t.test('a session, by an address with everything in it', (t) => session(t, world));
  await t.test('start, and what is told of what runs', (t) => running(t, world));
  await t.test('settings', (t) => settings(t, world));
  await t.test('images', (t) => images(t, world));
  await t.test('a machine from a disc, and its removal', (t) => fromDisc(t, world));
  await t.test('a screen', (t) => screen(t, world));
  await t.test('the host: its figures, routes and bridges', (t) => host(t, world));
  await t.test('tags', (t) => tags(t, world));
  await t.test('a libvirtd that is gone, and back', (t) => gone(t, world));
  await t.test('stop, and the removal of a container', (t) => stopped(t, world));
  t.equal((await world.oms.call('authservices', 'deauthenticate', [world.oms.sessid])).error, null);
  t.match(await world.oms.ask('kvmservices', 'list_vms', HOST), { error: { origin: 2, code: 101 } }, 'the session is over');
  t.notMatch(world.daemon.stderr(), /"level":"error"/);
});

async function session(t: Test, { oms, daemon }: World): Promise<void> {
  const get = async (method: string, params: readonly unknown[]): Promise<RpcAnswer> =>
    JSON.parse((await send(daemon.ports[1]!, `/?id=7&service=authservices&method=${method}&params=${encodeURIComponent(JSON.stringify(params))}`)).text) as RpcAnswer;
  t.match(await get('authenticate', [LOGIN.name, 'wrong']), { id: 7, result: null, error: { origin: 2, code: 101 } });
  const { result } = await get('authenticate', [LOGIN.name, LOGIN.password]);
  oms.sessid = result!.result as string;
  t.match(await get('checksessid', [oms.sessid]), { error: null, result: { type: 'auth', result: 0 } });
}

async function running(t: Test, { peer, ask, list, virsh, virshLxc }: World): Promise<void> {
  t.same(Object.values(await list('kvmservices')).map(({ id, status }) => [id, status]).sort(), [['dom', 0], ['keys', 0], ['tiny', 0]]);
  t.match(await list('ovzservices'), { web: { status: 0, stats: {} } });
  t.match(await ask('kvmservices', 'list_vms_status'), { dom: { state: 'shutdown', maxMem: '98304' } });
  for (const name of ['dom', 'keys', 'tiny']) t.equal(await ask('kvmservices', 'start_vm', name), 0);
  t.equal(await ask('ovzservices', 'start_vm', 'web'), 0);
  t.same((await virsh('list', '--name')).split('\n').sort(), ['dom', 'keys', 'tiny']);
  t.equal(await virshLxc('list', '--name'), 'web');
  await peer.guestReady('dom');

  const wanted = ['cpu', 'memory', 'df', 'network'];
  let dom: Listed | undefined;
  await until(async () => {
    ({ dom } = await list('kvmservices', ...wanted));
    return wanted.every((name) => Object.hasOwn(dom!.stats, name));
  }, WAIT_MS, `all figures of the guest: ${JSON.stringify(dom)}`);
  const { cpu, memory, df, network } = dom!.stats;
  t.equal(dom!.status, 1);
  t.ok(Number(cpu!.percentage) >= 0 && Number(cpu!.percentage) <= 100, JSON.stringify(cpu));
  t.equal(Number(memory!.total), figure(await virsh('dominfo', 'dom'), 'Used memory'));
  t.ok(Number(memory!.used) > 0 && Number(memory!.used) <= figure(await virsh('domstats', '--balloon', 'dom'), 'balloon.available'), JSON.stringify(memory));
  const disk = await imageInfo(peer, peer.file('disks/dom.qcow2'));
  t.match(df, { total: String(disk['virtual-size'] / 1024), used: String(disk['actual-size'] / 1024) }, 'while it runs');
  const device = (await virsh('domiflist', 'dom')).split(/\s+/)[0]!;
  const received = Number(/rx_bytes (\d+)/.exec(await virsh('domifstat', 'dom', device))![1]);
  t.ok(Number(network!.received) > 0 && Number(network!.received) <= received);

  const status = await ask('kvmservices', 'list_vms_status') as Record<string, Record<string, string>>;
  t.match(status, { dom: { state: 'running', nrVirtCpu: 1, maxMem: '98304', memory: '98304' }, tiny: { state: 'running', maxMem: '8192' } });
  const time = figure(await virsh('domstats', '--cpu-total', 'dom'), 'cpu.time');
  t.ok(Number(status.dom!.cpuTime) > 0 && Number(status.dom!.cpuTime) <= time);

  await until(async () => Object.hasOwn((await list('ovzservices', 'cpu')).web!.stats, 'cpu'), WAIT_MS, 'a second answer');
  const { web } = await list('ovzservices', ...wanted);
  t.equal(web!.status, 1);
  t.match(await virshLxc('dumpxml', 'web'), `<memory unit='KiB'>${web!.stats.memory!.total}</memory>`);
  t.ok(Number(web!.stats.memory!.used) > 0 && Number(web!.stats.memory!.used) <= 65536);
  t.match(await ask('ovzservices', 'list_vms_status'), { web: { state: 'running', maxMem: '65536' } });
}

async function settings(t: Test, { ask, virsh, virshLxc }: World): Promise<void> {
  const node = await virsh('nodeinfo');
  const limits = { min_vcpu: '1', max_vcpu: String(figure(node, 'CPU\\(s\\)')), max_memory: String(Math.floor(figure(node, 'Memory size') / 1024)) };
  t.match(await ask('kvmservices', 'parse_system_min_max'), limits);
  const told = await ask('kvmservices', 'parse_vm_settings', 'dom') as Record<string, string>;
  t.match(told, { vcpu: '1', memory: '96', ...limits });
  const before = await virsh('dumpxml', '--inactive', 'dom');
  t.same(await ask('kvmservices', 'update_vm_settings', 'dom', told), {}, 'sent back as it was told');
  t.match(await ask('kvmservices', 'update_vm_settings', 'dom', { vcpu: '100000', memory: '99999999999' }), { vcpu: 'Virtual CPU count not correct', memory: 'Memory size not correct' });
  t.match(await ask('kvmservices', 'update_vm_settings', 'dom', { vcpu: '1000', memory: '9999999' }), { vcpu: /between 1 and/, memory: /between .* MiB and/ });
  t.equal(await virsh('dumpxml', '--inactive', 'dom'), before, 'nothing is changed');
  t.same(await ask('kvmservices', 'update_vm_settings', 'dom', { ...told, memory: '128' }), {});
  t.match(await virsh('dumpxml', '--inactive', 'dom'), "<memory unit='KiB'>131072</memory>");
  t.match(await ask('kvmservices', 'parse_vm_settings', 'dom'), { memory: '128', vcpu: '1' });

  t.match(await ask('ovzservices', 'parse_vm_settings', 'web'), { vm_id: 'web', vcpu: '1', memory: '64', onboot: 'no' });
  t.same(await ask('ovzservices', 'update_vm_settings', 'web', { memory: '80', vcpulimit: '50', onboot: 'yes' }), {});
  t.match(await ask('ovzservices', 'parse_vm_settings', 'web'), { memory: '80', vcpulimit: '50', onboot: 'yes' });
  const xml = await virshLxc('dumpxml', '--inactive', 'web');
  for (const part of ["<memory unit='KiB'>81920</memory>", '<quota>50000</quota>']) t.match(xml, part);
  t.equal(await virshLxc('list', '--all', '--autostart', '--name'), 'web');
  t.match(await ask('ovzservices', 'update_vm_settings', 'web', { password: 'x' }), { password: /set in the guest/ });
  t.same(await ask('ovzservices', 'update_vm_settings', 'web', { onboot: 'no' }), {});
  t.equal(await virshLxc('list', '--all', '--autostart', '--name'), '');
}

async function images(t: Test, { peer, folder, oms, ask, virsh }: World): Promise<void> {
  const file = join(folder, 'made.img');
  t.equal(await ask('kvmservices', 'create_file_based_image', 'made.img', 10), 0);
  t.match(await imageInfo(peer, file), { format: 'raw', 'virtual-size': 10 * MIB });
  t.match(await oms.ask('kvmservices', 'create_file_based_image', HOST, 'made.img', 10), { error: { code: 100, message: /there is made\.img already/ } });
  t.match(await oms.ask('kvmservices', 'create_file_based_image', HOST, '../made.img', 10), { error: { origin: 1, code: 5 } });
  t.same(await ask('kvmservices', 'list_file_based_images'), ['made.img']);
  t.same(await ask('kvmservices', 'list_file_based_images_used'), []);
  t.same(await ask('isoservices', 'list_images'), ['disc.iso']);
  const description = await virsh('dumpxml', '--inactive', 'tiny');
  const define = (xml: string): Promise<string> => {
    writeFileSync(peer.file('tiny.xml'), xml);
    return virsh('define', peer.file('tiny.xml'));
  };
  await define(description.replace('</devices>', `<disk type='file' device='disk'><source file='${file}'/><target dev='sdb' bus='sata'/></disk></devices>`));
  await until(async () => (await ask('kvmservices', 'list_file_based_images_used') as readonly string[]).length > 0, WAIT_MS, 'libvirt to tell of it');
  t.same(await ask('kvmservices', 'list_file_based_images_used'), ['made.img']);
  t.match(await oms.ask('kvmservices', 'delete_file_based_image', HOST, 'made.img'), { error: { message: /in use by tiny/ } });
  t.ok(existsSync(file));
  await define(description);
  t.same(await ask('kvmservices', 'delete_file_based_image', 'made.img'), [0, '', '']);
  t.same(readdirSync(folder), ['disc.iso']);
}

async function fromDisc(t: Test, { peer, folder, oms, ask, list, virsh }: World): Promise<void> {
  const order = ['new', 'debian12', 'linux', 'disc.iso', '1', '', '64', 'yes', ''];
  t.match(await oms.ask('kvmservices', 'create_vm_from_iso', HOST, ...order.map((each) => (each === 'disc.iso' ? 'none.iso' : each))), { error: { message: /none\.iso/ } });
  t.equal(await virsh('list', '--all', '--name').then((names) => names.split('\n').includes('new')), false);
  t.equal(await ask('kvmservices', 'create_vm_from_iso', ...order), 0);
  t.equal(await virsh('domstate', 'new'), 'running');
  t.match((await list('kvmservices')).new, { status: 1 });
  const xml = await virsh('dumpxml', '--inactive', 'new');
  for (const part of ["<memory unit='KiB'>65536</memory>", '<acpi/>', join(folder, 'disc.iso'), join(folder, 'new.qcow2')]) t.ok(xml.includes(part), part);
  t.notMatch(xml, '<apic', 'noapic');
  t.match(await imageInfo(peer, join(folder, 'new.qcow2')), { format: 'qcow2', 'virtual-size': 1024 * MIB });
  t.same(await ask('kvmservices', 'list_file_based_images_used'), ['new.qcow2']);
  t.match(await oms.ask('kvmservices', 'create_vm_from_iso', HOST, ...order), { error: { message: /there is a machine new already/ } });
  t.equal(await ask('kvmservices', 'delete_vm', 'new'), 0, 'which runs, and hears no button');
  t.equal((await virsh('list', '--all', '--name')).split('\n').includes('new'), false);
  t.same(readdirSync(folder).sort(), ['disc.iso', 'new.qcow2'], 'its disk stays');
  t.same(await ask('kvmservices', 'delete_file_based_image', 'new.qcow2'), [0, '', '']);
}

async function screen(t: Test, { peer, oms, vnc, virsh }: World): Promise<void> {
  t.equal(await oms.result('kvmservices', 'set_up_vnc_connection', HOST, 'keys'), String(vnc));
  t.equal(await oms.result('kvmservices', 'check_session_vnc_connection', vnc), '0');
  const picture = peer.file('keys.png');
  await virsh('screenshot', 'keys', picture);
  const png = readFileSync(picture);
  t.equal(png.toString('latin1', 1, 4), 'PNG');
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];

  const viewer = new WebSocket(`ws://127.0.0.1:${vnc}/?SESSID=${oms.sessid}`, ['binary']);
  t.teardown(() => viewer.terminate());
  let seen = Buffer.alloc(0);
  viewer.on('message', (data: Buffer) => { seen = Buffer.concat([seen, data]); });
  viewer.on('error', (error) => t.fail(error.message));
  /** The next bytes of the server (RFC 6143). */
  const take = async (length: number): Promise<Buffer> => {
    await until(() => seen.length >= length, WAIT_MS, `${length} bytes of RFB`);
    const taken = seen.subarray(0, length);
    seen = seen.subarray(length);
    return taken;
  };
  t.equal((await take(12)).toString('latin1'), 'RFB 003.008\n');
  viewer.send(Buffer.from('RFB 003.008\n'));
  t.same([...await take(2)], [1, 1], 'no password is asked for');
  viewer.send(Buffer.from([1]));
  t.equal((await take(4)).readUInt32BE(), 0);
  viewer.send(Buffer.from([1]));
  const init = await take(24);
  t.same([init.readUInt16BE(0), init.readUInt16BE(2)], [width, height], 'as virsh has it');
  t.match((await take(init.readUInt32BE(20))).toString(), 'keys');
  // all of it, as raw pixels
  const request = Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  request.writeUInt16BE(width, 6);
  request.writeUInt16BE(height, 8);
  viewer.send(request);
  const update = await take(16);
  t.equal(update[0], 0, 'an update of the picture');
  const pixels = await take(update.readUInt16BE(8) * update.readUInt16BE(10) * init[4]! / 8);
  t.ok(pixels.some((byte) => byte !== 0), 'with something on it');

  const ended = new Promise<void>((resolve) => { viewer.once('close', () => resolve()); });
  t.equal(await oms.result('kvmservices', 'remove_vnc_connection', HOST, 'keys'), String(vnc));
  await ended;
  t.equal(await listens(vnc), false);
}

/** `ip` on the machine that carries the server, which is the host of a libvirt that is reached by a socket. */
async function ip(...args: readonly string[]): Promise<readonly Readonly<Record<string, string>>[]> {
  return JSON.parse((await run('ip', ['-j', ...args])).stdout || '[]') as readonly Readonly<Record<string, string>>[];
}

async function host(t: Test, { ask, oms }: World): Promise<void> {
  const [bridge, member, end] = ['argo-oms', 'argo-oms-a', 'argo-oms-b'];
  const clear = async (): Promise<void> => { for (const name of [bridge, member]) await run('ip', ['link', 'delete', name]).catch(() => undefined); };
  await clear();
  t.teardown(clear);
  for (const line of [
    // of networks for documents (RFC 5737), which lead nowhere
    `link add ${bridge} type bridge`, `link add ${member} type veth peer name ${end}`, `link set ${member} master ${bridge}`,
    `address add 198.51.100.1/24 dev ${bridge}`, `link set ${bridge} up`, `route add 203.0.113.7/32 via 198.51.100.9 dev ${bridge} metric 7`,
  ]) await run('ip', line.split(' '));

  const stats = await ask('statsservices', 'get_stats') as Record<string, Record<string, string>>;
  t.equal(stats.kernel as unknown, release());
  t.equal(Number(stats.memory!.total), Number(/^MemTotal: +(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))![1]));
  const { uptime, ...rest } = await ask('statsservices', 'get_stats', 'uptime', 'iowait') as Record<string, unknown>;
  t.ok(Math.abs(Number(uptime) - Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])) < 30);
  t.match(rest, { iowait: { percentage: /^\d+\.\d\d$/ } });
  const [way] = await ip('-4', 'route', 'show', 'default');
  t.equal(stats.network?.name, way?.dev);
  if (way) t.equal(await ask('netinterfaceservices', 'get_default_gateway', way.dev), way.gateway);

  const table = await ask('netinterfaceservices', 'show_routing_table') as readonly Readonly<Record<string, string>>[];
  t.same(table.map(({ destination, router, interface: through }) => [destination, router, through]).sort(),
    (await ip('-4', 'route', 'show')).map(({ dst, gateway, dev }) => [dst!.split('/')[0], gateway ?? '*', dev]).sort());
  t.match(table.filter((one) => one.interface === bridge).sort((one, other) => (one.destination! < other.destination! ? -1 : 1)), [
    { destination: '198.51.100.0', netmask: '255.255.255.0', router: '*', flags: 'U' },
    { destination: '203.0.113.7', netmask: '255.255.255.255', router: '198.51.100.9', flags: 'UGH', metrics: '7' },
  ]);
  const bridges = await ask('netinterfaceservices', 'list_bridges') as readonly { readonly bridge: string; readonly members: readonly string[] }[];
  t.same(bridges.map((one) => one.bridge).sort(), (await ip('link', 'show', 'type', 'bridge')).map(({ ifname }) => ifname).sort());
  t.same(bridges.find((one) => one.bridge === bridge)?.members, (await ip('link', 'show', 'master', bridge)).map(({ ifname }) => ifname));
  t.match(await oms.ask('netinterfaceservices', 'add_bridge', HOST, 'argo-oms-c', '', '', ''), { error: { message: /network-changes/ } }, 'changes are off');
}

async function tags(t: Test, { daemon, oms, list }: World): Promise<void> {
  const line = await connect(daemon.port);
  t.teardown(() => line.destroy());
  await line.ask(`auth ${LOGIN.name} ${LOGIN.password}`);
  t.equal((await line.ask('tag add dom old_name')).code, 300);
  t.same(await oms.result('tagservices', 'list_tags'), [{ tag: 'old_name', level: 3 }]);
  t.equal(await oms.result('tagservices', 'edit_freeform_tag_name', 'old_name', 'new_name'), 0);
  t.equal(await oms.result('tagservices', 'change_host_type', [{ name: HOST, type: 'KVM+OpenVZ' }]), 0);
  const type = { tag: 'KVM+OpenVZ', level: 1 };
  t.match(await list('kvmservices'), { dom: { tags: [type, { tag: 'new_name', level: 3 }] }, tiny: { tags: [type] } });
  t.match(await list('ovzservices'), { web: { tags: [type] } }, 'both of its providers');
  t.same(await oms.result('funcservices', 'list_signed', 'KVM+OpenVZ'), [{ name: HOST, status: 1, vmcount: 4, tags: [type] }]);
  t.match(await line.answer('status @tag:new_name'), /dom/);
}

async function gone(t: Test, { peer, oms, ask, list }: World): Promise<void> {
  await peer.kill();
  const statuses = async (service: string) => Object.values(await list(service)).map(({ status }) => status);
  await until(async () => (await statuses('kvmservices')).every((status) => status === null), WAIT_MS, 'nobody to know of virtual machines');
  await until(async () => (await statuses('ovzservices')).every((status) => status === null), WAIT_MS, 'nobody to know of containers');
  for (const [method, ...params] of [['list_vms_status'], ['list_vms', 'cpu'], ['start_vm', 'dom'], ['parse_vm_settings', 'dom']] as const) {
    t.match(await oms.ask('kvmservices', method, HOST, ...params), { error: { code: 100, message: /UNREACHABLE/ } }, method);
  }
  await peer.restart();
  await until(async () => (await ask('kvmservices', 'list_vms_status').catch(() => undefined)) !== undefined, WAIT_MS, 'libvirt to be back');
  await until(async () => (await statuses('kvmservices')).every((status) => status === 1), WAIT_MS, 'what runs on all the while');
  await until(async () => (await statuses('ovzservices')).every((status) => status === 1), WAIT_MS, 'the container');
}

async function stopped(t: Test, { peer, ask, list, virsh, virshLxc }: World): Promise<void> {
  t.equal(await ask('ovzservices', 'stop_vm', 'web'), 0);
  t.equal(await virshLxc('domstate', 'web'), 'shut off');
  for (const name of ['dom', 'keys', 'tiny']) t.equal(await ask('kvmservices', 'stop_vm', name), 0);
  t.equal(await virsh('list', '--name'), '');
  t.match(await list('kvmservices', 'df'), { dom: { status: 0, stats: { df: { total: String(64 * 1024) } } } });
  t.equal(await ask('kvmservices', 'stop_vm', 'dom'), 0, 'one that is off');
  t.equal(await ask('ovzservices', 'delete_vm', 'web'), 0);
  t.equal(await virshLxc('list', '--all', '--name'), '');
  t.ok(existsSync(peer.file('rootfs/web')), 'its root stays, which is not in container-folder');
}
