import t from 'tap';
import { CfgError, parseCfg, parseDefinition, parseDisk, parseVif } from '../../../src/drivers/xen/cfg.js';

/** As xen-tools 4.9 writes it. */
const XEN_TOOLS = `#
# Configuration file for the Xen instance web1.example.org, created
# by xen-tools 4.9.2.
#
kernel      = '/boot/vmlinuz-6.1.0-37-amd64'
extra       = 'elevator=noop'
vcpus       = '2'
memory      = '256'

root        = '/dev/xvda2 ro'
disk        = [
                  'phy:/dev/vg0/web1-disk,xvda2,w',
                  'phy:/dev/vg0/web1-swap,xvda1,w',
              ]
name        = 'web1.example.org'
dhcp        = 'dhcp'
vif         = [ 'ip=192.168.1.51,mac=00:16:3E:12:34:56,bridge=xenbr0' ]
on_poweroff = 'destroy'
`;

void t.test('a file of xen-tools', async (t) => {
  t.same(parseDefinition(XEN_TOOLS), {
    name: 'web1.example.org',
    vcpus: 2,
    memory: 268_435_456n,
    type: 'pv',
    vifs: [{ mac: '00:16:3e:12:34:56', ips: ['192.168.1.51'] }],
    disks: [{ vdev: 'xvda2', path: '/dev/vg0/web1-disk' }, { vdev: 'xvda1', path: '/dev/vg0/web1-swap' }],
  });
});

void t.test('the language', async (t) => {
  const cases: Record<string, unknown> = {
    'a = 1': { a: '1' },
    'a=0x1f;b="two";;c=\'three\'': { a: '0x1f', b: 'two', c: 'three' },
    'a = 1 # one\n# two\nb = 2 # the end\n': { a: '1', b: '2' },
    'a = "it\'s"\nb = \'say "x"\'': { a: "it's", b: 'say "x"' },
    'a = "q\\"\\\\\\n\\t"': { a: 'q"\\\n\t' },
    'a = []': { a: [] },
    'a = [\n\n"x", # first\n\n"y",\n]\n': { a: ['x', 'y'] },
    'a = [ [ "x" ], "y" ]': { a: [['x'], 'y'] },
    'a = "x"\na += "y"': { a: 'xy' },
    'a = [1]\na += [2]\nb += 3': { a: ['1', '2'], b: '3' },
    'a = 1\na = 2': { a: '2' },
    '\n\n': {},
    '': {},
    'name = "Grüße"': { name: 'Grüße' },
    'a = "# not a comment"': { a: '# not a comment' },
  };
  for (const [source, meaning] of Object.entries(cases)) t.same(Object.fromEntries(parseCfg(source)), meaning, JSON.stringify(source));
});

void t.test('what xl refuses', async (t) => {
  const cases: Record<string, [line: number, words: RegExp]> = {
    a: [1, /end of the file/],
    'a = ': [1, /not expected/],
    'a = b': [1, /"b" is not expected/],
    'A = 1': [1, /not understood/],
    'a = 1 b = 2': [1, /"b" is not expected/],
    'a = 1\nb = "open': [2, /not understood/],
    'a = "two\nlines"': [1, /not understood/],
    'a = [ "x" "y" ]': [1, /"y" is not expected/],
    'a = [ "x",,]': [1, /"," is not expected/],
    'a = [ "x"': [1, /end of the file/],
    'a = [ # open\n"x",\n\n': [4, /end of the file/],
    'a =\n1': [1, /not expected/],
    'a = "\\q"': [1, /\\q in quotes/],
    'a = 1\n# the end': [2, /comment/],
    'a = 1\r\n': [1, /not understood/],
    'import os\n': [1, /not expected/],
    'x = os.environ["HOME"]': [1, /not/],
    'a = [1]\na += "x"': [2, /list/],
    [`a = ${'['.repeat(50)}`]: [1, /too many lists/],
  };
  for (const [source, [line, words]] of Object.entries(cases)) {
    t.throws(() => parseCfg(source), { constructor: CfgError, line, message: words }, JSON.stringify(source));
  }
});

void t.test('every cut of a file either has a name, or is refused with a line', async (t) => {
  for (let length = 0; length < XEN_TOOLS.length; length += 1) {
    try {
      t.equal(parseDefinition(XEN_TOOLS.slice(0, length)).name, 'web1.example.org');
    } catch (error) {
      if (!(error instanceof CfgError)) t.fail(`cut at ${length}: ${String(error)}`);
    }
  }
});

void t.test('definitions', async (t) => {
  t.match(parseDefinition('name = 17'), { name: '17', vcpus: 1, vifs: [], disks: [], type: 'pv' });
  t.match(parseDefinition('name = "w "\nbuilder = "hvm"\nmaxvcpus = 4\nuuid = "u"'), { name: 'w', type: 'hvm', vcpus: 4, uuid: 'u' });
  t.match(parseDefinition('name = "w"\ntype = "pvh"\ndisk = "no list"\nmemory = "lots"'), { type: 'pvh', disks: [], memory: undefined });
  for (const source of ['memory = 1', 'name = ""', 'name = "  "', 'name = ["x"]']) t.throws(() => parseDefinition(source), /there is no `name/);
});

void t.test('vif', async (t) => {
  t.same(parseVif(''), { ips: [] });
  t.same(parseVif('bridge=xenbr0'), { ips: [] });
  t.same(parseVif(' mac = 00:16:3E:00:00:01 , ip=10.0.0.1 fd00::1,vifname=lan0'), { mac: '00:16:3e:00:00:01', ips: ['10.0.0.1', 'fd00::1'], ifname: 'lan0' });
});

void t.test('disk', async (t) => {
  const cases: Record<string, unknown> = {
    'phy:/dev/vg0/root,xvda,w': { vdev: 'xvda', path: '/dev/vg0/root' },
    'file:/srv/a.img,xvda,r': { vdev: 'xvda', path: '/srv/a.img' },
    'tap:aio:/srv/a.img,xvda,w': { vdev: 'xvda', path: '/srv/a.img' },
    'tap2:qcow2:/srv/a.qcow2,hda,w': { vdev: 'hda', path: '/srv/a.qcow2', format: 'qcow2' },
    '/srv/a.img,raw,xvda,rw': { vdev: 'xvda', path: '/srv/a.img', format: 'raw' },
    '/dev/vg0/root,,xvda': { vdev: 'xvda', path: '/dev/vg0/root' },
    '/srv/a.vhd,vhd,xvda,w,discard': { vdev: 'xvda', path: '/srv/a.vhd', format: 'vhd' },
    'format=qcow2, vdev=hda, access=rw, target=/srv/a b,c=d.img': { vdev: 'hda', path: '/srv/a b,c=d.img', format: 'qcow2' },
    'vdev=xvdb,target=/dev/sdb': { vdev: 'xvdb', path: '/dev/sdb' },
    ',hdc:cdrom,r': { vdev: 'hdc', path: '' },
    '/srv/cd.iso,,hdc:cdrom,r': { vdev: 'hdc', path: '/srv/cd.iso' },
    'devtype=cdrom,vdev=hdc,access=ro': { vdev: 'hdc', path: '' },
    'iscsi:iqn.2001-05.com.x:disk,xvda,w': { vdev: 'xvda', path: 'iqn.2001-05.com.x:disk', script: 'iscsi' },
    'script=block-drbd,vdev=xvda,target=r0': { vdev: 'xvda', path: 'r0', script: 'block-drbd' },
    '': { vdev: '', path: '' },
  };
  for (const [spec, meaning] of Object.entries(cases)) t.same(parseDisk(spec), meaning, spec);
});
