import t from 'tap';
import { WmiAnswerError, WmiFault } from '../../../src/protocols/wmi/errors.js';
import { PAGE } from '../../../src/protocols/wsman/soap.js';
import { until } from '../../support/until.js';
import { envelope, fault, never, OS, serve, SOAP_TYPE } from './service.js';

const WMI = 'http://schemas.microsoft.com/wbem/wsman/1/wmi';
const JOB = { namespace: 'root/virtualization/v2', className: 'Msvm_ConcreteJob', keys: { InstanceID: 'ABC' } };
const REFERENCE = `<a:Address>http://h/wsman</a:Address><a:ReferenceParameters><w:ResourceURI>${WMI}/root/virtualization/v2/Msvm_ConcreteJob</w:ResourceURI>
  <w:SelectorSet><w:Selector Name="InstanceID">ABC</w:Selector><w:Selector Name="__cimnamespace">root/other</w:Selector></w:SelectorSet></a:ReferenceParameters>`;

const HEADERS = /<s:Header><a:To>http:\/\/127\.0\.0\.1:\d+\/wsman<\/a:To><w:ResourceURI s:mustUnderstand="true">([^<]+)<\/w:ResourceURI>.*<a:Action s:mustUnderstand="true">([^<]+)<\/a:Action>.*<w:MaxEnvelopeSize s:mustUnderstand="true">512000<\/w:MaxEnvelopeSize><w:OperationTimeout>PT55\.000S<\/w:OperationTimeout>/;

void t.test('Identify', async (t) => {
  const service = await serve(t, () => `<i:IdentifyResponse xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">
    <i:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd</i:ProtocolVersion><i:ProductVendor>Microsoft Corporation</i:ProductVendor>
    <i:ProductVersion>OS: 10.0.20348 SP: 0.0 Stack: 3.0</i:ProductVersion></i:IdentifyResponse>`);
  t.same(await service.session().identify(never()), {
    protocolVersion: 'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd', productVendor: 'Microsoft Corporation', productVersion: 'OS: 10.0.20348 SP: 0.0 Stack: 3.0',
  });
  t.match(service.asked[0]?.text, /<s:Header\/><s:Body><i:Identify\/><\/s:Body>/);
});

void t.test('Identify in the namespace without a file at its end', async (t) => {
  for (const namespace of ['http://schemas.dmtf.org/wbem/wsman/identity/1', 'http://schemas.dmtf.org/wbem/wsman/identity/1/', 'https://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd']) {
    const service = await serve(t, () => `<IdentifyResponse xmlns="${namespace}"><ProductVendor>Openwsman Project</ProductVendor></IdentifyResponse>`);
    t.match(await service.session().identify(never()), { productVendor: 'Openwsman Project' }, namespace);
  }
  const other = await serve(t, () => '<IdentifyResponse xmlns="http://schemas.dmtf.org/wbem/wsman/identity/2"/>');
  await t.rejects(other.session().identify(never()), WmiAnswerError);
});

void t.test('a fault inside a fault says more', async (t) => {
  const service = await serve(t, () => ({
    status: 500, headers: { 'content-type': SOAP_TYPE },
    body: envelope(`<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:InternalError</s:Value></s:Subcode></s:Code><s:Reason><s:Text>no</s:Text></s:Reason>
      <s:Detail><f:WSManFault Code="2150858999"><f:Message><f:ProviderFault><f:WSManFault Code="2150859173"/></f:ProviderFault></f:Message></f:WSManFault></s:Detail></s:Fault>`),
  }));
  await t.rejects(service.session().get(OS, never()), { kind: 'quota', code: 2150859173 });
});

void t.test('Get: keys go as selectors, values come as text', async (t) => {
  const service = await serve(t, () => `<p:Win32_Thing>
    <p:Name>a &lt;name&gt; </p:Name><p:Empty/><p:Nil xsi:nil="true"/><p:Flag>true</p:Flag>
    <p:When><cim:Datetime>2026-03-04T05:06:07.5+02:00</cim:Datetime></p:When><p:Long><cim:Interval>P0DT1H</cim:Interval></p:Long>
    <p:State>2</p:State><p:State>11</p:State><p:State xsi:nil="true"/><p:One>1</p:One>
    <p:Part xmlns:q="urn:q"><q:Name>inner</q:Name><q:Size>5</q:Size></p:Part>
    <p:Job>${REFERENCE}</p:Job><p:Wrapped><a:EndpointReference>${REFERENCE}</a:EndpointReference></p:Wrapped>
    <p:__proto__>x</p:__proto__></p:Win32_Thing>`);
  const path = { namespace: 'root/cimv2', className: 'Win32_Thing', keys: { 'B&B': '"<x>"', Name: ' ä ' } };
  const found = await service.session().get(path, never());
  t.same({ ...found }, {
    Name: 'a <name> ', Empty: '', Nil: null, Flag: 'true', When: '2026-03-04T05:06:07.5+02:00', Long: 'P0DT1H', State: ['2', '11', null], One: '1',
    Part: { Name: 'inner', Size: '5' }, Job: JOB, Wrapped: JOB, ['__proto__']: 'x',
  });
  t.equal(Object.getPrototypeOf(found), Object.prototype, 'no property touches what an object is');
  const [, resource, action] = HEADERS.exec(service.asked[0]?.text ?? '') ?? [];
  t.equal(resource, `${WMI}/root/cimv2/Win32_Thing`);
  t.equal(action, 'http://schemas.xmlsoap.org/ws/2004/09/transfer/Get');
  t.match(service.asked[0]?.text, '<w:SelectorSet><w:Selector Name="B&amp;B">&quot;&lt;x&gt;&quot;</w:Selector><w:Selector Name="Name"> ä </w:Selector></w:SelectorSet>');
  t.match(service.asked[0]?.text, '<s:Body></s:Body>');
});

void t.test('a reference to what has another kind of address is read by its own words', async (t) => {
  const service = await serve(t, () => `<p:X><p:R><a:ReferenceParameters><w:ResourceURI>http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_Job</w:ResourceURI>
    <w:SelectorSet><w:Selector Name="__cimnamespace">root/other</w:Selector><w:Selector Name="Id">7</w:Selector></w:SelectorSet></a:ReferenceParameters></p:R></p:X>`);
  t.same((await service.session().get(OS, never())).R, { namespace: 'root/other', className: 'CIM_Job', keys: { Id: '7' } });
});

void t.test('a query is followed to its end', async (t) => {
  const item = (name: string): string => `<p:Msvm_X><p:Name>${name}</p:Name></p:Msvm_X>`;
  const service = await serve(t, ({ action, text }) => {
    if (action === 'Enumerate') return `<n:EnumerateResponse><n:EnumerationContext>uuid:1&amp;</n:EnumerationContext><w:Items>${item('a')}${item('b')}</w:Items></n:EnumerateResponse>`;
    if (text.includes('uuid:1&amp;')) return `<n:PullResponse><n:EnumerationContext>uuid:2</n:EnumerationContext><n:Items>${item('c')}</n:Items></n:PullResponse>`;
    return `<n:PullResponse><n:Items><w:XmlFragment><p:Name>d</p:Name></w:XmlFragment></n:Items><n:EndOfSequence/></n:PullResponse>`;
  });
  const found = await service.session().query('root/virtualization/v2', "SELECT * FROM Msvm_X WHERE A<'&'", never());
  t.same(found, [{ Name: 'a' }, { Name: 'b' }, { Name: 'c' }, { Name: 'd' }]);
  t.same(service.asked.map(({ action }) => action), ['Enumerate', 'Pull', 'Pull']);
  const [, resource, action] = HEADERS.exec(service.asked[0]?.text ?? '') ?? [];
  t.equal(resource, `${WMI}/root/virtualization/v2/*`, 'all classes of the namespace');
  t.equal(action, 'http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate');
  t.match(service.asked[0]?.text, `<n:Enumerate><w:OptimizeEnumeration/><w:MaxElements>${PAGE}</w:MaxElements><w:Filter Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL">SELECT * FROM Msvm_X WHERE A&lt;&apos;&amp;&apos;</w:Filter></n:Enumerate>`);
  t.match(service.asked[1]?.text, `<n:Pull><n:EnumerationContext>uuid:1&amp;</n:EnumerationContext><n:MaxElements>${PAGE}</n:MaxElements></n:Pull>`);
});

void t.test('a service that sends the context first, and objects with Pull', async (t) => {
  const pages = ['<p:X><p:A>1</p:A></p:X>', '', '<p:X><p:A>2</p:A></p:X>'];
  const service = await serve(t, ({ action }) => {
    if (action === 'Enumerate') return '<n:EnumerateResponse><n:Expires>PT1M</n:Expires><n:EnumerationContext>c</n:EnumerationContext></n:EnumerateResponse>';
    return `<n:PullResponse><n:EnumerationContext>c</n:EnumerationContext><n:Items>${pages.shift()}</n:Items>${pages.length === 0 ? '<n:EndOfSequence/>' : ''}</n:PullResponse>`;
  });
  t.same(await service.session().query('root/cimv2', 'SELECT * FROM X', never()), [{ A: '1' }, { A: '2' }]);
  t.same(service.asked.map(({ action }) => action), ['Enumerate', 'Pull', 'Pull', 'Pull']);
});

void t.test('a query that finds nothing', async (t) => {
  const service = await serve(t, () => '<n:EnumerateResponse><n:EnumerationContext/><w:Items/><w:EndOfSequence/></n:EnumerateResponse>');
  t.same(await service.session().query('root/cimv2', 'SELECT * FROM X', never()), []);
  t.equal(service.asked.length, 1);
});

void t.test('a query that has no end, or gives too much, is let go of at the service', async (t) => {
  const more = (name: string, items: string): string => `<n:${name}><n:EnumerationContext>uuid:9</n:EnumerationContext><n:Items>${items}</n:Items></n:${name}>`;
  for (const items of ['', '<p:X/>']) {
    const service = await serve(t, ({ action }) => (action === 'Release' ? '<n:ReleaseResponse/>' : more(`${action}Response`, action === 'Enumerate' ? '<p:X/>' : items)));
    await t.rejects(service.session({ limits: { objects: 100 } }).query('root/cimv2', 'SELECT * FROM X', never()), WmiAnswerError);
    await until(() => service.asked.at(-1)?.action === 'Release', 60_000, 'a Release');
    t.match(service.asked.at(-1)?.text, '<n:Release><n:EnumerationContext>uuid:9</n:EnumerationContext></n:Release>');
    t.equal(service.connections(), 1);
  }
});

void t.test('a query that is given up is let go of at the service, on the connection that lives on', async (t) => {
  const aborter = new AbortController();
  const service = await serve(t, ({ action }) => {
    if (action === 'Pull') aborter.abort(new Error('enough'));
    return action === 'Release' ? '<n:ReleaseResponse/>' : `<n:${action}Response><n:EnumerationContext>uuid:9</n:EnumerationContext><n:Items><p:X/></n:Items></n:${action}Response>`;
  });
  const session = service.session();
  await t.rejects(session.query('root/cimv2', 'SELECT * FROM X', aborter.signal), { message: 'enough' });
  await until(() => service.asked.at(-1)?.action === 'Release', 60_000, 'a Release');
  t.equal(service.connections(), 1);
});

void t.test('Invoke: parameters in their order, arrays repeated, what comes back', async (t) => {
  const service = await serve(t, () => `<p:RequestStateChange_OUTPUT><p:Job>${REFERENCE}</p:Job><p:ReturnValue>4096</p:ReturnValue></p:RequestStateChange_OUTPUT>`);
  const path = { namespace: 'root/virtualization/v2', className: 'Msvm_ComputerSystem', keys: { Name: 'GUID' } };
  t.same(await service.session().invoke(path, 'RequestStateChange', { Zulu: '2', Alpha: ['1', '<2>'], None: [] }, never()), { Job: JOB, ReturnValue: '4096' });
  const resource = `${WMI}/root/virtualization/v2/Msvm_ComputerSystem`;
  t.same(HEADERS.exec(service.asked[0]?.text ?? '')?.slice(1), [resource, `${resource}/RequestStateChange`]);
  t.match(service.asked[0]?.text, `<s:Body><p:RequestStateChange_INPUT xmlns:p="${resource}"><p:Zulu>2</p:Zulu><p:Alpha>1</p:Alpha><p:Alpha>&lt;2&gt;</p:Alpha></p:RequestStateChange_INPUT></s:Body>`);
});

void t.test('faults go by their number, else by their subcode, never by their words', async (t) => {
  const table: readonly (readonly [string, number | string, WmiFault['kind']])[] = [
    ['w:InvalidSelectors', 2150858843, 'no-such-instance'],
    ['w:InvalidSelectors', '', 'no-such-instance'],
    ['w:InternalError', 2147749890, 'no-such-instance'],
    ['w:AccessDenied', 5, 'access-denied'],
    ['w:InternalError', 2147942405, 'access-denied'],
    ['w:InternalError', 2147749891, 'access-denied'],
    ['w:InternalError', 2147749904, 'no-such-class'],
    ['w:InternalError', 2147749902, 'no-such-class'],
    ['a:DestinationUnreachable', 2150858752, 'no-such-class'],
    ['a:ActionNotSupported', 2150858753, 'no-such-method'],
    ['w:TimedOut', 2150858793, 'timed-out'],
    ['w:QuotaLimit', 2150859174, 'quota'],
    ...[2150859174, '0x803381A6', -2144108122, 0x803381a5, 0x803381a7, 0x803381a8, 0x803381ab, 0x8033803f, 0x803381e8, 0x8004106c].map((code) => ['w:InternalError', code, 'quota'] as const),
    ['w:QuotaLimit', '', 'quota'],
    ...[0x80041062, 1314, 0x80070522].map((code) => ['w:InternalError', code, 'privilege-not-held'] as const),
    ...[0x80041069, 1460, 0x800705b4, 121, 0x80070102, 0x8001011f].map((code) => ['w:InternalError', code, 'timed-out'] as const),
    ...[64, 0x800704c7, 0x800704d4, 1818, 0x80010007].map((code) => ['w:InternalError', code, 'interrupted'] as const),
    ...[0x80041032, 0x80041033, 0x80041015, 0x80041004, 0x800706be].map((code) => ['w:InternalError', code, 'interrupted'] as const),
    ['p:AccessDenied', 17, 'other'],
    ['AccessDenied', 17, 'other'],
    ['w:InternalError', 'many', 'other'],
  ];
  let next = table[0]!;
  const service = await serve(t, () => fault(next[0], next[1], 'access is denied: no such instance, timed out'));
  const session = service.session();
  for (const row of table) {
    next = row;
    const error: unknown = await session.get(OS, never()).catch((error: unknown) => error);
    if (!(error instanceof WmiFault)) throw error;
    t.match(error, { kind: row[2], code: Number(row[1]) > -1e10 ? Number(row[1]) >>> 0 : 0, message: 'access is denied: no such instance, timed out' }, row.join(' '));
  }
  t.equal(service.connections(), 1, 'a fault is no reason to connect anew');
});

void t.test('what is no answer to what was asked is none', async (t) => {
  const answers: Readonly<Record<string, string>> = {
    'no XML': 'hello', HTML: '<html><body>It works!</body></html>', 'an old SOAP': '<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"/>',
    'an empty body': envelope(''), "another request's": envelope('<p:X/>', 'uuid:00000000-0000-0000-0000-000000000000'),
    'a document type': `<!DOCTYPE x [<!ENTITY a "aaaa">]>${envelope('<p:X>&a;</p:X>')}`,
    'bytes that are no UTF-8': 'latin1',
  };
  let body: string | Buffer = '';
  const service = await serve(t, () => ({ status: 200, headers: { 'content-type': SOAP_TYPE }, body }));
  const session = service.session();
  for (const [what, text] of Object.entries(answers)) {
    body = text === 'latin1' ? Buffer.from(envelope('<p:X>ä</p:X>'), 'latin1') : text;
    await t.rejects(session.get(OS, never()), WmiAnswerError, what);
  }
  body = envelope('<p:X/>');
  await t.rejects(session.query('root/cimv2', 'SELECT * FROM X', never()), WmiAnswerError, 'an object instead of a page');
  await t.rejects(session.invoke(OS, 'Win32Shutdown', {}, never()), WmiAnswerError, 'an object instead of an output');
  await t.rejects(session.identify(never()), WmiAnswerError, 'an object instead of an identity');
});

void t.test('a text that XML cannot carry is never sent', async (t) => {
  const service = await serve(t, () => '<p:X/>');
  await t.rejects(service.session().get({ ...OS, keys: { Name: 'a\0b' } }, never()), RangeError);
  t.equal(service.asked.length, 0);
});
