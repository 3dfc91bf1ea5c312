import t from 'tap';
import { parseLibvirtUri } from '../../../src/protocols/libvirt/uri.js';

await t.test('local ones', async (t) => {
  t.same(parseLibvirtUri('qemu:///system'), {
    scheme: 'qemu', transport: 'unix', remoteName: 'qemu:///system', sockets: ['/run/libvirt/libvirt-sock', '/run/libvirt/virtqemud-sock'],
  });
  t.same(parseLibvirtUri('lxc:///system').sockets, ['/run/libvirt/libvirt-sock', '/run/libvirt/virtlxcd-sock']);
  t.same(parseLibvirtUri('test:///default').sockets, ['/run/libvirt/libvirt-sock']);
  t.match(parseLibvirtUri('test:///srv/lab.xml'), { remoteName: 'test:///srv/lab.xml' });
  t.match(parseLibvirtUri('qemu+unix:///system?socket=/x/sock'), { remoteName: 'qemu:///system', sockets: ['/x/sock'] });
});

await t.test('over SSH', async (t) => {
  t.match(parseLibvirtUri('qemu+ssh://argo@host:2222/system'), {
    transport: 'ssh', user: 'argo', host: 'host', port: 2222, remoteName: 'qemu:///system',
    sockets: ['/run/libvirt/libvirt-sock', '/run/libvirt/virtqemud-sock'],
  });
  t.match(parseLibvirtUri('qemu+libssh2://host/session'), { host: 'host', sockets: [] });
  t.match(parseLibvirtUri('qemu+ssh://a%40b@[2001:db8::1]:22/system'), { user: 'a@b', host: '2001:db8::1', port: 22 });
});

await t.test('parameters are honoured', (t) => {
  t.same(parseLibvirtUri('qemu+ssh://host/system?keyfile=/k%201&known_hosts=/h&known_hosts_verify=auto&no_tty=1&no_verify=0'), {
    scheme: 'qemu', transport: 'ssh', host: 'host', remoteName: 'qemu:///system', keyFile: '/k 1', knownHostsFile: '/h', acceptsNewHosts: true,
    sockets: ['/run/libvirt/libvirt-sock', '/run/libvirt/virtqemud-sock'],
  });
  t.match(parseLibvirtUri('qemu+ssh://host/?name=lxc:///system'), { scheme: 'lxc', remoteName: 'lxc:///system' });
  t.same(parseLibvirtUri('qemu+ssh://host/system?proxy=native').sockets, []);
  t.same(parseLibvirtUri('qemu:///system?mode=direct').sockets, ['/run/libvirt/virtqemud-sock']);
  t.same(parseLibvirtUri('qemu:///system?mode=legacy').sockets, ['/run/libvirt/libvirt-sock']);
  t.end();
});

await t.test('or refused by name', (t) => {
  const refused: [string, RegExp][] = [
    ['qemu+ssh://host/system?no_verify=1', /no_verify=1 is not supported; pin/], ['qemu+ssh://host/system?known_hosts_verify=ignore', /known_hosts_verify=ignore/],
    ['qemu+ssh://host/system?command=/opt/ssh', /command is not supported/], ['qemu+ssh://host/system?netcat=nc', /netcat is not supported/],
    ['qemu+ssh://host/system?sshauth=agent', /sshauth is not supported/], ['qemu+ssh://host/system?proxy=netcat', /proxy=netcat/],
    ['qemu:///system?pkipath=/x', /pkipath is not supported/], ['qemu:///system?keyfile=/x', /keyfile is for SSH/], ['qemu:///system?sokcet=/x', /sokcet is not supported/],
    ['qemu:///system?toString=1', /toString is not supported/], ['qemu:///system?socket=', /socket is empty/], ['qemu:///system?socket=/a&socket=/b', /socket is there twice/],
    ['qemu:///system?mode=other', /mode=other/], ['test:///default?mode=direct', /has no daemon/], ['qemu:///system?name=system', /name=system/],
  ];
  for (const [uri, words] of refused) t.throws(() => parseLibvirtUri(uri), words, uri);
  t.end();
});

await t.test('none', async (t) => {
  for (const text of ['', 'system', 'qemu://host/system', 'qemu+tls://host/system', 'qemu+tcp://h/', 'qemu+ssh:///system',
    'qemu+ssh://a@b@c/system', 'qemu+ssh://host:0/system', 'qemu+ssh://host:99999/system', 'qemu+unix://host/system', 'qemu:///system#x']) {
    t.throws(() => parseLibvirtUri(text), Error, text);
  }
});
