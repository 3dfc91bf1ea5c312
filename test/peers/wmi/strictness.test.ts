import t from 'tap';
import { until } from '../../support/until.js';
import { LONG } from '../../support/faults.js';
import { ACTION, ANONYMOUS, NS, WMI, WQL } from './names.js';
import { startWmiDouble, type WmiDouble } from './index.js';

/** The double refuses what Windows refuses, so that a client which it takes is a good one. */

const PREFIXES = `xmlns:s="${NS.soap}" xmlns:a="${NS.addressing}" xmlns:w="${NS.wsman}" xmlns:n="${NS.enumeration}"`;
const GOOD = `<s:Envelope ${PREFIXES}><s:Header><a:To>http://127.0.0.1/wsman</a:To>`
  + `<w:ResourceURI s:mustUnderstand="true">${WMI}root/cimv2/*</w:ResourceURI><a:ReplyTo><a:Address>${ANONYMOUS}</a:Address></a:ReplyTo>`
  + `<a:Action s:mustUnderstand="true">${ACTION.enumerate}</a:Action><w:MaxEnvelopeSize>153600</w:MaxEnvelopeSize><a:MessageID>uuid:1</a:MessageID>`
  + '<w:OperationTimeout>PT30S</w:OperationTimeout></s:Header><s:Body><n:Enumerate><w:OptimizeEnumeration/><w:MaxElements>5</w:MaxElements>'
  + `<w:Filter Dialect="${WQL}">SELECT * FROM Win32_OperatingSystem</w:Filter></n:Enumerate></s:Body></s:Envelope>`;

async function post({ url }: WmiDouble, body: string, type = 'application/soap+xml;charset=UTF-8', headers: Record<string, string> = {}): Promise<{ status: number; text: string; code: number }> {
  const response = await fetch(url, { method: 'POST', body, headers: { 'content-type': type, ...headers } });
  const text = await response.text();
  return { status: response.status, text, code: Number(/\bCode="(\d+)"/.exec(text)?.[1] ?? 0) };
}

void t.test('envelopes', { timeout: LONG }, async (t) => {
  const double = await startWmiDouble({ role: 'windows' });
  t.teardown(() => double.stop());
  t.match(await post(double, GOOD), { status: 200, text: /<a:RelatesTo>uuid:1<.*<w:EndOfSequence\/>/ });
  const swap = (from: string, to: string): string => {
    if (!GOOD.includes(from)) throw new Error(`${from} is not there`);
    return GOOD.replace(from, to);
  };
  const refused: readonly (readonly [string, string, number])[] = [
    ['not closed', swap('</s:Envelope>', ''), 2150858819],
    ['a document type', `<!DOCTYPE x>${GOOD}`, 2150858819],
    ['an unknown prefix', swap('<a:To>http://127.0.0.1/wsman</a:To>', '<z:To>http://127.0.0.1/wsman</z:To>'), 2150858819],
    ['SOAP 1.1', swap(NS.soap, 'http://schemas.xmlsoap.org/soap/envelope/'), 2150858765],
    ['a header in the wrong namespace', swap('<a:To>http://127.0.0.1/wsman</a:To>', '<w:To>http://127.0.0.1/wsman</w:To>'), 2150858769],
    ['a header that must be understood', swap('</s:Header>', '<x:Y xmlns:x="urn:x" s:mustUnderstand="true"/></s:Header>'), 2150858768],
    ['a header twice', swap('</s:Header>', '<a:MessageID>uuid:2</a:MessageID></s:Header>'), 2150858767],
    ['no MessageID', swap('<a:MessageID>uuid:1</a:MessageID>', ''), 2150858769],
    ['an answer to somewhere else', swap(ANONYMOUS, 'http://elsewhere.example/'), 2150858870],
    ['a resource that is none', swap(`${WMI}root/cimv2/*`, 'urn:x'), 2150858811],
    ['an envelope too small', swap('153600', '1024'), 2150858878],
    ['a timeout that is none', swap('PT30S', '30 s'), 2150858881],
    ['parts in the wrong order', swap('<w:OptimizeEnumeration/><w:MaxElements>5</w:MaxElements>', '<w:MaxElements>5</w:MaxElements><w:OptimizeEnumeration/>'), 2150858817],
    ['parts in the wrong namespace', swap('<w:OptimizeEnumeration/>', '<n:OptimizeEnumeration/>'), 2150858817],
    ['no items wanted', swap('<w:MaxElements>5<', '<w:MaxElements>0<'), 2150858817],
    ['another dialect', swap(WQL, 'urn:x'), 2150858777],
    ['a class with a query', swap('root/cimv2/*', 'root/cimv2/Win32_Process'), 2150859003],
    ['selectors with a query', swap('</s:Header>', '<w:SelectorSet><w:Selector Name="__cimnamespace">root/cimv2</w:Selector></w:SelectorSet></s:Header>'), 2150858843],
    ['an action that is none', swap(ACTION.enumerate, 'urn:x'), 2150858753],
  ];
  for (const [what, body, code] of refused) t.match(await post(double, body), { status: 500, code }, what);
  t.match(await post(double, swap('</s:Header>', '<x:Y xmlns:x="urn:x"/></s:Header>')), { status: 200 }, 'what need not be understood is passed over');
  t.match(await post(double, GOOD, 'text/xml'), { status: 415 });
});

void t.test('logins', { timeout: LONG }, async (t) => {
  const double = await startWmiDouble({ role: 'windows', users: { u: 'p:w' } });
  const closed = await startWmiDouble({ role: 'windows', users: { u: 'p:w' }, allowUnencrypted: false });
  t.teardown(async () => { await double.stop(); await closed.stop(); });
  const authorization = `Basic ${Buffer.from('u:p:w').toString('base64')}`;
  t.match(await post(double, GOOD), { status: 401, text: '' });
  t.match(await post(double, GOOD, undefined, { authorization: `Basic ${Buffer.from('u:p').toString('base64')}` }), { status: 401 });
  t.match(await post(double, GOOD, undefined, { authorization }), { status: 200 });
  t.equal(double.requests[0]?.user, 'u');
  t.match(await post(closed, GOOD, undefined, { authorization }), { status: 401 }, 'Basic in the clear is not taken');
});

void t.test('WMI says more of its own refusals, in a form of its own', { timeout: LONG }, async (t) => {
  const double = await startWmiDouble({ role: 'windows', wmiErrors: true, locale: 'de-DE' });
  t.teardown(() => double.stop());
  const { text } = await post(double, GOOD.replace('Win32_OperatingSystem', 'Win32_Spaceship'));
  t.match(text, /<p:MSFT_WmiError .*<p:CIMStatusCode[^>]*>5<.*<p:error_Code[^>]*>2150858752</);
  t.notMatch(text, /WSManFault|cannot find/, 'in words of another language');
});

void t.test('what goes wrong on the way', { timeout: LONG }, async (t) => {
  const double = await startWmiDouble({ role: 'windows' });
  t.teardown(() => double.stop());
  for (const kind of ['cut', 'cut after', 'half'] as const) {
    double.faults.add('Enumerate', { kind });
    await t.rejects(post(double, GOOD), kind);
  }
  double.faults.add('Win32_OperatingSystem', { kind: 'silent' });
  await t.rejects(fetch(double.url, { method: 'POST', body: GOOD, headers: { 'content-type': 'application/soap+xml;charset=UTF-8' }, signal: AbortSignal.timeout(200) }), 'no answer');
  double.faults.add('*', { kind: 'slow', ms: 60_000 });
  t.match(await post(double, GOOD.replace('PT30S', 'PT0.1S')), { status: 500, code: 2150858793 }, 'longer than the client waits');
  double.faults.add('*', { kind: 'huge' });
  const huge = await fetch(double.url, { method: 'POST', body: GOOD, headers: { 'content-type': 'application/soap+xml;charset=UTF-8' } });
  let bytes = 0;
  for await (const chunk of huge.body!) bytes += chunk.length;
  t.ok(bytes > 50_000_000);
  for (const [kind, seen] of [['bomb', /<!ENTITY/], ['entity', /SYSTEM "file:/], ['page', /<html>/], ['stranger', /uuid:0{8}-/]] as const) {
    double.faults.add('*', { kind });
    t.match((await post(double, GOOD)).text, seen, kind);
  }
  t.equal(double.faults.waiting, 0);
});

void t.test('a machine that restarts is away, and comes back at the same place', { timeout: LONG }, async (t) => {
  const double = await startWmiDouble({ role: 'windows', rebootMs: 50 });
  t.teardown(() => double.stop());
  const order = GOOD.replace('root/cimv2/*', 'root/cimv2/Win32_OperatingSystem').replace(ACTION.enumerate, `${WMI}root/cimv2/Win32_OperatingSystem/Win32Shutdown`)
    .replace(/<n:Enumerate>.*<\/n:Enumerate>/, `<p:Win32Shutdown_INPUT xmlns:p="${WMI}root/cimv2/Win32_OperatingSystem"><p:Flags>6</p:Flags></p:Win32Shutdown_INPUT>`);
  const { bootedAt } = double.world.windows;
  const { url } = double;
  double.world.windows.manner = 'drops';
  await t.rejects(post(double, order), 'no answer comes');
  await until(() => double.isUp && double.world.windows.bootedAt > bootedAt, LONG, 'the machine to be back');
  t.equal(double.url, url);
  t.match(await post(double, GOOD), { status: 200 });
});
