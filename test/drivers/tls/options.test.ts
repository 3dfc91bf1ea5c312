import t from 'tap';
import * as v from 'valibot';
import { faultsOfLogin, loginEntries } from '../../../src/drivers/tls/options.js';

const login = (more: object) => v.parse(v.strictObject(loginEntries), { user: 'argo', ...more });
const [safe, plain] = [new URL('https://vc1.example/sdk'), new URL('http://vc1.example/sdk')];

await t.test('what of a login cannot work', (t) => {
  t.same(faultsOfLogin(login({ password: 'sesame' }), safe), []);
  t.match(faultsOfLogin(login({}), safe), [{ message: /password-env is missing/ }]);
  t.match(faultsOfLogin(login({ password: 'sesame' }), safe, plain), [{ message: /in the clear; use https/ }]);
  t.same(faultsOfLogin(login({ password: 'sesame', insecure: true }), plain), []);
  t.match(faultsOfLogin(login({ password: 'sesame', 'ca-file': '/nonexistent/ca.pem' }), safe), [{ message: /nonexistent/ }]);
  t.end();
});
