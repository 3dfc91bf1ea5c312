import { createHash, X509Certificate } from 'node:crypto';
import t, { type Test } from 'tap';
import { UpsdClient, type UpsdAddress } from '../../../src/protocols/nut/client.js';
import { UpsdRefusal } from '../../../src/protocols/nut/errors.js';
import { CertificateError, ConnectionLostError } from '../../../src/protocols/tls/errors.js';
import { NOBODY, SECONDARY, Upsd, UPSD_PROGRAMS, UPSD_TLS_PROGRAMS, type UpsdOptions } from '../../peers/upsd.js';
import { lacks } from '../../support/peers.js';
import { until } from '../../support/until.js';

const PATIENCE_MS = 60_000;

async function peer(t: Test, options?: UpsdOptions): Promise<Upsd> {
  const upsd = await Upsd.start(options);
  t.teardown(() => upsd.stop());
  return upsd;
}

async function clientOf(t: Test, { host, port }: Upsd, more: Partial<UpsdAddress> = {}): Promise<UpsdClient> {
  const client = await UpsdClient.connect({ host, port, ...more });
  t.teardown(() => client.close());
  return client;
}

const refusalOf = async (asked: Promise<unknown>): Promise<unknown> => {
  const error = await asked.then((answer) => answer, (thrown: unknown) => thrown);
  return error instanceof UpsdRefusal ? error.code : error;
};

void t.test('the real upsd', { skip: lacks(...UPSD_PROGRAMS) }, async (t) => {
  const upsd = await peer(t, { names: ['rack1', 'rack2'] });
  const client = await clientOf(t, upsd);

  t.match(await client.version(), /^Network UPS Tools upsd 2\./);
  t.match(await client.protocolVersion(), /^1\.\d/);
  t.same([...(await client.upses()).keys()].sort(), ['rack1', 'rack2']);

  await t.test('what it says is what upsc reads', async (t) => {
    await upsd.says({ 'ups.status': 'OB LB', 'battery.charge': '17', 'ups.mfr': 'Say "hi" \\ there', 'ups.model': 'größer' });
    const lines = (await upsd.upsc()).stdout.trimEnd().split('\n');
    const theirs = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]));
    t.same(new Map([...(await client.variables('rack1'))].map(([name, value]) => [name, value.trim()])), theirs);
    t.equal(await client.variable('rack1', 'ups.mfr'), 'Say "hi" \\ there');
    t.equal(await client.variable('rack2', 'ups.status'), 'OL');
  });

  await t.test('what is not there', async (t) => {
    t.equal(await refusalOf(client.variables('rack9')), 'UNKNOWN-UPS');
    t.equal(await refusalOf(client.variable('rack9', 'ups.status')), 'UNKNOWN-UPS');
    t.equal(await refusalOf(client.variable('rack1', 'no.such')), 'VAR-NOT-SUPPORTED');
  });

  await t.test('who may log in', async (t) => {
    for (const [who, user, password] of [['a wrong password', SECONDARY.user, 'wrong'], ['a stranger', 'x y', 'z'], ['no right', NOBODY.user, NOBODY.password]] as const) {
      const other = await clientOf(t, upsd);
      await other.identify(user, password);
      t.equal(await refusalOf(other.login('rack1')), 'ACCESS-DENIED', who);
      t.equal(await other.variable('rack2', 'ups.status'), 'OL', 'and may read all the same');
    }
    const secondary = await clientOf(t, upsd);
    await secondary.identify(SECONDARY.user, SECONDARY.password);
    await secondary.login('rack1');
    t.equal(await refusalOf(secondary.login('rack1')), 'ALREADY-LOGGED-IN');
    await secondary.logout();
    t.ok(secondary.isClosed);
  });

  await t.test('a driver that hangs', async () => {
    upsd.hangDriver(true, 'rack2');
    await until(async () => await refusalOf(client.variables('rack2')) === 'DATA-STALE', PATIENCE_MS, 'stale data');
    upsd.hangDriver(false, 'rack2');
    await until(async () => await refusalOf(client.variables('rack2')) instanceof Map, PATIENCE_MS, 'fresh data');
  });

  await t.test('a driver that ends', async (t) => {
    await upsd.killDriver('rack2');
    await until(async () => await refusalOf(client.variables('rack2')) === 'DRIVER-NOT-CONNECTED', PATIENCE_MS, 'a missing driver');
    t.equal(await client.variable('rack1', 'ups.status'), 'OB LB', 'the other UPS is asked on the same connection');
  });

  await t.test('an upsd that hangs, and one that is begun anew', async (t) => {
    const impatient = await clientOf(t, upsd, { answerTimeout: 100 });
    upsd.hangServer(true);
    await t.rejects(impatient.variables('rack1'), ConnectionLostError);
    upsd.hangServer(false);
    await upsd.killServer();
    await t.rejects(client.variables('rack1'), ConnectionLostError);
    await t.rejects(UpsdClient.connect(upsd), ConnectionLostError);
    upsd.startDriver('rack2');
    await upsd.startServer();
    t.equal(await (await clientOf(t, upsd)).variable('rack1', 'ups.status'), 'OB LB');
  });
  t.equal(await refusalOf(UpsdClient.connect({ host: upsd.host, port: upsd.port, trust: { kind: 'anyone' } })), 'FEATURE-NOT-CONFIGURED', 'it has no certificate');
});

void t.test('the real upsd with TLS', { skip: lacks(...UPSD_TLS_PROGRAMS) }, async (t) => {
  const upsd = await peer(t, { tls: true });
  const certificate = new X509Certificate(upsd.certificate!);
  const fingerprint = createHash('sha256').update(certificate.raw).digest('base64').slice(0, 43);

  for (const [how, trust] of [
    ['by its authority', { kind: 'authorities', ca: upsd.certificate! }], ['by its fingerprint', { kind: 'fingerprints', fingerprints: [fingerprint] }], ['blindly', { kind: 'anyone' }],
  ] as const) {
    const client = await clientOf(t, upsd, { trust });
    await client.identify(SECONDARY.user, SECONDARY.password);
    await client.login('rack1');
    t.equal(await client.variable('rack1', 'ups.status'), 'OL', how);
    await client.logout();
  }
  t.match(upsd.output, /SSL handshake done successfully/, 'it says so too');
  await t.rejects(UpsdClient.connect({ host: upsd.host, port: upsd.port, trust: { kind: 'authorities' } }), CertificateError, 'nobody vouches for it');
  await t.rejects(UpsdClient.connect({ host: upsd.host, port: upsd.port, trust: { kind: 'fingerprints', fingerprints: ['x'.repeat(43)] } }), CertificateError);
  t.equal(await (await clientOf(t, upsd)).variable('rack1', 'ups.status'), 'OL', 'in the clear too');
});
