import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { keyInFile } from '../../../src/fleet/admin/key-file.js';
import { NkeySigner } from '../../../src/fleet/signer.js';

const folder = mkdtempSync(join(tmpdir(), 'argo-key-'));
t.teardown(() => rmSync(folder, { recursive: true }));

await t.test('a key is made once, for its owner alone', (t) => {
  const file = join(folder, 'own.nk');
  const made = keyInFile(file);
  t.equal(made.isNew, true);
  t.equal(statSync(file).mode & 0o777, 0o600);
  const content = readFileSync(file, 'utf8');
  t.match(content, /^SU[A-Z2-7]{56}\n$/);
  t.equal(new NkeySigner(content).publicKey, made.publicKey);
  t.same(keyInFile(file), { publicKey: made.publicKey, isNew: false });
  t.equal(readFileSync(file, 'utf8'), content, 'the file is as it was');
  t.end();
});

await t.test('what is there and no key stays, and is not told', (t) => {
  const file = join(folder, 'other');
  writeFileSync(file, 'hunter2\n');
  t.throws(() => keyInFile(file), { message: /^(?!.*hunter2).*other is there, and holds something else/ });
  t.equal(readFileSync(file, 'utf8'), 'hunter2\n');
  t.throws(() => keyInFile(folder), { message: /is not a regular file/ });
  t.throws(() => keyInFile(join(folder, 'absent', 'own.nk')), { message: /own\.nk cannot be made: there is no such folder$/ });
  t.end();
});
