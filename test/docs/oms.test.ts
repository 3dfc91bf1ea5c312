import t from 'tap';
import { FAULTS } from '../../src/gateways/oms/faults.js';
import { AUTH_METHODS } from '../../src/gateways/oms/services/auth.js';
import { SERVICES } from '../../src/gateways/oms/services/index.js';
import { OPERATIONS } from '../../src/instances/operation-table.js';
import { everything, LOGIN, omsTable } from '../support/oms/accounts.js';
import { OmsClient } from '../support/oms/client.js';
import { startWorld, tagHost } from '../support/oms/world.js';
import { examplesIn } from '../support/oms/examples.js';
import { codeWords, readDocument, section, tableRows } from './markdown.js';

const DOCUMENT = readDocument('docs/gateways/oms.md');
const METHODS = section(DOCUMENT, '## Methods');
/** As the document has them, in whose place others come. */
const [VNC, SSH] = [6800, 6900];

await t.test('docs/gateways/oms.md has every error, with its code', (t) => {
  t.same(tableRows(section(DOCUMENT, '## Errors')), Object.entries(FAULTS).map(([name, { origin, code }]) => [String(origin), String(code), `\`${name}\``]));
  t.end();
});

await t.test('and every method, with its parameters and what it needs', (t) => {
  const told = new Map<string, string[][]>();
  for (const part of METHODS.split(/^### /m).slice(1)) told.set(codeWords(part)[0]!, tableRows(part));
  for (const { names: [service], methods } of SERVICES) {
    t.same(told.get(service), Object.entries(methods).map(([name, { on, params, rest, operation }]) => [
      `\`${name}\``,
      [...(on === 'server' ? [] : ['host']), ...(on === 'machine' ? ['machine'] : []), ...Object.keys(params).map((one) => (one === 'tag' ? '(tag)' : one)), ...(rest ? ['(statistic …)'] : [])].join(', '),
      operation === undefined ? '' : `\`${operation}\` (${OPERATIONS[operation].right})`,
    ]), service);
  }
  t.same(told.get('authservices'), [...AUTH_METHODS].map(([name, { params }]) => [`\`${name}\``, Object.keys(params).join(', '), '']));
  t.equal(told.size, SERVICES.length + 1);
  t.end();
});

await t.test('and what is printed is what happens', async (t) => {
  const { table, vnc, ssh } = await omsTable();
  const daemon = await startWorld(t, await everything() + table, 2);
  const [client, other] = [new OmsClient(daemon.ports[1]!), new OmsClient(daemon.ports[1]!)];
  for (const one of [client, other]) await one.login(LOGIN.name, LOGIN.password);
  await tagHost(daemon, LOGIN, 'old_name');
  let calls = 0;
  for (const part of METHODS.split(/^### /m).slice(1)) {
    const service = codeWords(part)[0]!;
    for (const { method, params, answer } of examplesIn(part, [])) {
      // who logs out is somebody else, so that the rest goes on
      const sessid = method === 'deauthenticate' ? other.sessid : client.sessid;
      const port = (text: string): string => text.replaceAll(new RegExp(`\\b${VNC}\\b`, 'g'), String(vnc)).replaceAll(new RegExp(`\\b${SSH}\\b`, 'g'), String(ssh));
      const { error, result } = await client.call(service, method, JSON.parse(port(params).replaceAll('"SESSID"', JSON.stringify(sessid))) as unknown[]);
      const wanted = JSON.parse(port(answer)) as { result?: unknown };
      if (method === 'authenticate') t.match(result, { type: 'auth', result: String(wanted.result).replace(/./g, '.').length === 40 ? /^[0-9A-F]{40}$/ : 'a key' });
      else t.same(error === null ? result : { error }, wanted, method);
      calls += 1;
    }
  }
  t.ok(calls >= 62, `${calls} calls; those of enrolment have a real host`);
});
