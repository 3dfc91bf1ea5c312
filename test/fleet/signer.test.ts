import { sign as signWith, createPrivateKey } from 'node:crypto';
import { inspect } from 'node:util';
import { createUser, fromPublic, fromSeed } from '@nats-io/nkeys';
import t from 'tap';
import { KnownKey, newSeed, NkeySigner } from '../../src/fleet/signer.js';
import { readPublicKey, readSeed, writePublicKey, writeSeed } from '../../src/kit/nkeys.js';

const DATA = Buffer.from('{"v":1}');
const PURPOSE = 'argo.v1.site.berlin.op';

void t.test('keys are those of NATS: made there and read here, and the other way', (t) => {
  for (let round = 0; round < 10; round += 1) {
    const theirs = createUser();
    const seed = Buffer.from(theirs.getSeed()).toString();
    t.equal(new NkeySigner(` ${seed}\n`).publicKey, theirs.getPublicKey());
    t.equal(writeSeed(readSeed(seed)!), seed);
    t.equal(writePublicKey(readPublicKey(theirs.getPublicKey())!), theirs.getPublicKey());
    const ours = newSeed();
    t.equal(fromSeed(Buffer.from(ours)).getPublicKey(), new NkeySigner(ours).publicKey);
  }
  t.end();
});

void t.test('a signature holds for its key, its purpose and its bytes alone', (t) => {
  const signer = new NkeySigner(newSeed());
  const known = new KnownKey(signer.publicKey);
  const signature = signer.sign(PURPOSE, DATA);
  t.ok(known.verifies(PURPOSE, DATA, signature));
  t.ok(fromPublic(signer.publicKey).verify(Buffer.concat([Buffer.from(`${PURPOSE}\n`), DATA]), Buffer.from(signature, 'base64')), 'NATS\'s own library says so, too');
  t.notOk(known.verifies('argo.v1.site.berlin.ask', DATA, signature), 'another purpose');
  t.notOk(known.verifies(PURPOSE, Buffer.from('{"v":2}'), signature), 'other bytes');
  t.notOk(new KnownKey(new NkeySigner(newSeed()).publicKey).verifies(PURPOSE, DATA, signature), 'another key');
  for (const wrong of [undefined, '', 'x', `${signature} `, signature.slice(1), signature.replace(/=/g, ''), `${signature}${signature}`, 'A'.repeat(86) + '==', '\n'.repeat(88)]) {
    t.notOk(known.verifies(PURPOSE, DATA, wrong), `signature ${inspect(wrong)}`);
  }
  t.throws(() => signer.sign('two\nlines', DATA), /one line/);
  t.throws(() => known.verifies('two\nlines', DATA, signature), /one line/);
  t.end();
});

void t.test('a login signs a nonce of NATS and nothing that could be a message', (t) => {
  const signer = new NkeySigner(newSeed());
  const nonce = 'w3VnCU9gsw7EzA4';
  t.ok(fromPublic(signer.publicKey).verify(Buffer.from(nonce), Buffer.from(signer.signLogin(nonce), 'base64url')));
  for (const wrong of ['', 'short', `${PURPOSE}\n${DATA.toString()}`, `${nonce}\n`, `\n${nonce}`, 'x'.repeat(65), 'with blank 123']) t.throws(() => signer.signLogin(wrong), /no nonce/, inspect(wrong));
  t.end();
});

void t.test('what is no key is refused, and no error tells a seed', (t) => {
  const seed = newSeed();
  const { publicKey } = new NkeySigner(seed);
  const account = publicKey.replace('U', 'A');
  for (const wrong of ['', 'U', seed, account, publicKey.toLowerCase(), publicKey.slice(1), `${publicKey}A`, `${publicKey}=`, ` ${publicKey}`, `${publicKey.slice(0, -1)}${publicKey.endsWith('A') ? 'B' : 'A'}`]) {
    t.equal(readPublicKey(wrong), undefined, wrong);
    t.throws(() => new KnownKey(wrong), /no public key/);
  }
  for (const wrong of ['', publicKey, seed.slice(0, -1), `${seed}A`, seed.replace('SU', 'SA'), seed.slice(0, 20) + (seed[20] === 'A' ? 'B' : 'A') + seed.slice(21), seed.toLowerCase()]) {
    t.equal(readSeed(wrong), undefined);
    try {
      new NkeySigner(wrong);
      t.fail('it was taken');
    } catch (error) {
      t.match((error as Error).message, /no seed/);
      t.notOk(wrong.length > 8 && inspect(error).includes(wrong.slice(2, 30)), 'it is not told');
    }
  }
  t.notOk(inspect(new NkeySigner(seed), { showHidden: true, depth: 9 }).includes(seed.slice(2)));
  t.end();
});

void t.test('each of the trailing letters that mean nothing makes no second text of one key', (t) => {
  // 34 bytes and two of the check are 58 letters with two bits to spare: those must be zero.
  const seed = newSeed();
  const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(seed.at(-1)!);
  for (let spare = 1; spare < 4; spare += 1) t.equal(readSeed(seed.slice(0, -1) + 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[last | spare]!), undefined);
  t.end();
});

void t.test('the example of RFC 8032 comes out', (t) => {
  const seed = writeSeed(Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex'));
  t.equal(readPublicKey(new NkeySigner(seed).publicKey)?.toString('hex'), 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  const key = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), readSeed(seed)!]), format: 'der', type: 'pkcs8' });
  t.equal(new NkeySigner(seed).signLogin('w3VnCU9gsw7EzA4'), signWith(null, Buffer.from('w3VnCU9gsw7EzA4'), key).toString('base64url'));
  t.end();
});
