import { mkdir, readdir, realpath, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import * as v from 'valibot';
import { ArgoError } from '../../src/kit/errors.js';
import type { Driver, Machine, PowerState } from '../../src/drivers/driver.js';
import { THIS_HOST } from '../../src/drivers/xen/context.js';
import { openXen } from '../../src/drivers/xen/driver.js';
import xen from '../../src/drivers/xen/index.js';
import { lacksXen, startXen, type XenHost } from '../peers/xen/start.js';

/** Milliseconds for what should take one or two seconds on an idle machine. */
const PATIENCE = 30_000;

const signal = (): AbortSignal => AbortSignal.timeout(PATIENCE);

interface Setting {
  readonly host: XenHost;
  readonly driver: Driver;
  readonly logged: string[];
  readonly relists: () => number;
  /** the machine as a fresh listing has it */
  machine(name: string): Promise<Machine>;
  states(): Promise<Record<string, PowerState>>;
}

async function setting(t: Test, prepare?: (host: XenHost) => Promise<unknown>): Promise<Setting> {
  const host = await startXen();
  const logged: string[] = [];
  let relists = 0;
  await prepare?.(host);
  const driver = openXen({ xl: host.xl, configDir: host.configDir, saveDir: host.saveDir }, {
    name: 'dom0',
    log: (level, message) => logged.push(`${level} ${message}`),
    changed: () => undefined,
    relist: () => { relists += 1; },
    lost: () => undefined,
  }, { ...THIS_HOST, procNetDev: host.procNetDev, lookup: resolve });
  t.teardown(async () => {
    await driver.close(AbortSignal.timeout(5000));
    await host.stop();
  });
  const states = async (): Promise<Record<string, PowerState>> =>
    Object.fromEntries((await driver.list(signal())).map(({ machine, state }) => [machine.name, state]));
  const machine = async (name: string): Promise<Machine> => {
    const found = (await driver.list(signal())).find((sighting) => sighting.machine.name === name);
    if (!found) throw new Error(`${name} is not listed`);
    return found.machine;
  };
  return { host, driver, logged, relists: () => relists, machine, states };
}

function resolve(name: string): Promise<readonly string[]> {
  if (name === 'hangs') return new Promise(() => undefined);
  return name === 'db' ? Promise.resolve(['10.0.0.7', '10.0.0.7', 'fd00::7']) : Promise.reject(new Error('ENOTFOUND'));
}

async function reaches(machine: Machine, wanted: PowerState): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  let state: PowerState | undefined;
  while ((state = await machine.status(signal())) !== wanted) {
    if (Date.now() > deadline) throw new Error(`${machine.name} is ${state}, not ${wanted}`);
    await sleep(50);
  }
}

async function rejects(t: Test, work: Promise<unknown> | undefined, phrase: string, detail?: RegExp): Promise<void> {
  const error = await work?.then(() => undefined, (thrown: unknown) => thrown);
  t.ok(error instanceof ArgoError, `${phrase} is an ArgoError: ${String(error)}`);
  if (!(error instanceof ArgoError)) return;
  t.equal(error.phrase, phrase, error.message);
  if (detail) t.match(error.detail, detail);
}

const PV = (name: string, more = ''): string => `
# a guest
name = '${name}'
kernel = "/boot/vmlinuz"
memory = '256'
vcpus = 2
vif = [ 'ip=192.168.1.51,mac=00:16:3E:12:34:56,bridge=xenbr0' ]
disk = [
    'phy:/dev/vg0/web-disk,xvda2,w', # the root
]
${more}
`;
const HVM = (name: string, more = ''): string => `type = "hvm"\nname = "${name}"\nmemory = 512\nvcpus = 1\n${more}\n`;

const skip = lacksXen();

void t.test('life of a PV guest', { skip }, async (t) => {
  const { host, driver, machine, states } = await setting(t, (host) => host.configure('web.cfg', PV('web 1.example')));
  t.same(await states(), { 'web 1.example': 'off' });
  const web = await machine('web 1.example');

  await web.start?.(signal());
  t.equal(await web.status(signal()), 'on');
  const mark = await web.bootMark?.(signal());
  t.match(mark, /^[0-9a-f-]{36}\/1$/);

  await web.pause?.(signal());
  t.equal(await web.status(signal()), 'paused');
  await rejects(t, web.shutdown?.(signal()), 'WRONG STATE', /paused/);
  await rejects(t, web.suspend?.(signal()), 'WRONG STATE', /paused/);
  await web.unpause?.(signal());
  t.equal(await web.status(signal()), 'on');

  await web.reboot?.(signal());
  const seen = new Set<PowerState>();
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    seen.add(await web.status(signal()));
    const now = await web.bootMark?.(signal()).catch(() => mark);
    if (now !== mark || Date.now() > deadline) break;
    await sleep(50);
  }
  t.match(await web.bootMark?.(signal()), /\/2$/, 'the domain has a new number');
  t.notOk(seen.has('off'), 'a guest that reboots is at no time off');
  t.ok(seen.has('starting'), 'while it has no domain it is starting');

  t.match(await web.uptime?.(signal()), Number);
  t.same(await web.ip?.(signal()), ['192.168.1.51']);
  t.same(await web.mac?.(signal()), ['00:16:3e:12:34:56']);
  t.match(await web.load?.(signal()), { cpuPercent: Number });
  t.same(await web.disk?.(signal()), [{ target: 'xvda2', type: 'missing', format: 'raw', source: '/dev/vg0/web-disk' }]);
  t.match(await web.info?.(signal()), {
    uuid: /^[0-9a-f-]{36}$/, cpus: 2, memory: 268_435_456n, ips: ['192.168.1.51'], macs: ['00:16:3e:12:34:56'],
    more: { virtualization: 'pv', domid: '2', config: join(host.configDir, 'web.cfg') },
  });

  await web.reset?.(signal());
  t.match(await web.bootMark?.(signal()), /\/3$/);

  await web.shutdown?.(signal());
  await reaches(web, 'off');
  await rejects(t, web.shutdown?.(signal()), 'WRONG STATE', /not running/);
  await rejects(t, web.powerOff?.(signal()), 'WRONG STATE');
  await rejects(t, web.uptime?.(signal()), 'WRONG STATE');
  t.same(await web.ip?.(signal()), ['192.168.1.51'], 'its file knows, too');

  await web.start?.(signal());
  await web.powerOff?.(signal());
  t.equal(await web.status(signal()), 'off');
  t.match(await driver.dmesg?.(signal()), /^\(XEN\) Xen version 4\.17/);
  t.same(await host.violations(), []);
});

void t.test('who starts a guest that just reboots waits for xl to build it: of two builders the second would undo what came after', { skip }, async (t) => {
  const { host, machine } = await setting(t, (host) => host.configure('web.cfg', PV('web')));
  const web = await machine('web');
  await web.start?.(signal());
  await web.reboot?.(signal());
  await reaches(web, 'starting');
  const early: unknown = await web.start?.(AbortSignal.timeout(50)).catch((error: unknown) => error);
  // on a busy machine it is xl's list for which there is no time
  t.match(String(early), /UNCERTAIN: .*just rebooting|UNREACHABLE: xl list did not end/);
  await web.start?.(signal());
  t.match(await web.bootMark?.(signal()), /\/2$/, "it is xl's own domain");
  await web.suspend?.(signal());
  await sleep(3000);
  t.equal(await web.status(signal()), 'suspended');
  t.same(await host.violations(), []);
});

void t.test('suspend and resume', { skip }, async (t) => {
  const { host, logged, machine, states } = await setting(t, (host) => host.configure('db.cfg', PV('db/1')));
  const db = await machine('db/1');
  await rejects(t, db.resume?.(signal()), 'WRONG STATE', /not suspended/);
  await db.start?.(signal());
  await db.suspend?.(signal());
  t.equal(await db.status(signal()), 'suspended');
  t.same(await states(), { 'db/1': 'suspended' });
  t.same(await readdir(host.saveDir), ['db%2F1.save']);
  t.equal((await stat(host.saveDir)).mode & 0o777, 0o700);
  await rejects(t, db.start?.(signal()), 'WRONG STATE', /suspended/);

  await host.faults(['restore', 'db/1', 'fail']);
  await rejects(t, db.resume?.(signal()), 'FAILED', /Invalid ident/);
  t.equal(await db.status(signal()), 'suspended', 'a failed restore keeps the image');

  await host.faults(['unpause', 'db/1', 'fail']);
  await rejects(t, db.resume?.(signal()), 'FAILED', /left it paused: .*not permitted/);
  t.same(await readdir(host.saveDir), ['db%2F1.save'], 'an image stays until its machine is seen to run');
  t.same(await states(), { 'db/1': 'paused' }, 'and is not set aside for one that is paused');
  await db.powerOff?.(signal());
  t.equal(await db.status(signal()), 'suspended');

  await host.faults();
  await db.resume?.(signal());
  t.equal(await db.status(signal()), 'on');
  t.same(await readdir(host.saveDir), []);

  await host.faults(['suspend', 'db/1', 'fail']);
  await rejects(t, db.suspend?.(signal()), 'FAILED', /No space left/);
  t.equal(await db.status(signal()), 'on', 'xl wakes a guest whose save failed');
  t.same(await readdir(host.saveDir), []);

  await writeFile(join(host.saveDir, 'db%2F1.save'), 'of an earlier life');
  await writeFile(join(host.saveDir, 'db%2F1.partial'), 'of a daemon that was killed');
  t.same(await states(), { 'db/1': 'on' });
  t.same((await readdir(host.saveDir)).sort(), ['db%2F1.partial', 'db%2F1.stale'], 'an image of a running machine is stale');
  t.equal(logged.filter((line) => line.includes('no longer used')).length, 1);
  await utimes(join(host.saveDir, 'db%2F1.partial'), 1, 1);
  await states();
  t.same(await readdir(host.saveDir), ['db%2F1.stale']);

  await db.powerOff?.(signal());
  await writeFile(join(host.saveDir, 'db%2F1.partial'), 'of a daemon that was killed');
  t.same(await states(), { 'db/1': 'unknown' }, 'half an image is neither off nor suspended');
  await rejects(t, db.start?.(signal()), 'WRONG STATE', /db%2F1\.partial was not written to its end/);
  await db.powerOff?.(signal());
  t.equal(await db.status(signal()), 'off', 'to stop it by force gives it up');
  await host.faults();
  await db.start?.(signal());
  await db.suspend?.(signal());
  await db.powerOff?.(signal());
  t.equal(await db.status(signal()), 'off');
  t.same(await readdir(host.saveDir), ['db%2F1.stale']);
  t.same(await host.violations(), []);
});

void t.test('a save that outlives its request', { skip }, async (t) => {
  const { host, driver, machine } = await setting(t, (host) => host.configure('db.cfg', PV('db')));
  const db = await machine('db');
  await db.start?.(signal());
  await host.faults(['suspend', 'db', 'delay', 1500]);
  await rejects(t, db.suspend?.(AbortSignal.timeout(700)), 'UNCERTAIN', /left to finish/);
  t.equal(await db.status(signal()), 'stopping');
  await rejects(t, db.start?.(signal()), 'WRONG STATE');
  await rejects(t, db.suspend?.(signal()), 'WRONG STATE');
  await driver.close(signal());
  t.equal(await db.status(signal()), 'suspended', 'closing waits for it');
});

void t.test('HVM guests', { skip }, async (t) => {
  const { host, machine } = await setting(t, async (host) => {
    await host.configure('win.cfg', HVM('win', 'vif = ["bridge=xenbr0"]\ndisk = [ ",hdc:cdrom,r" ]'));
    await host.configure('pvh.cfg', HVM('tools', 'cmdline = "sim.pvdrivers"'));
  });
  const win = await machine('win');
  await rejects(t, win.mac?.(signal()), 'WRONG STATE', /no mac=/);
  await win.start?.(signal());
  t.same(await win.mac?.(signal()), ['00:16:3e:7f:00:01'], 'xl gave it one');
  t.same(await win.disk?.(signal()), [{ target: 'hdc', type: 'empty' }]);
  await rejects(t, win.reboot?.(signal()), 'NOT SUPPORTED', /no PV drivers/);
  t.equal(await win.status(signal()), 'on', 'a refused reboot is not a reset');
  await win.shutdown?.(signal());
  await reaches(win, 'off');
  t.match((await win.info?.(signal()))?.more, { virtualization: 'hvm' });
  t.same(await host.violations(), []);
});

void t.test('what xl lists', { skip }, async (t) => {
  const long = `${'long-name-'.repeat(9)}end`;
  const { host, machine, states, driver } = await setting(t, async (host) => {
    await host.seed(
      { domid: 3, name: 'no file' }, { domid: 4, name: '17' }, { domid: 5, name: long }, { domid: 6, name: '', flags: '' },
      { domid: 7, name: 'gone', flags: 'dZ' }, { domid: 8, name: 'broken', flags: 's', reason: 3 }, { domid: 9, name: 'kept', flags: 's', reason: 0 },
      { domid: 10, name: 'dying', flags: 'd' }, { domid: 14, name: '名'.repeat(60) }, { domid: 11, name: 'tail 9 9 9 r----- 1.0' }, { domid: 12, name: 'twin' }, { domid: 13, name: 'twin' },
    );
    await host.configure('gone.cfg', PV('gone'));
    await host.configure('kept.cfg', PV('kept'));
  });
  t.same(await states(), {
    'no file': 'on', 17: 'on', [long]: 'on', gone: 'off', broken: 'crashed', kept: 'stopping', dying: 'stopping',
    'tail 9 9 9 r----- 1.0': 'on', twin: 'unknown', ['名'.repeat(60)]: 'on',
  });
  t.notOk((await driver.list(signal())).some(({ machine }) => machine.name.startsWith('Domain-0') || machine.name === ''));

  const stray = await machine('no file');
  t.equal(stray.start, undefined, 'without a file it cannot be started');
  t.equal(stray.reset, undefined);
  await stray.pause?.(signal());
  t.equal(await stray.status(signal()), 'paused');
  await stray.powerOff?.(signal());
  await rejects(t, stray.status(signal()), 'NO SUCH INSTANCE');
  await rejects(t, stray.pause?.(signal()), 'NO SUCH INSTANCE');

  const wide = await machine('名'.repeat(60));
  await rejects(t, wide.suspend?.(signal()), 'NOT SUPPORTED', /too long/);
  await wide.powerOff?.(signal());
  await rejects(t, wide.status(signal()), 'NO SUCH INSTANCE');

  const digits = await machine('17');
  await digits.pause?.(signal());
  t.equal(await digits.status(signal()), 'paused');
  t.equal(await digits.uptime?.(signal()).then((seconds) => seconds >= 90_061 && seconds < 90_120), true);

  const kept = await machine('kept');
  await rejects(t, kept.start?.(signal()), 'WRONG STATE', /domain 9 of this name is stopping/);
  await rejects(t, kept.pause?.(signal()), 'WRONG STATE');
  await kept.powerOff?.(signal());
  await kept.start?.(signal());
  t.equal(await kept.status(signal()), 'on');

  const twin = await machine('twin');
  await rejects(t, twin.powerOff?.(signal()), 'AMBIGUOUS', /12, 13/);
  await rejects(t, twin.status(signal()), 'AMBIGUOUS');
  await rejects(t, (await machine('broken')).ip?.(signal()), 'FAILED');
  t.same(await host.violations(), []);
});

void t.test('faults of xl', { skip }, async (t) => {
  const { host, driver, machine } = await setting(t, async (host) => {
    await host.configure('a.cfg', PV('a'));
    await host.configure('deaf.cfg', PV('deaf', 'extra = "sim.stubborn"'));
  });
  const a = await machine('a');
  await host.faults(['create', 'a', 'fail']);
  await rejects(t, a.start?.(signal()), 'FAILED', /unable to add device/);
  t.equal(await a.status(signal()), 'off');
  await host.faults(['unpause', 'a', 'ignore']);
  await rejects(t, a.start?.(signal()), 'FAILED', /left it paused/);
  await host.faults();
  await a.unpause?.(signal());

  await host.faults(['pause', 'a', 'ignore']);
  await rejects(t, a.pause?.(signal()), 'FAILED', /xl reported no error, but it is on/);
  await host.faults(['pause', 'a', 'fail']);
  await rejects(t, a.pause?.(signal()), 'ACCESS DENIED');
  await host.faults(['destroy', 'a', 'fail']);
  await rejects(t, a.powerOff?.(signal()), 'FAILED', /xc_domain_pause failed/);

  await host.faults(['pause', 'a', 'hang']);
  await rejects(t, a.pause?.(AbortSignal.timeout(500)), 'UNCERTAIN', /deadline/);
  await host.faults();
  t.equal(await a.status(signal()), 'on', 'and the state can be read at once');

  await host.faults(['list', '*', 'hang']);
  await rejects(t, a.status(AbortSignal.timeout(500)), 'UNREACHABLE');
  await rejects(t, a.pause?.(AbortSignal.timeout(500)), 'UNREACHABLE', /xl list did not end/);
  await rejects(t, driver.list(AbortSignal.timeout(500)), 'UNREACHABLE');
  await host.faults(['list', '*', 'fail']);
  await rejects(t, driver.list(signal()), 'ACCESS DENIED');
  await host.faults(['list', '*', 'noise', 12_000]);
  await rejects(t, driver.list(signal()), 'FAILED', /more than \d+ bytes/);
  await host.faults(['config', 'a', 'fail']);
  t.same(await a.mac?.(signal()), ['00:16:3e:12:34:56'], 'its file serves where xl tells nothing');
  await host.faults();

  const deaf = await machine('deaf');
  await deaf.start?.(signal());
  await deaf.shutdown?.(signal());
  await deaf.reboot?.(signal());
  t.equal(await deaf.status(signal()), 'on', 'a guest may ignore it');
  await host.type('create', '-q', '-p', await host.configure('zz.cfg', PV('late')));
  await rejects(t, (await machine('late')).start?.(signal()), 'WRONG STATE', /paused already/);
  t.same(await host.violations(), []);
});

void t.test('an xl that ignores SIGTERM is killed, and gives its place back', { skip }, async (t) => {
  const { host, machine } = await setting(t, (host) => host.configure('a.cfg', PV('a')));
  const a = await machine('a');
  await a.start?.(signal());
  await host.faults(['pause', 'a', 'deaf']);
  const calls = Array.from({ length: 12 }, async () => a.pause?.(AbortSignal.timeout(800)));
  const phrases = (await Promise.allSettled(calls)).map((call) => call.status === 'rejected' && call.reason instanceof ArgoError ? call.reason.phrase : 'done');
  t.ok(phrases.every((phrase) => phrase === 'UNCERTAIN' || phrase === 'UNREACHABLE'), phrases.join());
  t.ok(phrases.includes('UNCERTAIN') && !phrases.includes('done'));
  await host.faults();
  t.equal(await a.status(signal()), 'on');
});

void t.test('a hypervisor that is not there', { skip }, async (t) => {
  const host = await startXen();
  t.teardown(() => host.stop());
  const open = (xl: string): Driver => xen.open(
    v.parse(v.strictObject(xen.options), { xl, 'config-dir': host.configDir, 'save-dir': host.saveDir }),
    { name: 'dom0', log: () => undefined, changed: () => undefined, relist: () => undefined, lost: () => undefined },
  );
  for (const [xl, phrase, detail] of [
    [join(host.folder, 'nothing'), 'UNREACHABLE', /cannot be started \(ENOENT\)/],
    [join(host.configDir), 'ACCESS DENIED', /may not be executed/],
    ['/usr/sbin/xl', 'UNREACHABLE', /not been booted under Xen/],
  ] as const) {
    const driver = open(xl);
    await rejects(t, driver.list(signal()), phrase, detail);
    await rejects(t, driver.dmesg?.(signal()), phrase, detail);
    await driver.close(signal());
  }
  t.throws(() => v.parse(v.strictObject(xen.options), { xl: 'xl' }), /full path/);
});

void t.test('the configuration folder', { skip }, async (t) => {
  const { host, driver, logged, relists, machine, states } = await setting(t, async (host) => {
    await host.configure('good.cfg', PV('good'));
    await host.configure('half.cfg', "name = 'half'\nvif = [ 'mac=00:16:3e:00:0");
    await host.configure('none.cfg', 'memory = 5\n');
    await host.configure('good.cfg.dpkg-old', PV('old'));
    await host.configure('good.cfg~', PV('backup'));
    await host.configure('xl.conf', 'autoballoon="off"\n');
    await host.configure('huge.cfg', `#${'x'.repeat(300_000)}\n`);
    await host.configure('same.cfg', PV('good'));
  });
  t.same(await states(), { good: 'off' });
  t.match((await driver.list(signal())).incomplete, /half\.cfg and 2 more files cannot be read or understood$/);
  const about = (file: string): string[] => logged.filter((line) => line.includes(`/${file}`));
  t.same(about('half.cfg').length, 1, 'a broken file is reported once');
  t.match(about('half.cfg')[0], /line 2/);
  t.match(about('none.cfg')[0], /there is no `name/);
  t.match(about('huge.cfg')[0], /larger/);
  t.match(about('same.cfg')[0], /already that of .*good\.cfg/);

  const before = relists();
  await host.configure('half.cfg', PV('half'));
  const deadline = Date.now() + PATIENCE;
  while (relists() === before && Date.now() < deadline) await sleep(50);
  t.ok(relists() > before, 'a change in the folder is noticed');
  t.same(await states(), { good: 'off', half: 'off' });

  await host.configure('half.cfg', "name = 'half");
  t.same(await states(), { good: 'off', half: 'off' }, 'what it said before is kept');
  const half = await machine('half');
  await rejects(t, half.start?.(signal()), 'FAILED', /half\.cfg: line 1/);
  await host.configure('half.cfg', PV('other'));
  await rejects(t, half.start?.(signal()), 'FAILED', /another domain/);
  await rm(join(host.configDir, 'half.cfg'));
  await rejects(t, half.start?.(signal()), 'FAILED', /ENOENT/);
  t.same(await states(), { good: 'off' });

  const odd = await host.configure('a=b -x.cfg', PV('odd'));
  await (await machine('odd')).start?.(signal());
  t.same(await states(), { good: 'off', odd: 'on' }, `xl takes ${odd} for a file, not for a setting`);
  await rm(host.configDir, { recursive: true });
  t.match((await driver.list(signal())).incomplete, /cannot be read \(ENOENT\)/);
  t.same(await states(), { good: 'off', odd: 'on' }, 'a folder that cannot be read makes nobody disappear');
});

void t.test('autostart: links in the folder that xendomains starts', { skip }, async (t) => {
  const { host, machine } = await setting(t, async (host) => {
    await host.configure('web.cfg', PV('web'));
    await host.configure('two words.cfg', PV('two words'));
  });
  const folder = join(host.configDir, 'auto');
  const web = await machine('web');
  t.equal(await web.autostart?.read(signal()), false, 'without the folder');
  await web.autostart?.set(false, signal());
  await rejects(t, web.autostart?.set(true, signal()), 'WRONG STATE', /xendomains is not installed/);
  await mkdir(folder);
  for (const name of ['web', 'two words']) {
    const each = await machine(name);
    await each.autostart?.set(true, signal());
    t.equal(await realpath(join(folder, `${name}.cfg`)), await realpath(join(host.configDir, `${name}.cfg`)));
    t.match(await each.info?.(signal()), { autostart: true, persistent: true });
    await each.autostart?.set(true, signal());
    t.equal((await readdir(folder)).length, 1, 'it was so already');
    await each.autostart?.set(false, signal());
    t.same(await readdir(folder), []);
    t.match(await each.info?.(signal()), { autostart: false });
  }
  await symlink('../web.cfg', join(folder, '10-first'));
  t.equal(await web.autostart?.read(signal()), true, 'under any name');
  await web.autostart?.set(false, signal());
  await writeFile(join(folder, 'copy'), PV('web'));
  t.equal(await web.autostart?.read(signal()), true, 'a copy starts it as well');
  await rejects(t, web.autostart?.set(false, signal()), 'WRONG STATE', /no link to its file/);
  t.same(await readdir(folder), ['copy'], 'and stays');
  await (await machine('two words')).start?.(signal());
  await rm(join(host.configDir, 'two words.cfg'));
  t.equal((await machine('two words')).autostart, undefined, 'without a file nothing could start it');
  t.match(await (await machine('two words')).info?.(signal()), { persistent: false });
});

void t.test('traffic and addresses', { skip }, async (t) => {
  const { host, machine } = await setting(t, async (host) => {
    await host.configure('db.cfg', HVM('db', "vif = [ 'mac=00:16:3e:00:00:01', 'mac=00:16:3e:00:00:02' ]"));
    await host.configure('named.cfg', HVM('hangs', "vif = [ 'vifname=lan-hangs' ]"));
  });
  const counters = (name: string, received: number, sent: number): string => `  ${name}: ${received} 1 0 0 0 0 0 0 ${sent} 1 0 0 0 0 0 0\n`;
  await writeFile(host.procNetDev, 'Inter-|   Receive  |  Transmit\n face |bytes packets|bytes packets\n'
  + counters('vif1.0', 10, 2000) + counters('vif1.1', 5, 700) + counters('vif1.0-emu', 1, 1) + counters('vif11.0', 9999, 9999)
  + counters('lan-hangs', 3, 4) + counters('eth0', 77, 88));
  const db = await machine('db');
  await db.start?.(signal());
  t.equal(await db.rx?.(signal()), 2701n, 'what domain 0 sent, the guest received');
  t.equal(await db.tx?.(signal()), 16n);
  t.same(await db.ip?.(signal()), ['10.0.0.7', 'fd00::7'], 'its name is looked up');
  const named = await machine('hangs');
  await named.start?.(signal());
  t.equal(await named.rx?.(signal()), 4n, 'by the name that vifname= gave');
  const gaveUp = new AbortController();
  setTimeout(() => gaveUp.abort(), 500);
  await rejects(t, named.ip?.(gaveUp.signal), 'TIMEOUT', /DNS/);
  await writeFile(host.procNetDev, counters('eth0', 77, 88));
  await rejects(t, db.rx?.(signal()), 'NOT SUPPORTED');
  t.same(await host.violations(), []);
});
