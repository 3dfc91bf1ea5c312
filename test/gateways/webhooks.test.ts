import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Webhook } from 'standardwebhooks';
import { envelope, keep } from '../../src/gateways/webhooks/envelope.js';
import { Keys, parseKeys, sign } from '../../src/gateways/webhooks/keys.js';
import { parseRetryAfter, pauseAfter } from '../../src/gateways/webhooks/receiver.js';
import type { ArgoEvent, EventFacts } from '../../src/instances/events.js';
import { WEBHOOK_RETRY_AFTER, WEBHOOK_TEXT } from '../../src/kit/webhook-limits.js';
import { parseConfig } from '../support/configuration.js';
import { fromRoot } from '../support/paths.js';
import { runNode } from '../support/programs.js';

/** Of the library's own tests and the specification's text: https://github.com/standard-webhooks/standard-webhooks */
const VECTOR = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', seconds: 1_614_265_330, body: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};
const OTHER = Buffer.alloc(64, 7).toString('base64');

await t.test('signatures: the published example, and what the library verifies', (t) => {
  const { secret, id, seconds, body, signature } = VECTOR;
  t.equal(sign(parseKeys(secret, 'here'), id, seconds, body), signature);
  t.equal(sign(parseKeys(secret.slice('whsec_'.length), 'here'), id, seconds, body), signature, 'the prefix may be left out');
  const now = Math.floor(Date.now() / 1000);
  const both = sign(parseKeys(`${OTHER}\r\n${secret}\n\n`, 'here'), id, now, body);
  for (const one of [OTHER, secret]) t.same(new Webhook(one).verify(body, { 'webhook-id': id, 'webhook-timestamp': String(now), 'webhook-signature': both }), JSON.parse(body));
  t.end();
});

await t.test('secrets that are none', (t) => {
  for (const bad of ['', '\n', 'hunter2', 'whsec_', Buffer.alloc(23).toString('base64'), Buffer.alloc(65).toString('base64'), `${OTHER} ${OTHER}`, `${OTHER}\n${OTHER}\n${OTHER}`, `${OTHER.slice(0, -3)}!==`]) {
    try {
      parseKeys(bad, 'hook.key');
      t.fail(`${bad} was taken`);
    } catch (error) {
      t.match((error as Error).message, /^hook\.key (?:is empty|is no good secret|has more than 2 lines)/);
      if (bad.length > 5) t.notOk((error as Error).message.includes(bad), 'it is not repeated');
    }
  }
  t.equal(parseKeys(Buffer.alloc(24).toString('base64'), 'x')[0]!.length, 24);
  t.equal(parseKeys(OTHER.replace(/=+$/, ''), 'x')[0]!.length, 64, 'without padding');
  t.end();
});

await t.test('a file with a secret is read again when it has changed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-keys-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'key');
  writeFileSync(file, VECTOR.secret);
  const complaints: string[] = [];
  const keys = new Keys({ 'secret-file': file }, (reason) => complaints.push(reason));
  t.equal((await keys.current()).length, 1);
  writeFileSync(file, `${OTHER}\n${VECTOR.secret}\n`);
  t.equal((await keys.current()).length, 2);
  rmSync(file);
  t.equal((await keys.current()).length, 2, 'the former ones stay');
  await keys.current();
  t.equal(complaints.length, 1, 'told once');
  execFileSync('mkfifo', [file]);
  t.equal((await keys.current()).length, 2, 'nobody waits for what a pipe may say');
  t.match(complaints[1], /key is not a regular file$/);
  rmSync(file);
  writeFileSync(file, OTHER);
  t.equal((await keys.current())[0]!.length, 64);
  t.throws(() => new Keys({ 'secret-file': join(folder, 'none') }, () => undefined), /none/);
  t.same(await new Keys({}, () => undefined).current(), []);
});

/** What the JSON schema of CloudEvents 1.0 asks for (spec v1.0.2, cloudevents/formats/cloudevents.json). */
const TEXT_ATTRIBUTES = ['id', 'source', 'specversion', 'type', 'subject', 'datacontenttype', 'time'];
const NAMES = /^[a-z0-9]+$/;

await t.test('every type of events as a CloudEvent', (t) => {
  const subject = { provider: 'lab', name: 'a b', id: '4', fullName: 'lab/a b', state: 'on' as const };
  const at = Date.UTC(2026, 10, 28, 6, 0, 0, 123) * 1000 + 456;
  const facts: [EventFacts, string, string | undefined, Record<string, unknown>][] = [
    [{ type: 'state', instance: 'lab/a b', now: 'off', before: 'on' }, 'instance.state', 'lab/a b', { instance: 'lab/a b', now: 'off', before: 'on' }],
    [{ type: 'added', instance: 'lab/a b', now: 'off' }, 'instance.added', 'lab/a b', { instance: 'lab/a b', now: 'off' }],
    [{ type: 'removed', instance: 'lab/a b', now: 'off' }, 'instance.removed', 'lab/a b', { instance: 'lab/a b', now: 'off' }],
    [{ type: 'action', instance: 'lab/a b', command: 'stop', options: '--force', account: 'kim', auditId: 7, outcome: 'done', ms: 12.6 }, 'instance.action', 'lab/a b',
      { instance: 'lab/a b', command: 'stop', options: '--force', account: 'kim', outcome: 'done', audit: 7, ms: 13 }],
    [{ type: 'provider', provider: 'lab', now: 'silent', reason: 'nobody listens there' }, 'provider', 'lab', { provider: 'lab', now: 'silent', reason: 'nobody listens there' }],
    [{ type: 'server', now: 'started' }, 'server', undefined, { now: 'started' }],
  ];
  for (const [fact, type, about, data] of facts) {
    const event: ArgoEvent = { at, facts: fact, subject: 'instance' in fact ? subject : undefined };
    const kept = JSON.parse(JSON.stringify(keep(event, fact, '17f3a2-1041'))) as ReturnType<typeof keep>;
    t.same(kept.subject, 'instance' in fact ? { provider: 'lab', name: 'a b', id: '4' } : undefined, 'what grants are decided by, and no more');
    const body = JSON.parse(envelope(kept, fact)) as Record<string, unknown>;
    for (const name of Object.keys(body)) t.match(name, NAMES);
    for (const name of TEXT_ATTRIBUTES) if (name !== 'subject') t.ok(typeof body[name] === 'string' && body[name] !== '', name);
    t.match(body.id, /^[A-Za-z0-9-]+-17f3a2-1041$/, 'without a dot, which parts the fields of what is signed');
    t.ok(URL.canParse(String(body.source)), 'an absolute URI');
    t.same(body, { specversion: '1.0', id: body.id, source: body.source, type: `org.xen-tools.argo.${type}.v1`, ...(about !== undefined && { subject: about }), time: '2026-11-28T06:00:00.123Z', datacontenttype: 'application/json', data });
  }
  const long: EventFacts = { type: 'provider', provider: 'lab', now: 'silent', reason: 'x'.repeat(100_000) };
  t.equal((keep({ at, facts: long, subject: undefined }, long, 'a-1').facts as { reason: string }).reason.length, WEBHOOK_TEXT + 1, 'long texts are cut');
  t.end();
});

await t.test('pauses between attempts', (t) => {
  t.same([1, 2, 3, 4, 7, 8, 9, 1000].map((failures) => pauseAfter(failures, 0, 0.5)), [500, 1000, 2000, 4000, 32_000, 60_000, 60_000, 60_000]);
  t.same([pauseAfter(1, 0, 0), pauseAfter(1, 0, 1)], [400, 600], 'by chance');
  t.equal(pauseAfter(1, 5000, 0.5), 5000);
  t.equal(pauseAfter(8, 5000, 0.5), 60_000, 'never sooner than we would of ourselves');
  const now = Date.UTC(2026, 0, 1);
  for (const [value, ms] of [['0', 0], ['120', 120_000], ['Thu, 01 Jan 2026 00:00:10 GMT', 10_000], ['Wed, 31 Dec 2025 00:00:00 GMT', 0], ['999999999', WEBHOOK_RETRY_AFTER], ['soon', undefined], [undefined, undefined]] as const) {
    t.equal(parseRetryAfter(value, now), ms, value ?? 'nothing');
  }
  t.end();
});

const HOOK = '[[webhooks]]\nurl = "https://example.net/T0/secret-path"\n';

await t.test('[[webhooks]] is checked, with line and column, and nothing of the URL is repeated', async (t) => {
  for (const [text, place, message] of [
    [`${HOOK}lissen = 1`, '3:1', /unknown key lissen/],
    ['[[webhooks]]\nname = "x"', '1:1', /url is missing/],
    ['[[webhooks]]\nurl = "ftp://example.net/secret-path"', '2:1', /url: a URL such as/],
    ['[[webhooks]]\nurl = "https://kim:secret-path@example.net/"', '2:1', /user and password do not belong/],
    ['[[webhooks]]\nurl = "https://example.net/#secret-path"', '2:1', /never sent/],
    [`${HOOK}events = ["state", "sate"]`, '3:20', /not a type of events; there are state, /],
    [`${HOOK}events = []`, '3:1', /an empty list would send nothing/],
    [`${HOOK}instances = ["[3-1]"]`, '3:14', /runs backwards/],
    [`${HOOK}instances = ["@none"]`, '3:14', /there is no group @none/],
    [`${HOOK}account = "nobody"`, '3:1', /there is no account nobody/],
    [`${HOOK}timeout = "0s"`, '3:1', /more than zero/],
    [`${HOOK}give-up-after = "3"`, '3:1', /not a duration/],
    [`${HOOK}order = "no"`, '3:1', /true or false/],
    [`${HOOK}secret-file = "/nowhere/hook.key"`, '3:1', /nowhere/],
    [`${HOOK}name = "a b"`, '3:1', /cannot be used as a name/],
    [`${HOOK}${HOOK}`, '3:1', /there is another webhook example\.net-[0-9a-f]{8}: give each a name/],
    [`[gateways.x]\ntype = "webhooks"\nurl = "http://localhost/"\n[[webhooks]]\nname = "x"\nurl = "http://localhost/"`, '4:1', /the gateway x is a webhook, too/],
    ['[gateways.x]\ntype = "webhooks"\nurl = "http://localhost/"\ninstances = ["@none"]', '4:14', /there is no group @none/],
    ['[webhooks]\nurl = "https://example.net/secret-path"', '1:1', /\[\[webhooks\]\]/],
  ] as const) {
    const error = await parseConfig('a.conf', text, '/tmp').then(() => new Error('taken'), (thrown: Error) => thrown);
    t.match(error.message, message, text);
    t.match(error.message, `a.conf:${place}`, text);
    t.notMatch(error.message, 'secret-path');
  }
  const { gateways } = await parseConfig('a.conf', `[groups]\nweb = ["web*"]\n${HOOK}instances = ["@web"]\n[[webhooks]]\nname = "two"\nurl = "http://[::1]:8080/"\n`, '/tmp');
  t.match([...gateways.keys()], [/^webhooks\/example\.net-[0-9a-f]{8}$/, 'webhooks/two']);
  const again = await parseConfig('a.conf', `# moved\n${HOOK}`, '/tmp');
  t.equal([...again.gateways.keys()][0], [...gateways.keys()][0], 'its name stays while its URL does');
  t.not([...again.gateways.values()][0]!.fingerprint, [...gateways.values()][0]!.fingerprint);
});

await t.test('`argo-server check` looks into the files', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-check-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const check = async (keys: string, content?: string, mode = 0o600) => {
    const config = join(folder, 'argo-server.conf');
    const key = join(folder, 'hook.key');
    writeFileSync(config, `${HOOK}name = "main"\n${keys.replaceAll('KEY', JSON.stringify(key))}\n`, { mode: 0o600 });
    if (content !== undefined) writeFileSync(key, content);
    if (content !== undefined) chmodSync(key, mode);
    return runNode([fromRoot('bin', 'argo-server.js'), 'check', '--config', config]);
  };
  const bad = await check('secret-file = KEY', 'c2hvcnQ=');
  t.equal(bad.code, 1);
  t.match(bad.stderr, /argo-server\.conf:4:1: \S+hook\.key is no good secret/);
  t.notMatch(bad.stderr, 'c2hvcnQ');
  t.match((await check('ca-file = "/nowhere/ca.pem"')).stderr, /argo-server\.conf:4:1: .*nowhere/);
  t.match((await check('secret-file = "/nowhere/hook.key"')).stderr, /^argo-server: [^\n]*argo-server\.conf:4:1: [^\n]*nowhere[^\n]*\n$/, 'told once');
  const open = await check('secret-file = KEY', VECTOR.secret, 0o644);
  t.equal(open.code, 0, open.stderr);
  t.match(open.stdout + open.stderr, /1 webhook/);
  t.match(open.stdout + open.stderr, /hook\.key can be read by every user of this machine/);
  const fine = await check('secret-file = KEY', VECTOR.secret);
  t.notMatch(fine.stdout + fine.stderr, /can be read/);
  const unsigned = await check('');
  t.equal(unsigned.code, 0);
  t.match(unsigned.stdout + unsigned.stderr, /the webhook main has no secret/);
});
