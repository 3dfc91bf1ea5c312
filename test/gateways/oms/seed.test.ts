import t, { type Test } from 'tap';
import { SERVICES } from '../../../src/gateways/oms/services/index.js';
import { AUTH_METHODS } from '../../../src/gateways/oms/services/auth.js';
import { everything, LOGIN, omsTable } from '../../support/oms/accounts.js';
import { OmsClient, send, type RpcAnswer } from '../../support/oms/client.js';
import { SEED_REQUESTS } from '../../support/oms/seed-requests.js';
import { startWorld, tagHost } from '../../support/oms/world.js';

/** Each request of OMS' documentation, sent as it is printed there, and the form of the answer that is printed with it. */

const HOST = 'funcclient';
const of = (result: unknown, type = 'func') => ({ error: null, id: 1, result: { type, result: { client: HOST, result } } });
const bare = (result: unknown, type = 'func') => ({ error: null, id: 1, result: { type, result } });
const fault = (name: string) => ({ id: 1, result: null, error: { origin: 2, message: new RegExp(`^\\[${name}\\] `) } });
const digits = /^\d+$/;
const share = /^\d+\.\d\d$/;
const vm = (name: string, status: number, stats: unknown) => ({ id: name, name, status, stats });
const status = (state: string) => ({ nrVirtCpu: 1, state, maxMem: digits, cpuTime: digits, memory: digits });

/** By service and method, as the requests name them. */
const ANSWERS: Readonly<Record<string, object>> = {
  // nobody can ask for it here: tests of enrolment have hosts with a real sshd
  'funcservices.list_requests': fault('FuncManError'),
  'funcservices.sign_requests': fault('FuncManError'),
  'funcservices.remove_requests': fault('FuncManError'),
  'funcservices.remove_signed': fault('FuncManError'),
  'funcservices.list_signed': bare([{ name: HOST, status: 1, vmcount: 9 }, { name: 'funcclient2', status: 1, vmcount: 0 }, { name: 'other', status: 1, vmcount: 1 }]),
  'ovzservices.list_vms_status': of({ 129: status('running'), 104: status('shutdown') }),
  'ovzservices.list_templates': of(['templatename']),
  'ovzservices.parse_vm_settings': of({
    vcpulimit: '50', vcpu: '1', ip_address: '192.168.1.129', max_memory: '625', vm_id: '129', max_vcpu: '4', min_vcpu: '1', max_disk: '20480', memory: '256', min_disk: '1024',
    nameserver: '192.168.1.11', disk: '10240', min_memory: '64', min_vcpulimit: '0', max_vcpulimit: '400', onboot: 'yes', searchdomain: 'active.ee',
  }),
  'ovzservices.update_vm_settings': of({}),
  'ovzservices.stop_vm': of(0, 'tmp_cache'),
  'ovzservices.start_vm': of(0, 'tmp_cache'),
  'ovzservices.parse_template_for_vm': of({
    template_name: 'templatename', vm_name: 'virtual_machine.example.com', vm_id: 'virtual_machine.example.com', domain_type: 'openvz', memory: '256', min_memory: digits, max_memory: digits, vcpu: '1', min_vcpu: '1', max_vcpu: '4',
    min_vcpulimit: '0', max_vcpulimit: '100', disk: '10240', min_disk: '10240', max_disk: '20480', ip_address: '', nameserver: '', passwd: '',
  }),
  'ovzservices.deploy_template_for_vm': of({}),
  'ovzservices.parse_vm_for_template': of({ vm_id: '119', template_name: 'templatename', domain_type: 'openvz', vcpu: '1', min_vcpu: '1', memory: '256', min_memory: '256' }),
  'ovzservices.create_template_from_vm': of({}),
  'ovzservices.delete_vm': of(0, 'tmp_cache'),
  'ovzservices.migrate_vm': of(0),
  'sshservices.set_up_ssh_connection': bare(digits),
  'sshservices.remove_session_ssh_connections': bare(0),
  'sshservices.list_session_ssh_connections': bare([{ host: HOST, port: Number }]),
  'sshservices.check_session_ssh_connection': bare('0'),
  'kvmservices.list_vms': of([vm('openfiler', 0, { df: { percentage: '25.00', total: digits, used: digits } }), vm('openfiler2', 1, { cpu: { percentage: share }, memory: { percentage: '25.00', total: '262144', used: '65536' }, df: {} })]),
  'kvmservices.list_vms_status': of({ openfiler: status('shutdown'), openfiler2: { ...status('running'), maxMem: '524288', memory: '262144', cpuTime: '22036000000' } }),
  'kvmservices.list_templates': of(['templatename', 'templeit']),
  'kvmservices.parse_system_min_max': of({ max_vcpu: '4', min_vcpu: '1', min_memory: '64', max_memory: '9740' }),
  'kvmservices.parse_vm_settings': of({ vcpu: '2', max_memory: '20480', max_vcpu: '4', min_vcpu: '1', memory: '1024', min_memory: '64' }),
  'kvmservices.update_vm_settings': of({}),
  'kvmservices.set_up_vnc_connection': bare(digits),
  'kvmservices.remove_vnc_connection': bare(digits),
  'kvmservices.remove_session_vnc_connections': bare(0),
  'kvmservices.list_session_vnc_connections': bare([{ host: HOST, port: Number, vm: 'winxp2' }]),
  'kvmservices.check_session_vnc_connection': bare('0'),
  'kvmservices.stop_vm': of(0),
  'kvm.start_vm': of(0),
  'kvm.parse_template_for_vm': of({
    template_name: 'templatename', vm_name: 'test_vm_1', domain_type: 'kvm', virt_type: 'hvm', memory: '256', arch: 'x86_64', vcpu: '1',
    disks: [{ template_name: 'diskimage.img', template_format: 'qcow2', template_capacity: '1073741824', deploy_type: 'file', type: 'file', device: 'disk' }],
  }),
  'kvm.deploy_template_for_vm': of({}),
  'kvm.parse_vm_for_template': of({
    vm_name: 'openfiler23', vcpu: '2', min_vcpu: '2', template_name: 'templatename', interfaces: [{ source_bridge: 'vmbr0', type: 'bridge', mac_address: '54:52:00:07:df:7a' }],
    disks: [{ disk_capacity: '8878644224', new_path: '/storage/templates/templatename/templatename1.img', disk_id: 'vmdisk1.img', filename: 'templatename1.img', file_id: 'diskfile1', disk_path: '/storage/images/openfiler23.img', file_size: '1074040832' }],
    domain_type: 'kvm', memory: '1024', min_memory: '1024', arch: 'x86_64',
  }),
  'kvm.create_template_from_vm': { ...bare(null), result: null, error: { origin: 2, code: 100, message: '[FuncManError] WRONG STATE: there is a template templeit' } },
  'kvm.create_vm_from_iso': of(0),
  'kvm.delete_vm': of(0),
  'kvm.create_file_based_image': of(0),
  'kvm.delete_file_based_image': of([0, '', '']),
  'kvm.list_file_based_image': of(['openfiler23.img', 'openfiler2.img', 'spare.img']),
  'kvmservices.list_file_based_image_used': of(['openfiler23.img', 'openfiler2.img']),
  'isoservices.list_images': of(['openfiler-2.3-x86_64-disc1.iso', 'winxpsp2corp.iso']),
  'lvmservices.list_vg': of([[['VG', 'Name', 'VolGroup00'], ['Format', 'lvm2'], ['Metadata', 'Areas', '1'], ['Metadata', 'Sequence', 'No', '17'], ['VG', 'Access', 'read/write'], ['VG', 'Status', 'resizable'],
    ['MAX', 'LV', '0'], ['Cur', 'LV', '8'], ['Max', 'PV', '0'], ['Cur', 'PV', '1'], ['VG', 'Size', '135.09', 'GiB'], ['PE', 'Size', '32.00', 'MiB'], ['Total', 'PE', '4323'],
    ['Alloc', 'PE', '/', 'Size', '3776', '/', '118.00', 'GiB'], ['Free', 'PE', '/', 'Size', '547', '/', '17.09', 'GiB'], ['VG', 'UUID', 'Sb1lok-R2y8-cOvr-mDqL-vn0z-AZzs-zFdyNw']]]),
  'lvmservices.list_lv': of([[['LV', 'Path', '/dev/VolGroup00/root'], ['LV', 'Name', 'root'], ['VG', 'Name', 'VolGroup00'], ['LV', 'UUID', String], ['LV', 'Size', '10.00', 'GiB']]]),
  'authservices.authenticate': bare(/^[0-9A-F]{40}$/, 'auth'),
  'authservices.deauthenticate': bare(0, 'auth'),
  'authservices.checksessid': bare(0, 'auth'),
  'tagservices.change_host_type': fault('UnknownHostException'),
  'tagservices.list_tags': bare([{ tag: 'old_name', level: 3 }]),
  'tagservices.edit_freeform_tag_name': bare(0),
  'statsservices.get_stats': of({
    cpu: { percentage: '3.14', cpu_cache: '4096 KB', cpu_type: String, cpu_mhz: '1596.040' }, df: { percentage: '56.43', total: '9633080', used: '5436672', details: [{ mount: '/', used: '5436672', dev: '/dev/mapper/VolGroup00-root', free: '4196408' }] },
    kernel: '6.1.0-32-amd64', memory: { percentage: '25.00', total: '12582912', used: '3145728' }, network: { ip: '192.168.1.40', name: 'vmbr0' }, uptime: '855087',
    bandwidth: { percentage: '0.01', received: 5447, maximum: 104857600, sent: 6619 }, osrelease: 'Debian GNU/Linux 12', swap: { path: '/dev/mapper/VolGroup00-swap', percentage: '0.00', total: '8388600', used: '0' }, iowait: { percentage: '0.30' },
  }),
  'netinterfaceservices.show_routing_table': of([
    { count: '0', use: '0', destination: '192.168.1.211', metrics: '0', netmask: '255.255.255.255', flags: 'UH', interface: 'venet0', router: '*' },
    { count: '0', use: '0', destination: '192.168.1.0', metrics: '0', netmask: '255.255.255.0', flags: 'U', interface: 'vibr0', router: '*' }, { interface: 'vubr0' },
    { count: '0', use: '0', destination: 'default', metrics: '100', netmask: '0.0.0.0', flags: 'UG', interface: 'vubr0', router: '192.168.1.1' },
  ]),
  'netinterfaceservices.add_static_route': of(0),
  'netinterfaceservices.edit_static_route': of(0),
  'netinterfaceservices.delete_static_route': of(0),
  'netinterfaceservices.edit_static_gateway': of(0),
  'netinterfaceservices.get_default_gateway': of('192.168.1.1'),
  'netinterfaceservices.list_bridges': of([{ bridge: 'vmbr0', members: ['eth0', 'vnet3', 'vnet2', 'vnet0'] }]),
  'netinterfaceservices.add_bridge': of(0),
  'netinterfaceservices.add_bridge_member': of(0),
  'netinterfaceservices.delete_bridge_member': of(0),
  'netinterfaceservices.delete_bridge': of(0),
  'netinterfaceservices.edit_bridge': of(0),
};

/** As it can be meant, of the two that are no JSON. */
const repaired = (request: string): string => request.replace(/\{\}\}$/, '{}]').replace(',192.168', ',"192.168');

const calledBy = (request: string): string => {
  const fields = new URLSearchParams(request);
  return `${fields.get('service')}.${fields.get('method')}`;
};

async function start(t: Test) {
  const { table, vnc, ssh } = await omsTable('legacy-get = true');
  const daemon = await startWorld(t, await everything() + table, 2);
  const client = new OmsClient(daemon.ports[1]!);
  await client.login(LOGIN.name, LOGIN.password);
  return { daemon, client, vnc, ssh };
}

await t.test('all 67 requests of the documentation of OMS', async (t) => {
  const { daemon, client, vnc, ssh } = await start(t);
  const other = new OmsClient(client.port);
  await other.login(LOGIN.name, LOGIN.password);
  /** What has to be so before a request can succeed: the document has its examples in another order. */
  const before: Readonly<Record<string, () => Promise<unknown>>> = {
    'sshservices.list_session_ssh_connections': () => client.ask('ssh', 'set_up_ssh_connection', HOST),
    'kvmservices.remove_session_vnc_connections': () => client.ask('kvm', 'set_up_vnc_connection', HOST, 'winxp2'),
    'kvmservices.list_session_vnc_connections': () => client.ask('kvm', 'set_up_vnc_connection', HOST, 'winxp2'),
    'netinterfaceservices.edit_bridge': () => client.ask('netinterfaceservices', 'add_bridge', HOST, 'testbridge', '192.168.1.41', '255.255.255.0', ''),
  };
  await tagHost(daemon, LOGIN, 'old_name');
  let wrong = 0;
  for (const printed of SEED_REQUESTS) {
    const name = calledBy(printed);
    const sessid = name === 'authservices.deauthenticate' ? other.sessid : client.sessid;
    const placed = printed.replace('"SESSID"', `"${sessid}"`).replace(/\b6900\b/, String(ssh)).replace(/\b6801\b/, String(vnc));
    await before[name]?.();
    // only blanks have to be written in another way: with one an address ends
    const ask = (request: string) => send(client.port, `/?${request.replaceAll(' ', '%20')}`);
    const first = await ask(placed);
    if (repaired(placed) !== placed) {
      t.equal(first.status, 400, `${name}: as printed it is no JSON`);
      wrong += 1;
    }
    const { status: code, text } = first.status === 400 ? await ask(repaired(placed)) : first;
    t.equal(code, 200, `${name} ${text}`);
    // by the tag of that example there is none
    const wanted = printed.includes('"OpenNode"') ? bare([]) : ANSWERS[name];
    t.match(JSON.parse(text) as RpcAnswer, wanted!, name);
  }
  t.equal(wrong, 2);
  for (const secret of [`"${LOGIN.password}"`, `%22${LOGIN.password}`, client.sessid, 'params=']) t.notMatch(daemon.stderr(), secret, 'nothing of an address is in the log');
});

await t.test('each of them is one of our methods, and we have no other but the one whose heading is lost', (t) => {
  const asked = new Set(SEED_REQUESTS.map(calledBy).map((name) => name.replace(/^kvm\./, 'kvmservices.').replace(/(list_file_based_image)(_used)?$/, '$1s$2')));
  const ours = [...SERVICES.flatMap(({ names: [name], methods }) => Object.keys(methods).map((method) => `${name}.${method}`)), ...[...AUTH_METHODS.keys()].map((method) => `authservices.${method}`)];
  t.same(ours.filter((name) => !asked.has(name)), ['ovzservices.list_vms']);
  t.same([...asked].filter((name) => !ours.includes(name)), []);
  t.equal(ours.length, 67);
  t.end();
});
