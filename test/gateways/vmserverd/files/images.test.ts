import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readQcow2 } from '../../../../src/gateways/vmserverd/files/qcow2.js';
import { IMAGE_BYTES } from '../../../../src/kit/vmserverd-files-limits.js';
import { startFiles } from '../../../support/vmserverd/files-world.js';
import { seededRandom } from '../../../support/seeded-random.js';

const MIB = 1024 * 1024;
const qemuImg = (...args: readonly string[]): string => execFileSync('qemu-img', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const hasQemu = spawnSync('qemu-img', ['--version']).status === 0;
const skip = hasQemu || process.env.CI === 'true' ? {} : { skip: 'qemu-img is not installed' };

async function arrange(t: Test) {
  const scratch = await startFiles(t);
  const { world, root } = scratch;
  const create = (base: string, target: string, more: Record<string, string> = {}) => world.tell('kim', 'CreateCOWDisk', { base: base.startsWith('/') ? base : join(root, base), target: join(root, target), ...more });
  return { ...scratch, create };
}

await t.test('an image on another one, as qemu-img reads it', skip, async (t) => {
  const { world, root, create } = await arrange(t);
  qemuImg('create', '-q', '-f', 'qcow2', join(root, 'base'), '64M');
  writeFileSync(join(root, 'raw'), Buffer.alloc(5 * MIB + 100));
  t.equal(await create('base', 'one'), `<path>${root}/one</path>`);
  const info = JSON.parse(qemuImg('info', '--output=json', join(root, 'one'))) as Record<string, unknown>;
  t.match(info, { format: 'qcow2', 'virtual-size': 64 * MIB, 'backing-filename': join(root, 'base'), 'backing-filename-format': 'qcow2' });
  t.equal(statSync(join(root, 'one')).mode & 0o777, 0o640);
  t.match(world.audit.at(-1), { command: 'CreateCOWDisk', options: `${root}/one --base=${root}/base`, outcome: 'done' });
  t.equal(await create('raw', 'two', { format: 'raw' }), `<path>${root}/two</path>`);
  t.match(JSON.parse(qemuImg('info', '--output=json', join(root, 'two'))), { 'backing-filename-format': 'raw', 'virtual-size': 5 * MIB + 512 });
  t.equal(await create('one', 'three', { size: String(128 * MIB) }), `<path>${root}/three</path>`, 'a chain');
  t.match(JSON.parse(qemuImg('info', '--output=json', join(root, 'three'))), { 'virtual-size': 128 * MIB });
  t.equal(await create('base', 'one'), `-32 ${root}/one: is there already`);
  t.match(await create('base', 'x', { size: '512' }), /^-3 <size>: the base holds 67108864 bytes/);
  t.match(await create('base', 'x', { size: String(67108864 - 1) }), /^-3 <size>: the base holds 67108864 bytes/);
  for (const size of [String(IMAGE_BYTES + 1), String(Number.MAX_SAFE_INTEGER), '99999999999999999999']) t.match(await create('base', 'x', { size }), /^-3 <size>: a whole number from 1 to 70368744177664/, size);
  t.match(await create('base', 'x', { format: 'vmdk' }), /^-3 <format>/);
  t.equal(await create('base', 'largest', { size: String(IMAGE_BYTES) }), `<path>${root}/largest</path>`);
  const forged = readFileSync(join(root, 'base'));
  forged.writeBigUInt64BE(BigInt(IMAGE_BYTES) + 512n, 24);
  writeFileSync(join(root, 'forged'), forged);
  t.equal(await create('forged', 'x'), `-3 ${root}/forged: holds 70368744178176 bytes, more than the 70368744177664 that an image may have`);
  t.equal(await create(root, 'x'), `-32 ${root}: is a folder`);
  t.equal(qemuImg('check', '-q', join(root, 'three')), '');
});

await t.test('what a machine wrote into its disk is not believed', skip, async (t) => {
  const { world, root, outside, create } = await arrange(t);
  writeFileSync(join(outside, 'secret'), 'outside');
  const lying = (name: string, ...args: readonly string[]): void => void qemuImg('create', '-q', '-u', '-f', 'qcow2', ...args, join(root, name), '1M');
  writeFileSync(join(root, 'raw'), Buffer.alloc(MIB));
  t.match(await create('raw', 'x'), /^-3 .*raw: is no qcow2 image that holds its data itself; of a raw one say so in <format>/, 'raw is not guessed');
  lying('leads-out', '-b', join(outside, 'secret'), '-F', 'raw');
  t.equal(await create('leads-out', 'x'), '-5 this is in no folder in which you may do that');
  lying('relative', '-b', '../outside/secret', '-F', 'raw');
  t.match(await create('relative', 'x'), /^-3 .*is built on something that is no file/);
  lying('format-not-said', '-b', join(root, 'raw'), '-F', 'raw');
  const unsaid = readFileSync(join(root, 'format-not-said'));
  unsaid.writeUInt32BE(0, unsaid.indexOf(Buffer.from('e2792aca', 'hex')));
  writeFileSync(join(root, 'format-not-said'), unsaid);
  t.match(await create('format-not-said', 'x'), /^-3 .*does not say that it is raw or qcow2/);
  lying('missing', '-b', join(root, 'gone'), '-F', 'qcow2');
  t.match(await create('missing', 'x'), /^-32 .*gone: is not there/);
  symlinkSync(join(outside, 'secret'), join(root, 'link'));
  lying('by-link', '-b', join(root, 'link'), '-F', 'raw');
  t.match(await create('by-link', 'x'), /^-32 .*is a link/);
  for (const name of ['nbd:localhost:10809', 'json:{"driver":"nbd"}', 'https://192.0.2.1/x', 'fat:/etc', '/dev/sda', '/etc/shadow', '']) {
    const bytes = readFileSync(join(root, 'leads-out'));
    bytes.writeUInt32BE(name.length, 16);
    bytes.write(name, Number(bytes.readBigUInt64BE(8)));
    writeFileSync(join(root, 'forged'), bytes);
    t.match(await create('forged', 'x'), /^-[35] /, name);
  }
  qemuImg('create', '-q', '-f', 'qcow2', '-o', `data_file=${join(root, 'data')},data_file_raw=on`, join(root, 'external'), '1M');
  t.match(await create('external', 'x'), /^-3 .*is no qcow2 image that holds its data itself/);
  for (let index = 0; index < 18; index += 1) lying(`chain${index}`, '-b', join(root, `chain${index + 1}`), '-F', 'qcow2');
  lying('chain18');
  t.match(await create('chain0', 'x'), /^-3 more than 16 images/);
  t.equal((await create('chain4', 'y')).slice(0, 6), '<path>');
  lying('circle', '-b', join(root, 'back'), '-F', 'qcow2');
  lying('back', '-b', join(root, 'circle'), '-F', 'qcow2');
  t.match(await create('circle', 'x'), /^-3 more than 16 images/);
  t.notOk(readdirSync(root).includes('x'));
  t.same(readdirSync(root).filter((name) => name.startsWith('.')), []);
  // a raw disk whose content looks like a header stays raw, whatever stands in it
  t.equal(await create('leads-out', 'z', { format: 'raw' }), `<path>${root}/z</path>`);
  t.match(JSON.parse(qemuImg('info', '-U', '--output=json', join(root, 'z'))), { 'backing-filename-format': 'raw' });
  t.equal(world.audit.at(-1)!.outcome, 'done');
});

await t.test('headers that are cut, forged or changed anywhere are read without harm', skip, async (t) => {
  const { root } = await arrange(t);
  qemuImg('create', '-q', '-u', '-f', 'qcow2', '-b', '/srv/base', '-F', 'raw', join(root, 'a'), '1M');
  qemuImg('create', '-q', '-u', '-f', 'qcow2', '-o', 'compat=0.10', '-b', '/srv/base', '-F', 'raw', join(root, 'old'), '1M');
  for (const name of ['a', 'old']) t.same(readQcow2(readFileSync(join(root, name))), { size: MIB, backing: { name: '/srv/base', format: 'raw' } }, name);
  const good = readFileSync(join(root, 'a')).subarray(0, 1024);
  const random = seededRandom(7);
  for (let round = 0; round < 20_000; round += 1) {
    const bytes = Buffer.from(good);
    for (let change = random.below(4); change >= 0; change -= 1) bytes[random.below(300)] = random.below(256);
    const header = readQcow2(bytes.subarray(0, random.below(2) === 0 ? 1024 : random.below(1024)));
    if (header?.backing && header.backing.name.length > 1023) t.fail('a name that is too long');
  }
  for (let length = 0; length < 200; length += 1) readQcow2(good.subarray(0, length));
  t.pass('none of them throws');
});
