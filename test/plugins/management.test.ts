import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startCore, accountTable, TextSink, type Core } from '../server/core.js';
import { Service } from '../../src/auth/service.js';
import { workRow, WORKS, type WorkName } from '../../src/instances/work-table.js';
import { Reply } from '../../src/server/reply.js';
import type { Session } from '../../src/server/session.js';
import { State } from '../../src/store/state.js';
import { until } from '../support/until.js';

/** The words for hosts and machines beyond power, line by line against simulated hosts. */

const CONFIG = `
[server]
listen = ["127.0.0.1:0"]
${accountTable('steve', '"*"')}
${accountTable('reader', '"read"')}
${accountTable('maker', '"configure"')}
${accountTable('net', '"host"')}
${accountTable('imager', '"image"')}
${accountTable('tenant', '"*"', '"web1"')}
[providers.demo]
type = "sim"
instances = ["lj", { name = "test", state = "off" }, "web1"]
[providers.lab]
type = "sim"
instances = ["db1"]
`;

/** The server's parts with what they need to write tasks down. */
async function arrange(t: Test, config = CONFIG): Promise<Core> {
  const folder = mkdtempSync(join(tmpdir(), 'argo-words-'));
  const state = new State(folder, () => undefined);
  t.teardown(async () => {
    await state.close();
    rmSync(folder, { recursive: true });
  });
  return startCore(t, { config, workTasks: state.tasks('works') });
}

/** Lines of one request and its reply; of a task's id only that there is one. */
async function say({ ask }: Core, session: Session, line: string): Promise<string[]> {
  return (await ask(session, line)).replace(/^task [\w-]+$/m, 'task ID').split('\n').slice(0, -1);
}

/** A session as it is written: requests behind `> `, each with its reply. */
async function play(t: Test, core: Core, session: Session, text: string): Promise<void> {
  for (const exchange of text.trim().split(/^> /m).slice(1)) {
    const [request = '', ...reply] = exchange.trimEnd().split('\n');
    t.same(await say(core, session, request), reply, request);
  }
}

await t.test('images', async (t) => {
  const core = await arrange(t);
  await play(t, core, await core.session('steve'), `
> image list demo
200 OK
debian12.iso iso iso 659554304 629.0 MiB allocated=659554304
spare.qcow2 disk qcow2 10737418240 10.0 GiB allocated=196624
300 DONE
> image create demo a.raw 512M raw --dry-run
200 OK
make the image a.raw of 512.0 MiB (raw)
300 DONE
> image create demo a.raw 512M raw
200 OK
task ID
300 DONE
> image create demo a.raw 1G
200 OK
task ID
400 WRONG STATE: there is an image a.raw already
> image create demo big.raw 400G raw
200 OK
task ID
400 FAILED: no room: 244.9 GiB are free
> image list demo --json
200 OK
{"name":"a.raw","kind":"disk","format":"raw","capacity":536870912,"allocation":536870912,"usedBy":[]}
{"name":"debian12.iso","kind":"iso","format":"iso","capacity":659554304,"allocation":659554304,"usedBy":[]}
{"name":"spare.qcow2","kind":"disk","format":"qcow2","capacity":10737418240,"allocation":196624,"usedBy":[]}
300 DONE
> image delete demo a.raw
200 OK
300 DONE
> image delete demo a.raw
400 WRONG STATE: there is no image a.raw
`);
});

await t.test('templates, and machines made from them', async (t) => {
  const core = await arrange(t);
  await play(t, core, await core.session('steve'), `
> template list demo
200 OK
alpine container
debian12 vm
300 DONE
> template list demo --json
200 OK
{"name":"alpine","type":"container"}
{"name":"debian12","type":"vm"}
300 DONE
> template show demo debian12
200 OK
name: debian12
type: vm
arch: x86_64
vcpus: 1 (1 to 16)
memory: 1073741824 1.0 GiB (512.0 MiB to 64.0 GiB)
file: debian12.qcow2 qcow2 8589934592 8.0 GiB
300 DONE
> template show demo alpine --json
200 OK
{"name":"alpine","type":"container","arch":"x86_64","vcpus":1,"memory":268435456,"size":1073741824,"disks":[],"limits":{"vcpus":{"min":1,"max":16},"memory":{"min":67108864,"max":68719476736},"cpuLimit":{"min":1,"max":1600},"disk":{"min":1073741824,"max":274877906944}}}
300 DONE
> template deploy demo debian12 web9 vcpus=2 memory=2G bridge=br0
200 OK
task ID
300 DONE
> status web9
200 OK
off
300 DONE
> disk web9
200 OK
vda file qcow2 8589934592 8.0 GiB /srv/sim/images/web9.qcow2
300 DONE
> image list demo
200 OK
debian12.iso iso iso 659554304 629.0 MiB allocated=659554304
spare.qcow2 disk qcow2 10737418240 10.0 GiB allocated=196624
web9.qcow2 disk qcow2 8589934592 8.0 GiB allocated=196624 used-by=web9
300 DONE
> image delete demo web9.qcow2
400 WRONG STATE: web9 has web9.qcow2
> template deploy demo debian12 web9
200 OK
task ID
400 WRONG STATE: there is a machine web9 already
> template deploy demo alpine ct1 memory=512M disk=2G address=192.0.2.77 nameserver=192.0.2.1 search-domain=example.org
200 OK
task ID
300 DONE
> hardware show ct1
200 OK
vcpus: 1 (1 to 16)
memory: 536870912 512.0 MiB (64.0 MiB to 64.0 GiB)
disk: 2147483648 2.0 GiB (1.0 MiB to 256.0 GiB)
address: 192.0.2.77
nameserver: 192.0.2.1
search-domain: example.org
autostart: off
300 DONE
> template deploy demo debian12 web8 memory=100G vcpus=0
400 BAD REQUEST: vcpus: a whole number from 1 on is expected
> template deploy demo debian12 web8 memory=100G disk=20G
200 OK
task ID
400 BAD REQUEST: disk: only containers have it; memory: must be 512.0 MiB to 64.0 GiB
> template create lj gold
200 OK
task ID
400 WRONG STATE: lj is on
> template create web9 gold memory=1G --dry-run
200 OK
web9: make the template gold of it with memory 1.0 GiB (it was last seen off)
vda gold.qcow2 8589934592 8.0 GiB /srv/sim/images/web9.qcow2
300 DONE
> template create web9 gold memory=1G
200 OK
task ID
300 DONE
> template show demo gold
200 OK
name: gold
type: vm
arch: x86_64
vcpus: 2 (1 to 16)
memory: 1073741824 1.0 GiB (64.0 MiB to 64.0 GiB)
file: gold.qcow2 qcow2 8589934592 8.0 GiB
300 DONE
> template delete demo gold
200 OK
300 DONE
> template show demo gold
400 WRONG STATE: there is no template gold
> machine delete demo/web9 --dry-run
200 OK
web9: delete it and keep its disks (it was last seen off)
300 DONE
> machine delete demo/web9 --disks --force
200 OK
300 DONE
> machine delete demo/ct1 --force
200 OK
300 DONE
> image list demo
200 OK
ct1.qcow2 disk qcow2 2147483648 2.0 GiB allocated=196624
debian12.iso iso iso 659554304 629.0 MiB allocated=659554304
spare.qcow2 disk qcow2 10737418240 10.0 GiB allocated=196624
300 DONE
> list
200 OK
lj
test
web1
db1
300 DONE
`);
});

await t.test('machines from an ISO image', async (t) => {
  const core = await arrange(t);
  await play(t, core, await core.session('steve'), `
> machine limits demo
200 OK
vcpus: 1 to 16
memory: 67108864 64.0 MiB to 68719476736 64.0 GiB
cpu-limit: 1 to 1600
disk: 1048576 1.0 MiB to 274877906944 256.0 GiB
300 DONE
> machine install demo new iso=debian12.iso memory=2G vcpus=2 disk=20G os=debian12 acpi=off --dry-run
200 OK
make the machine new with 2 CPUs, 2.0 GiB of memory and a disk of 20.0 GiB, and start it from debian12.iso
300 DONE
> machine install demo new iso=debian12.iso memory=2G vcpus=2 volume=/dev/vg0/spare
200 OK
task ID
300 DONE
> status new
200 OK
on
300 DONE
> volume list demo
200 OK
/dev/vg0/spare 21474836480 20.0 GiB used-by=new
300 DONE
> volume groups demo
200 OK
vg0 107374182400 100.0 GiB free=85899345920 volumes=1 disks=1
300 DONE
> machine install demo newer iso=nothing.iso memory=900G vcpus=2 disk=20G
200 OK
task ID
400 BAD REQUEST: memory: must be 64.0 MiB to 64.0 GiB; iso: there is no such ISO image
> machine install demo new iso=debian12.iso memory=2G vcpus=2 disk=20G
200 OK
task ID
400 WRONG STATE: there is a machine new already
> machine install demo new iso=nothing.iso memory=2G vcpus=2 disk=20G --dry-run
200 OK
make the machine new with 2 CPUs, 2.0 GiB of memory and a disk of 20.0 GiB, and start it from nothing.iso; there is no nothing.iso now; there is a machine new already
300 DONE
> template deploy demo debian12 new --dry-run
200 OK
make the machine new from the template debian12; there is a machine new already
300 DONE
> template create demo/test alpine --dry-run
200 OK
test: make the template alpine of it; there is alpine already (it was last seen off)
vda alpine.qcow2 4294967296 4.0 GiB /srv/sim/test.img
300 DONE
> machine delete demo/new --force
400 WRONG STATE: new is on
> stop new --force
200 OK
300 DONE
> machine delete demo/new --force --disks
200 OK
300 DONE
`);
});

await t.test('what a machine has', async (t) => {
  const core = await arrange(t);
  await play(t, core, await core.session('steve'), `
> hardware show lj
200 OK
vcpus: 1 (1 to 16)
memory: 268435456 256.0 MiB (64.0 MiB to 64.0 GiB)
disk: 4294967296 4.0 GiB (1.0 MiB to 256.0 GiB)
autostart: off
300 DONE
> hardware change lj vcpus=2 memory=512M autostart=on --dry-run
200 OK
lj: set vcpus 2, memory 512.0 MiB, autostart on for its next start (it was last seen on)
300 DONE
> hardware change lj vcpus=2 memory=512M autostart=on
200 OK
300 DONE: from its next start on
> hardware show lj
200 OK
vcpus: 2 (1 to 16)
memory: 536870912 512.0 MiB (64.0 MiB to 64.0 GiB)
disk: 4294967296 4.0 GiB (1.0 MiB to 256.0 GiB)
autostart: on
300 DONE
> hardware change test memory=1G
200 OK
300 DONE
> hardware change lj autostart=on --dry-run
200 OK
lj: set autostart on (it was last seen on)
300 DONE
> hardware change lj autostart=on
200 OK
300 DONE
> hardware change lj cpu-limit=50 address=192.0.2.1
400 BAD REQUEST: cpu-limit: only containers have it; address: only containers have it
> hardware change lj disk=1G
400 BAD REQUEST: disk: cannot become smaller
> hardware show lj --json
200 OK
{"vcpus":2,"memory":536870912,"disk":4294967296,"autostart":true,"limits":{"vcpus":{"min":1,"max":16},"memory":{"min":67108864,"max":68719476736},"disk":{"min":1048576,"max":274877906944}}}
300 DONE
`);
});

await t.test('routes, the gateway and bridges', async (t) => {
  const core = await arrange(t);
  await play(t, core, await core.session('steve'), `
> route list demo
200 OK
default via 198.51.100.1 dev eth0 metric 0 proto static
198.51.100.0/24 dev eth0 metric 0 proto kernel
203.0.113.0/24 dev br0 metric 0 proto kernel
300 DONE
> route add demo 192.0.2.0/24 via 203.0.113.9 dev br0 --dry-run
200 OK
add the route 192.0.2.0/24 by 203.0.113.9 on br0
300 DONE
> route add demo 192.0.2.0/24 via 203.0.113.9 dev br0
200 OK
300 DONE: lasts until the host is restarted; no tool of its own keeps it
> route replace demo 192.0.2.0/24 via 203.0.113.9 dev br0 with 192.0.2.128/25 via 203.0.113.8 dev br0
200 OK
300 DONE: lasts until the host is restarted; no tool of its own keeps it
> route delete demo 192.0.2.128/25 via 203.0.113.8 dev br0
200 OK
300 DONE: lasts until the host is restarted; no tool of its own keeps it
> route delete demo 192.0.2.128/25 via 203.0.113.8 dev br0
400 WRONG STATE: there is no such route to 192.0.2.128/25
> route add demo 192.0.2.7 dev eth9
400 FAILED: Cannot find device "eth9"
> route delete demo default via 198.51.100.1 dev eth0
400 WRONG STATE: it touches eth0, by which the host is reached; --force does it all the same
> route delete demo default via 198.51.100.1 dev eth0 --force
400 FAILED: the host could not be reached any more, and has undone it
> gateway show demo eth0
200 OK
198.51.100.1
300 DONE
> gateway show demo br0
200 OK
300 DONE
> gateway set demo eth0 198.51.100.9
400 WRONG STATE: it touches eth0, by which the host is reached; --force does it all the same
> gateway set demo eth0 198.51.100.9 --force --rollback=60
200 OK
300 DONE: lasts until the host is restarted; no tool of its own keeps it
> gateway show demo eth0 --json
200 OK
{"gateway":"198.51.100.9"}
300 DONE
> bridge list demo
200 OK
br0 up members=eth1 addresses=203.0.113.1/24
300 DONE
> bridge add demo br7 address=192.0.2.1/24
200 OK
300 DONE: lasts until the host is restarted; no tool of its own keeps it
> bridge add-member demo br7 eth2
200 OK
300 DONE: lasts until the host is restarted; no tool of its own keeps it
> bridge change demo br7
200 OK
300 DONE: lasts until the host is restarted; no tool of its own keeps it
> bridge list demo --json
200 OK
{"name":"br0","members":["eth1"],"addresses":["203.0.113.1/24"],"isUp":true}
{"name":"br7","members":["eth2"],"addresses":[],"isUp":true}
300 DONE
> bridge delete demo br7
400 WRONG STATE: br7 has members: eth2
> bridge delete-member demo br7 eth2
200 OK
300 DONE: lasts until the host is restarted; no tool of its own keeps it
> bridge delete demo br7
200 OK
300 DONE: lasts until the host is restarted; no tool of its own keeps it
> bridge add-member demo br0 eth0 --force
400 FAILED: the host could not be reached any more, and has undone it
`);
});

await t.test('figures', async (t) => {
  const core = await arrange(t);
  await play(t, core, await core.session('steve'), `
> stats demo cpu memory df swap network iowait kernel bandwidth
200 OK
cpu: 2.0% Simulated CPU 2000 MHz 8192 KB
memory: 1610612736 of 68719476736, 1.5 GiB of 64.0 GiB
df: / /dev/sim0 42949672960 of 536870912000, 40.0 GiB of 500.0 GiB
kernel: 0.0.0-simulated
release: Simulated 1
network: eth0 198.51.100.2
bandwidth: received 0 sent 0 of 125000000 a second
swap: /dev/sim1 0 of 4294967296, 0 B of 4.0 GiB
iowait: 0.0%
300 DONE
> stats demo memory --json
200 OK
{"memory":{"total":68719476736,"used":1610612736}}
300 DONE
`);
});

await t.test('migration', async (t) => {
  const core = await arrange(t);
  await play(t, core, await core.session('steve'), `
> migrate test lab --dry-run
200 OK
test: move it to lab (it was last seen off)
300 DONE
> migrate test lab
200 OK
task ID
300 DONE
> list
200 OK
lj
web1
db1
test
300 DONE
> status lab/test
200 OK
off
300 DONE
> migrate lab/test lab
400 BAD REQUEST: to: test is on lab already
> migrate db1 nowhere
400 NO SUCH PROVIDER: nowhere
`);
});

await t.test('whoever may begin something may see and cancel his own, whatever else he may not', async (t) => {
  const config = CONFIG.replace('instances = ["db1"]', 'instances = ["db1"]\nlatency = "600ms"') + accountTable('deployer', '"template.deploy"') + accountTable('mover', '"migrate"') + accountTable('starter', '"start"') + accountTable('lister', '"template.list", "hardware.show"');
  const core = await arrange(t, config);
  const deployer = await core.session('deployer');
  const sink = new TextSink();
  const running = Promise.resolve(core.dispatcher.dispatch(await core.session('deployer'), 'template deploy lab debian12 web9', new Reply(sink, '\n')));
  await until(() => /^task \S+\n/m.test(sink.text), 10_000, 'its id');
  const id = /^task (\S+)$/m.exec(sink.text)![1]!;
  t.match(await core.ask(deployer, 'task'), new RegExp(`^200 OK\n${id} deployer template\\.deploy lab \\S+ working.*\n300 DONE\n$`));
  for (const other of ['mover', 'starter']) {
    t.equal(await core.ask(await core.session(other), 'task'), '200 OK\n300 DONE\n', other);
    t.equal(await core.ask(await core.session(other), `task cancel ${id}`), `400 NO SUCH TASK: ${id}\n`, other);
    t.match(await core.ask(await core.session(other), 'help'), /^task /m);
  }
  const lister = await core.session('lister');
  t.equal(await core.ask(lister, 'task'), '400 NOT ALLOWED\n', 'who only looks begins nothing');
  t.notMatch(await core.ask(lister, 'help'), /^task /m);
  t.match(await core.ask(deployer, `task cancel ${id}`), /^200 OK\n300 DONE: /);
  await running;
  t.match(await core.ask(deployer, `task ${id}`), /^state: cancelled$/m);
  t.equal(await core.ask(deployer, `task cancel ${id}`), '400 WRONG STATE: it has ended\n');
});

await t.test('a grant of what gateways call a piece of work lets it be typed, and the other way round', async (t) => {
  const twins = [['machine.migrate', 'migrate', 'migrate test lab --dry-run'], ['hardware.read', 'hardware.show', 'hardware show lj'], ['template.describe', 'template.show', 'template show demo debian12'], ['gateway.read', 'gateway.show', 'gateway show demo br0']] as const;
  const config = CONFIG + twins.map(([operation, typed], index) => accountTable(`operation${index}`, `"${operation}"`) + accountTable(`typed${index}`, `"${typed}"`)).join('');
  const core = await arrange(t, config);
  for (const [index, [operation, , line]] of twins.entries()) {
    for (const kind of ['operation', 'typed']) {
      const name = `${kind}${index}`;
      t.match(await core.ask(await core.session(name), line), /^200 OK\n/, `${name}: ${line}`);
      const actor = core.gate.actor({ identity: new Service(name, core.authenticator), through: undefined, origin: 'x' });
      const { instances: [lj] } = await actor.select(['lj']);
      t.ok(actor.may(operation, lj!), `${name}: ${operation}`);
      for (const [other, [, , words]] of twins.entries()) if (other !== index) t.equal(await core.ask(await core.session(name), words), '400 NOT ALLOWED\n', `${name}: ${words}`);
    }
  }
  const typed = new Set(core.dispatcher.parts.table.all().flatMap(({ word, verbs }) => [word, ...verbs.map((verb) => `${word}.${verb.word}`)]));
  const untyped = (Object.keys(WORKS) as WorkName[]).filter((name) => !typed.has(workRow(name).typed ?? name));
  t.same(untyped, ['template.preview', 'stats.host', 'stats.guests'], 'each is typed as the table says, or by a command alone');
});

await t.test('a task says how far it is, can be cancelled, and goes on without its client', async (t) => {
  const core = await arrange(t, CONFIG.replace('instances = ["db1"]', 'instances = ["db1"]\nlatency = "600ms"'));
  const begin = async (line: string): Promise<{ readonly sink: TextSink; readonly running: Promise<void>; readonly id: string }> => {
    const sink = new TextSink();
    const running = Promise.resolve(core.dispatcher.dispatch(await core.session('steve'), line, new Reply(sink, '\n')));
    await until(() => sink.text.includes('\ntask ') && sink.text.endsWith('\n'), 10_000, 'its id');
    return { sink, running, id: /^task (\S+)$/m.exec(sink.text)![1]! };
  };
  const steve = await core.session('steve');
  const first = await begin('template deploy lab debian12 web9');
  t.match(await core.ask(steve, `task ${first.id}`), new RegExp(`^id: ${first.id}$`, 'm'));
  await first.running;
  t.match(first.sink.text, /^200 OK\ntask \S+\n(working \(\d+ %\)\n)+300 DONE\n$/);
  t.ok(first.sink.text.split('\n').length <= 3 + 4 + 4, 'a line a second at most');
  const second = await begin('template deploy lab debian12 web8');
  t.match(await core.ask(steve, `task cancel ${second.id}`), /^200 OK\n300 DONE: /);
  await second.running;
  t.match(second.sink.text, /\n400 (?!UNCERTAIN)[A-Z ]+: .*nothing of it is left\n$/);
  const third = await begin('template deploy lab debian12 web7');
  third.sink.gone = true;
  await until(async () => (await core.ask(steve, 'list')).includes('\nweb7\n'), 20_000, 'its machine');
  await third.running;
  t.notMatch(await core.ask(steve, 'list'), /web8/);
});

await t.test('bad arguments are told, and the connection goes on', async (t) => {
  const core = await arrange(t);
  const steve = await core.session('steve');
  const names = ['..', 'a/b', '/etc/passwd', '-rf', '"-rf"', '"a b"', '"a\\"b"', '"a\'b"', '"$(reboot)"', '"a\u0000b"', 'a;b', 'é', `"${'x'.repeat(300)}"`, '""'];
  for (const name of names) {
    for (const line of [`image create demo ${name} 1G`, `image delete demo ${name}`, `template deploy demo debian12 ${name}`, `template show demo ${name}`, `template create test ${name}`, `bridge delete demo ${name}`, `machine install demo ${name} iso=x.iso memory=1G vcpus=1 disk=1G`]) {
      t.match(await core.ask(steve, line), /^400 (BAD REQUEST|USAGE): \S/, line);
    }
  }
  for (const size of ['0', '0G', '-1G', '1e99', '1e3G', '10', '1.5G', 'G', '10GB', '""', '99999999999999999P', '1K', 'NaN', '0x10G']) {
    for (const line of [`image create demo a ${size}`, `hardware change lj memory=${size}`, `template deploy demo alpine a disk=${size}`]) t.match(await core.ask(steve, line), /^400 BAD REQUEST: (size|memory|disk): \S/, line);
  }
  for (const [line, reply] of [
    ['image create demo a', /^400 USAGE: image create PROVIDER/], ['image create demo a 1G vmdk', /^400 USAGE/], ['image create demo a 1G raw more', /^400 USAGE/], ['image list', /^400 USAGE/], ['image list demo lab', /^400 USAGE/],
    ['hardware change lj', /^400 USAGE/], ['hardware change lj colour=red', /^400 USAGE/], ['hardware change lj memory', /^400 USAGE/], ['hardware change lj =1', /^400 USAGE/], ['hardware change lj __proto__=1', /^400 USAGE/],
    ['hardware change lj memory=1G memory=2G', /^400 BAD REQUEST: memory: it is given twice\n$/], ['hardware change lj vcpus=0 memory=x', /^400 BAD REQUEST: vcpus: .*; memory: /], ['hardware change lj autostart=perhaps', /^400 BAD REQUEST: autostart: on or off/],
    ['hardware show lj test', /^400 USAGE/], ['hardware show l*', /^400 USAGE/], ['hardware show nothing', /^400 NO SUCH INSTANCE: nothing/],
    ['machine install demo new iso=a.iso memory=1G vcpus=1', /^400 USAGE/], ['machine install demo new iso=a.iso memory=1G vcpus=1 disk=1G volume=/dev/vg0/spare', /^400 USAGE/],
    ['machine install demo new iso=../a memory=1G vcpus=1 volume=/etc/passwd', /^400 BAD REQUEST: /],
    ['route add demo 10.0.0.0/99 dev br0', /^400 BAD REQUEST: prefix: /], ['route add demo 10.0.0.0/x dev br0', /^400 BAD REQUEST: destination: /], ['route add demo 10.0.0.1/8 dev br0', /^400 BAD REQUEST: destination: /], ['route add demo 10.0.0.0/8 br0', /^400 USAGE/],
    ['route add demo 10.0.0.0/8 via dev br0', /^400 USAGE/], ['route add demo 10.0.0.0/8 dev br0 more', /^400 USAGE/], ['route add demo 10.0.0.0/8 dev "br0;reboot"', /^400 BAD REQUEST: interface: /], ['route replace demo 10.0.0.0/8 dev br0', /^400 USAGE/],
    ['route add demo 10.0.0.0/8 dev br0 --rollback=1', /^400 BAD REQUEST: rollback: /], ['bridge add demo br7 address=10.0.0.1', /^400 BAD REQUEST: address: /], ['gateway set demo eth0 999.1.1.1', /^400 BAD REQUEST: gateway: /],
    ['stats demo cpu bogus', /^400 USAGE/], ['stats demo guests cpu', /^400 USAGE/], ['migrate lj', /^400 USAGE/], ['migrate lj lab more', /^400 USAGE/], ['migrate lj nowhere', /^400 NO SUCH PROVIDER: nowhere/], ['migrate lj demo', /^400 BAD REQUEST: to: /],
    ['image list nowhere', /^400 NO SUCH PROVIDER: nowhere/],
  ] as const) t.match(await core.ask(steve, line), reply, line);
  t.equal(await core.ask(steve, 'status lj'), '200 OK\non\n300 DONE\n');
  t.same(core.audit.begun, [], 'nothing of that was begun');
});

await t.test('nobody deletes a machine by a slip', async (t) => {
  const core = await arrange(t);
  const steve = await core.session('steve');
  const names = 'demo/test, demo/web1';
  for (const line of ['test --force', 'demo/test', 'demo/* --force', '* --force', 'demo/te?t --force', '@all --force', 'demo/test demo/web1 --force', 'test --disks --force']) {
    t.match(await core.ask(steve, `machine delete ${line}`), /^400 (USAGE|NO MATCH|AMBIGUOUS)/, line);
  }
  t.match(await core.ask(steve, 'machine delete demo/lj --force'), /400 WRONG STATE: lj is on\n$/, names);
  t.same(core.audit.begun.map(({ instance }) => instance), ['demo/lj']);
  t.equal((await core.ask(steve, 'list')).split('\n').length, 7, 'all are there');
});

await t.test('figures of machines', async (t) => {
  const core = await arrange(t);
  const steve = await core.session('steve');
  t.match(await core.ask(steve, 'stats demo guests'), /^200 OK\nlj vcpus=1 cpu=10\.0% cpu-time=\d+ memory=268435456 max-memory=268435456 used-memory=134217728 rx=\d+ tx=\d+\ntest vcpus=1 memory=0 max-memory=268435456 rx=0 tx=0\nweb1 .*\n300 DONE\n$/);
  const rows = (await core.ask(steve, 'stats demo guests --json')).split('\n').slice(1, -2).map((line) => JSON.parse(line) as object);
  t.match(rows, [{ name: 'lj', id: '1', vcpus: 1, memory: 268435456 }, { name: 'test' }, { name: 'web1' }]);
  t.match(await core.ask(steve, 'stats demo'), /^cpu: .*\n(.*\n)*iowait: 0\.0%$/m);
});

await t.test('a dry run changes nothing', async (t) => {
  const core = await arrange(t);
  const steve = await core.session('steve');
  const look = async (): Promise<string[]> => Promise.all(['list', 'image list demo', 'template list demo', 'hardware show test', 'route list demo', 'bridge list demo', 'list', 'volume list demo'].map((line) => core.ask(steve, line)));
  const before = await look();
  for (const line of [
    'image create demo a 1G', 'image delete demo spare.qcow2', 'template deploy demo debian12 a vcpus=2', 'template create test gold', 'template delete demo alpine', 'machine install demo a iso=debian12.iso memory=1G vcpus=1 disk=1G',
    'machine delete demo/test', 'machine delete demo/test --disks --force', 'hardware change test memory=1G', 'migrate test lab', 'route add demo 192.0.2.0/24 dev br0', 'route replace demo 203.0.113.0/24 dev br0 with 192.0.2.0/24 dev br0', 'route delete demo 203.0.113.0/24 dev br0',
    'gateway set demo eth0 198.51.100.9 --force', 'bridge add demo br7', 'bridge change demo br0', 'bridge delete demo br0', 'bridge add-member demo br0 eth2', 'bridge delete-member demo br0 eth1',
  ]) t.match(await core.ask(steve, `${line} --dry-run`), /^200 OK\n\S.*\n(.*\n)?300 DONE\n$/, line);
  t.same(await look(), before);
  t.same(core.audit.begun, []);
});

await t.test('each verb by its right', async (t) => {
  const core = await arrange(t);
  const lines: Readonly<Record<string, readonly string[]>> = {
    reader: ['image list demo', 'template list demo', 'template show demo debian12', 'machine limits demo', 'hardware show lj', 'volume list demo', 'volume groups demo', 'route list demo', 'gateway show demo eth0', 'bridge list demo', 'stats demo', 'stats demo guests'],
    maker: ['image create demo a 1G', 'image delete demo spare.qcow2', 'template deploy demo debian12 a', 'template create test gold', 'template delete demo alpine', 'machine install demo a iso=debian12.iso memory=1G vcpus=1 disk=1G', 'machine delete demo/test --force', 'hardware change lj memory=1G', 'migrate lj lab'],
    net: ['route add demo 192.0.2.0/24 dev br0', 'route replace demo 203.0.113.0/24 dev br0 with 192.0.2.0/24 dev br0', 'route delete demo 203.0.113.0/24 dev br0', 'gateway set demo eth0 198.51.100.9 --force', 'bridge add demo br7', 'bridge change demo br0', 'bridge delete demo br0', 'bridge add-member demo br0 eth2', 'bridge delete-member demo br0 eth1'],
  };
  for (const [name, own] of Object.entries(lines)) {
    for (const account of ['reader', 'maker', 'net']) {
      const session = await core.session(account);
      for (const line of own) {
        // one that may not change may not even ask what would be done
        const reply = await core.ask(session, name === 'reader' ? line : `${line} --dry-run`);
        if (account === name) t.match(reply, /^200 OK\n/, `${account}: ${line}`);
        else t.equal(reply, '400 NOT ALLOWED\n', `${account}: ${line}`);
      }
    }
  }
  const imager = await core.session('imager');
  for (const line of lines.maker!) t.match(await core.ask(imager, `${line} --dry-run`), line.startsWith('image ') ? /^200 OK/ : /^400 NOT ALLOWED/, line);
  t.match(await core.ask(imager, 'image list demo'), /^200 OK/);
  const tenant = await core.session('tenant');
  for (const provider of ['demo', 'lab', 'nowhere']) t.equal(await core.ask(tenant, `image list ${provider}`), '400 NOT ALLOWED\n', 'a provider as a whole is not its own, and whether there is one is not told');
  t.match(await core.ask(tenant, 'hardware show web1'), /^200 OK/);
  t.equal(await core.ask(tenant, 'hardware show lj'), '400 NOT ALLOWED\n');
  t.match(await core.ask(tenant, 'migrate web1 lab'), /400 NOT ALLOWED\n$/, 'it has no right on the other side');
  t.match(await core.ask(tenant, 'stats demo guests'), /^200 OK\nweb1 [^\n]*\n300 DONE\n$/, 'of its own machines alone');
  t.same(core.audit.begun, []);
});
