import { XMLValidator } from 'fast-xml-parser';
import t from 'tap';
import { METHODS, TYPES } from '../../../src/protocols/vim/schema.js';
import { buildWsdl } from '../../../src/protocols/vim/wsdl.js';

await t.test('the description holds each method and each type, and names no type that is not there', (t) => {
  const wsdl = buildWsdl();
  t.equal(XMLValidator.validate(wsdl), true);
  for (const method of Object.keys(METHODS)) t.match(wsdl, `<operation name="${method}">`);
  const known = new Set([...Object.keys(TYPES), ...Object.keys(METHODS).map((method) => `${method}RequestType`), 'ManagedObjectReference']);
  const named = [...wsdl.matchAll(/type="v:(\w+)"/g)].map(([, name = '']) => name);
  t.same(named.filter((name) => !known.has(name)), []);
  t.match(wsdl, /<complexType name="LoginRequestType"><sequence><element name="_this"[^>]*><element name="userName"[^>]*><element name="password"/);
  t.end();
});
