import { createHash, X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import t, { type Test } from 'tap';
import { SCREEN_PROGRAMS, startScreen, takePicture } from '../../peers/screen.js';
import { makeCertificate } from '../../peers/xapi.js';
import { val, VimDouble } from '../../peers/vim-double.js';
import { startEcho } from '../../support/echo.js';
import { lacks } from '../../support/peers.js';
import { until } from '../../support/until.js';
import { find, openDriver, PASSWORD, refusal, soon } from './open-driver.js';

const WAIT_MS = 60_000;
const CERTIFICATE = lacks('openssl') === false ? makeCertificate() : undefined;
const THUMBPRINT = CERTIFICATE && createHash('sha1').update(new X509Certificate(CERTIFICATE.cert).raw).digest('hex').toUpperCase().replace(/..(?!$)/g, '$&:');
/** RFB 3.8 without a password, with nothing behind it. */
const GREETING = [Buffer.from('RFB 003.008\n', 'latin1'), Buffer.from([1, 1]), Buffer.alloc(4)];

/** A vSphere with TLS, whose certificate is pinned, and a machine that is on. What its screen hears after the login is said back. */
async function setUp(t: Test, ...greeting: readonly Buffer[]) {
  const vim = await VimDouble.start({ tls: CERTIFICATE! });
  const { driver, told } = openDriver({ url: vim.url, user: 'argo', password: PASSWORD, fingerprint: `SHA256:${CERTIFICATE!.fingerprint}` });
  const screen = await startEcho(t, ...greeting);
  t.teardown(async () => {
    await driver.close(soon());
    await vim.stop();
  });
  vim.addVm('web1');
  vim.screens.port = screen.where.port;
  vim.screens.place = `<port>${vim.port}</port>`;
  const web = await find(driver, 'web1');
  const open = async (): Promise<Duplex> => (await web.console!.vnc!({ signal: soon() })).stream;
  return { vim, told, screen, open };
}

const options = { skip: lacks('openssl'), timeout: 60_000 };

await t.test('a screen, by a ticket for each look', options, async (t) => {
  const { vim, screen, open, told } = await setUp(t, ...GREETING);
  const stream = await open();
  let seen = Buffer.alloc(0);
  let isOver = false;
  stream.on('data', (chunk: Buffer) => { seen = Buffer.concat([seen, chunk]); });
  stream.on('close', () => { isOver = true; });
  // of the login comes back what we have said ourselves
  const said = Buffer.from('RFB 003.008\n\u0001', 'latin1');
  const size = 2 * 1024 * 1024;
  stream.write(Buffer.alloc(size, 7));
  await until(() => seen.length === said.length + size, WAIT_MS, 'all of it, back');
  t.ok(seen.subarray(said.length).every((byte) => byte === 7));
  const other = await open();
  t.equal(new Set(vim.screens.given).size, 2);
  other.destroy();
  await until(() => screen.sockets.size === 1, WAIT_MS, 'the end of what we let go of');
  screen.sockets.forEach((socket) => socket.destroy());
  await until(() => isOver, WAIT_MS, 'our end with the guest\'s');
  for (const ticket of vim.screens.given) t.notOk(JSON.stringify(told).includes(ticket), 'the ticket is in no log');
});

await t.test('whom the ticket leads to', options, async (t) => {
  const { vim, open } = await setUp(t, ...GREETING);
  const place = (host: string, thumbprint: string): void => {
    vim.screens.place = `${host && `<host>${host}</host>`}<port>${vim.port}</port>${thumbprint && `<sslThumbprint>${thumbprint}</sslThumbprint>`}`;
  };
  place('127.0.0.1', THUMBPRINT!);
  (await open()).destroy();
  place('', THUMBPRINT!);
  (await open()).destroy();
  place('127.0.0.1', THUMBPRINT!.replace(/^../, (pair) => (pair === '00' ? '01' : '00')));
  t.match(await refusal(open()), { phrase: 'CERTIFICATE REJECTED', detail: /another than was told of/ });
  place('127.0.0.1', 'nonsense');
  t.match(await refusal(open()), { phrase: 'FAILED', detail: /thumbprint/ });
  vim.screens.place = '<host>127.0.0.1</host><port>1</port>';
  t.match(await refusal(open()), { phrase: 'UNREACHABLE', detail: /the host of its screen: nobody listens there/ });
});

await t.test('QEMU\'s screen in a viewer that others wrote', { skip: lacks('openssl', ...SCREEN_PROGRAMS), timeout: 60_000 }, async (t) => {
  const { vim, open } = await setUp(t);
  const qemu = await startScreen();
  t.teardown(() => qemu.stop());
  vim.screens.port = qemu.port;
  const picture = await takePicture(await open());
  t.equal(picture.readUInt16BE(0), 0xffd8, 'a JPEG');
});

await t.test('what is refused', options, async (t) => {
  const { vim, open, told } = await setUp(t, Buffer.from('VMware something else\n'));
  t.match(await refusal(open()), { phrase: 'FAILED', detail: /does not speak RFB/ });
  vim.instead.set('AcquireTicket', () => {
    const answer = vim.screens.give('web1');
    vim.screens.expire();
    return answer;
  });
  const refused = await refusal(open());
  t.match(refused, { phrase: 'UNREACHABLE', detail: /HTTP status 404/ });
  const ticket = vim.screens.given.at(-1)!;
  t.notOk(JSON.stringify([refused, refused.detail, told]).includes(ticket));
  vim.instead.set('AcquireTicket', () => '');
  t.match(await refusal(open()), { phrase: 'FAILED', detail: /no ticket/ });
  vim.instead.delete('AcquireTicket');
  vim.set('web1', 'runtime.powerState', val('VirtualMachinePowerState', 'poweredOff'));
  t.match(await refusal(open()), { phrase: 'WRONG STATE', detail: 'it is off' });
});
