import t from 'tap';
import { Flag, NtlmError, OFFERED, readChallenge, writePairs } from '../../../src/protocols/ntlm/messages.js';
import { computeLmResponse, computeResponse, hmacMd5, ntowfv2, Rc4 } from '../../../src/protocols/ntlm/primitives.js';
import { NtlmLogin } from '../../../src/protocols/ntlm/login.js';
import { NtlmSealing } from '../../../src/protocols/ntlm/seal.js';

/** Input of the examples of [MS-NLMP] 4.2.1 and 4.2.4. */
const [USER, PASSWORD, DOMAIN] = ['User', 'Password', 'Domain'] as const;
const SERVER_CHALLENGE = Buffer.from('0123456789abcdef', 'hex');
const CLIENT_CHALLENGE = Buffer.alloc(8, 0xaa);
const SESSION_KEY = Buffer.alloc(16, 0x55);
const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');
const TARGET_INFO = [{ id: 2, value: utf16('Domain') }, { id: 1, value: utf16('Server') }];

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** A CHALLENGE_MESSAGE as a server writes it. */
function challenge({ flags = OFFERED, targetInfo = writePairs(TARGET_INFO) }: { flags?: number; targetInfo?: Buffer } = {}): Buffer {
  const head = Buffer.alloc(56);
  head.write('NTLMSSP\0', 'latin1');
  head.writeUInt32LE(2, 8);
  head.writeUInt32LE(flags, 20);
  SERVER_CHALLENGE.copy(head, 24);
  head.writeUInt16LE(targetInfo.length, 40);
  head.writeUInt16LE(targetInfo.length, 42);
  head.writeUInt32LE(head.length, 44);
  return Buffer.concat([head, targetInfo]);
}

/** A field of an AUTHENTICATE_MESSAGE. */
function field(message: Buffer, index: number): Buffer {
  const at = 12 + index * 8;
  const offset = message.readUInt32LE(at + 4);
  return message.subarray(offset, offset + message.readUInt16LE(at));
}

/** The AV pairs of an NTLMv2 response, by id. */
function pairs(ntResponse: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 16 + 28; ntResponse.readUInt16LE(at) !== 0;) {
    const length = ntResponse.readUInt16LE(at + 2);
    found.set(ntResponse.readUInt16LE(at), ntResponse.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return found;
}

const random = (length: number): Buffer => (length === 8 ? CLIENT_CHALLENGE : SESSION_KEY);
const login = (options: { binding?: Buffer } = {}): NtlmLogin =>
  new NtlmLogin({ user: USER, password: PASSWORD, domain: DOMAIN }, { service: 'HTTP/server', ...options }, random);

void t.test('keys and responses are those of the published examples', (t) => {
  const key = ntowfv2(USER, PASSWORD, DOMAIN);
  t.equal(hex(key), '0c868a403bfd7a93a3001ef22ef02e3f', 'NTOWFv2 (4.2.4.1.1)');
  const { response, sessionBaseKey } = computeResponse(key, SERVER_CHALLENGE, CLIENT_CHALLENGE, Buffer.alloc(8), writePairs(TARGET_INFO));
  t.equal(hex(response.subarray(0, 16)), '68cd0ab851e51c96aabc927bebef6a1c', 'NTProofStr (4.2.4.2.2)');
  t.equal(hex(response.subarray(16)), '01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000'
  + '02000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000', 'temp (4.2.4.1.3)');
  t.equal(hex(sessionBaseKey), '8de40ccadbc14a82f15cb0ad0de95ca3', 'SessionBaseKey (4.2.4.1.2)');
  t.equal(hex(computeLmResponse(key, SERVER_CHALLENGE, CLIENT_CHALLENGE)), '86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa', 'LMv2 (4.2.4.2.1)');
  t.equal(hex(new Rc4(sessionBaseKey).update(SESSION_KEY)), 'c5dad2544fc9799094ce1ce90bc9d03e', 'encrypted session key (4.2.4.2.3)');
  t.end();
});

void t.test('sealing yields the published example (4.2.4.4)', (t) => {
  const { signature, ciphertext } = new NtlmSealing(SESSION_KEY).seal(utf16('Plaintext'));
  t.equal(hex(ciphertext), '54e50165bf1936dc996020c1811b0f06fb5f');
  t.equal(hex(signature), '010000007fb38ec5c55d497600000000');
  t.end();
});

void t.test('both sides of a session open what the other seals, in order', (t) => {
  const [client, server] = [new NtlmSealing(SESSION_KEY), new NtlmSealing(SESSION_KEY, 'server')];
  for (const text of ['one', '', 'three '.repeat(5000)]) {
    t.equal(server.unseal(client.seal(Buffer.from(text))).toString(), text);
    t.equal(client.unseal(server.seal(Buffer.from(`re: ${text}`))).toString(), `re: ${text}`);
  }
  t.end();
});

void t.test('what was altered, repeated, left out or reflected is not opened', (t) => {
  const sealed = new NtlmSealing(SESSION_KEY, 'server').seal(Buffer.from('the answer'));
  for (const part of ['signature', 'ciphertext'] as const) {
    for (let at = 0; at < sealed[part].length; at++) {
      const altered = Buffer.from(sealed[part]);
      altered[at] = (altered[at] as number) ^ 0x80;
      t.throws(() => new NtlmSealing(SESSION_KEY).unseal({ ...sealed, [part]: altered }), NtlmError, `${part}, byte ${at}`);
    }
    for (let length = 0; length < sealed[part].length; length++) {
      t.throws(() => new NtlmSealing(SESSION_KEY).unseal({ ...sealed, [part]: sealed[part].subarray(0, length) }), NtlmError, `${part}, ${length} bytes`);
    }
  }
  const [client, server] = [new NtlmSealing(SESSION_KEY), new NtlmSealing(SESSION_KEY, 'server')];
  const [first, second] = [server.seal(Buffer.from('one')), server.seal(Buffer.from('two'))];
  t.throws(() => new NtlmSealing(SESSION_KEY).unseal(second), NtlmError, 'left out');
  client.unseal(first);
  t.throws(() => client.unseal(first), NtlmError, 'repeated');
  t.throws(() => new NtlmSealing(SESSION_KEY).unseal(new NtlmSealing(SESSION_KEY).seal(Buffer.from('mine'))), NtlmError, 'reflected');
  t.end();
});

void t.test('negotiate asks for Unicode, sealing and 128 bits, and names nobody', (t) => {
  const message = login().negotiate();
  t.equal(message.toString('latin1', 0, 8), 'NTLMSSP\0');
  t.equal(message.readUInt32LE(8), 1);
  t.equal(message.readUInt32LE(12), 0xe288_8235);
  t.equal(message.length, 40);
  t.end();
});

void t.test('a challenge without a time: LMv2 response, no MIC', (t) => {
  const { message } = login().authenticate(challenge());
  t.equal(hex(field(message, 0)), '86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa');
  t.equal(hex(message.subarray(72, 88)), '0'.repeat(32));
  t.equal(field(message, 2).toString('utf16le'), DOMAIN);
  t.equal(field(message, 3).toString('utf16le'), USER);
  t.notOk(pairs(field(message, 1)).has(6));
  const seconds = Number(field(message, 1).readBigUInt64LE(24) / 10_000_000n) - 11_644_473_600;
  t.ok(Math.abs(seconds - Date.now() / 1000) < 3600, 'our own time');
  t.end();
});

void t.test('a challenge with a time: that time, however wrong our clock; a MIC over all messages; no LM response', (t) => {
  const time = Buffer.from('0090d336b734c301', 'hex');
  const client = login();
  const asked = challenge({ targetInfo: writePairs([...TARGET_INFO, { id: 7, value: time }]) });
  const { message } = client.authenticate(asked);
  const response = field(message, 1);
  t.same(response.subarray(24, 32), time);
  t.same(field(message, 0), Buffer.alloc(24));
  t.equal(hex(pairs(response).get(6) ?? Buffer.alloc(0)), '02000000', 'MsvAvFlags');
  const mic = Buffer.from(message.subarray(72, 88));
  const bare = Buffer.from(message);
  bare.fill(0, 72, 88);
  t.same(mic, hmacMd5(SESSION_KEY, client.negotiate(), asked, bare));
  t.end();
});

void t.test('a login is bound to its channel and its service, whatever the server names', (t) => {
  const binding = Buffer.alloc(16, 7);
  const named = writePairs([...TARGET_INFO, { id: 9, value: utf16('HTTP/evil') }, { id: 10, value: Buffer.alloc(16, 9) }]);
  const found = pairs(field(login({ binding }).authenticate(challenge({ targetInfo: named })).message, 1));
  t.same(found.get(10), binding);
  t.equal(found.get(9)?.toString('utf16le'), 'HTTP/server');
  t.same(pairs(field(login().authenticate(challenge()).message, 1)).get(10), Buffer.alloc(16), 'none without TLS');
  t.end();
});

void t.test('no weaker session is put up with', (t) => {
  for (const [name, flag] of Object.entries(Flag)) {
    const needed = ['unicode', 'sign', 'seal', 'extendedSessionSecurity', 'key128', 'keyExchange'].includes(name);
    const answer = (): unknown => login().authenticate(challenge({ flags: (OFFERED & ~flag) >>> 0 }));
    if (needed) t.throws(answer, NtlmError, name);
    else t.doesNotThrow(answer, name);
  }
  t.end();
});

void t.test('a challenge that is cut off or changed anywhere is refused, or read within its bounds', (t) => {
  const whole = challenge({ targetInfo: writePairs([...TARGET_INFO, { id: 7, value: Buffer.alloc(8) }]) });
  for (let length = 0; length < whole.length; length++) t.throws(() => readChallenge(whole.subarray(0, length)), NtlmError, `${length} bytes`);
  for (let at = 0; at < whole.length; at++) {
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] as number) ^ 0xff;
    try {
      readChallenge(changed);
    } catch (error) {
      t.ok(error instanceof NtlmError, `byte ${at}`);
    }
  }
  t.throws(() => readChallenge(Buffer.concat([whole, Buffer.alloc(20_000)])), NtlmError, 'far too long');
  t.end();
});

void t.test('a user is upper-cased as Windows does it, letter by letter', (t) => {
  t.same(ntowfv2('user', PASSWORD, DOMAIN), ntowfv2('USER', PASSWORD, DOMAIN));
  t.same(ntowfv2('jürgen', PASSWORD, DOMAIN), ntowfv2('JÜRGEN', PASSWORD, DOMAIN));
  t.notSame(ntowfv2('groß', PASSWORD, DOMAIN), ntowfv2('GROSS', PASSWORD, DOMAIN));
  t.notSame(ntowfv2(USER, PASSWORD, 'DOMAIN'), ntowfv2(USER, PASSWORD, DOMAIN), 'the domain is not');
  t.end();
});
