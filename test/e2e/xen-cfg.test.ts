import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { CfgError, parseDefinition, type Definition } from '../../src/drivers/xen/cfg.js';
import { parseDetails } from '../../src/drivers/xen/output.js';
import { lacksXen, startXen } from '../peers/xen/start.js';

const run = promisify(execFile);

/** Files that are made up; at some 10 ms each for xl. */
const FILES = 250;
/** So that a failure can be had again. */
const SEED = 20203;

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** What real files are made of, and what breaks them. */
const PIECES = [
  'memory = 64', "memory = '64'", 'vcpus=2', 'type = "pv"', 'kernel = "/boot/vmlinuz"', "name = 'other'", 'name += "-2"', '# a comment', '', ' \t',
  "vif = [ 'mac=00:16:3e:00:00:01,ip=10.0.0.1,bridge=br0' ]", 'vif = [ "mac=00:16:3E:00:00:02, ip=10.0.0.2",\n\n # two\n "vifname=lan0" , ]', 'vif += [ "ip=10.0.0.3" ]', 'vif = []',
  "disk = [ 'phy:/dev/vg0/root,xvda,w' ]", 'disk = [ "/srv/a.img,raw,xvda,rw", "format=qcow2,vdev=xvdb,access=rw,target=/srv/b,c=d.qcow2" ]', "disk = [ ',hdc:cdrom,r' ]",
  "disk = [ 'file:/srv/a.img,xvda,r' , 'tap:aio:/srv/b.img,xvdb,w' ]", 'disk = [ "/srv/a.img,,xvda,w", "vdev=xvdb,target=/dev/sdb" ]', "disk = [ 'devtype=cdrom,vdev=hdc,access=ro' ]",
  'on_crash = "preserve"', 'extra = "a=\\"b\\""', 'a = "\\t"', 'a = 1; b = 2', 'a = 1 b = 2', 'a =', '= 1', 'A = 1', 'a = "open', "a = 'mixed\"", 'a = [ 1, 2', 'a = [ "x" "y" ]', 'a = [,]',
  'a = [ [ "x" ] ]', 'a = "\\q"', 'import os', 'a = 1\r', 'a = 0x1f', 'a = b', 'a = (1)', 'a == 1', 'a = -1', ']', ';', ';;',
];

/** @returns the domain as xl understands it, or undefined where it refuses the file's form */
async function asXl(xl: string, path: string): Promise<Definition | undefined> {
  try {
    const { stdout } = await run(xl, ['create', '-n', '-q', '-f', path]);
    const config: unknown = JSON.parse(stdout);
    const details = parseDetails(JSON.stringify([{ domid: 1, config }]), 1);
    const { c_info: { name } } = config as { c_info: { name: string } };
    return details && { name, vcpus: 0, type: '', ...details };
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
    if (/config parsing error|must be specified|Failed to parse config/i.test(stderr)) return undefined;
    throw new Error(`${path}: ${stderr}`, { cause: error });
  }
}

function asWe(source: string): Definition | undefined {
  try {
    return parseDefinition(source);
  } catch (error) {
    if (error instanceof CfgError) return undefined;
    throw error;
  }
}

void t.test('we read configuration files as xl does', { skip: lacksXen() }, async (t) => {
  const host = await startXen();
  t.teardown(() => host.stop());
  const below = random(SEED);
  let [refused, taken] = [0, 0];
  for (let number = 0; number < FILES; number += 1) {
    const broken = below(3) === 0;
    const good = PIECES.slice(0, 22);
    const lines = Array.from({ length: below(5) }, () => (broken ? PIECES : good)[below(broken ? PIECES.length : good.length)]);
    lines.splice(below(lines.length + 1), 0, 'kernel = "/boot/vmlinuz"; name = "web"');
    const source = lines.join('\n') + (below(5) === 0 ? '' : '\n');
    const [theirs, ours] = [await asXl(host.xl, await host.configure('parity.cfg', source)), asWe(source)];
    if (theirs) taken += 1;
    else refused += 1;
    const essence = (definition: Definition | undefined): unknown => definition && {
      name: definition.name,
      vifs: definition.vifs,
      disks: definition.disks.map(({ vdev, path }) => ({ vdev, path })),
    };
    t.same(essence(ours), essence(theirs), JSON.stringify(source));
  }
  t.ok(refused > 20 && taken > 100, `${taken} were taken, ${refused} refused`);
});
