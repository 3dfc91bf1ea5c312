import { XMLValidator } from 'fast-xml-parser';
import t from 'tap';
import { buildWsdl, METHODS, type Method } from '../../../src/protocols/vim/schema.js';

await t.test('each method\'s description holds it, and names no type that is not there', (t) => {
  for (const method of Object.keys(METHODS) as Method[]) {
    const wsdl = buildWsdl(method);
    t.equal(XMLValidator.validate(wsdl), true);
    t.match(wsdl, `<operation name="${method}">`);
    const known = new Set([...wsdl.matchAll(/complexType name="(\w+)"/g)].map(([, name]) => name));
    const named = [...wsdl.matchAll(/type="v:(\w+)"/g)].map(([, name = '']) => name);
    t.same(named.filter((name) => !known.has(name)), [], method);
  }
  t.match(buildWsdl('Login'), /<complexType name="LoginRequestType"><sequence><element name="_this"[^>]*><element name="userName"[^>]*><element name="password"/);
  t.notMatch(buildWsdl('Login'), 'PropertySpec', 'nothing that it does not need');
  t.end();
});
