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
  t.match(parseLibvirtUri('qemu:///embed?root=/x&socket=/y'), { remoteName: 'qemu:///embed?root=%2Fx', sockets: ['/y'] });
});

await t.test('over SSH', async (t) => {
  t.match(parseLibvirtUri('qemu+ssh://argo@host:2222/system'), {
    transport: 'ssh', user: 'argo', host: 'host', port: 2222, remoteName: 'qemu:///system',
    sockets: ['/run/libvirt/libvirt-sock', '/run/libvirt/virtqemud-sock'],
  });
  t.match(parseLibvirtUri('qemu+libssh2://host/session'), { host: 'host', sockets: [] });
  t.match(parseLibvirtUri('qemu+ssh://a%40b@[2001:db8::1]:22/system'), { user: 'a@b', host: '2001:db8::1', port: 22 });
});

await t.test('none', async (t) => {
  for (const text of ['', 'system', 'qemu://host/system', 'qemu+tls://host/system', 'qemu+tcp://h/', 'qemu+ssh:///system',
    'qemu+ssh://a@b@c/system', 'qemu+ssh://host:0/system', 'qemu+ssh://host:99999/system', 'qemu+unix://host/system', 'qemu:///system#x']) {
    t.throws(() => parseLibvirtUri(text), Error, text);
  }
});
