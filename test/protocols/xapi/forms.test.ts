import { createRequire } from 'node:module';
import t from 'tap';
import type { Dispatcher, Transport, TransportOptions } from 'xen-api/transports/json-rpc.mjs';
import { fromRoot } from '../../support/paths.js';

/** xen-api's wire forms as they are in the bundle, with what stands for undici in it. */

const require = createRequire(import.meta.url);
const FORMS = {
  json: { path: '/jsonrpc', type: 'application/json', value: '{"jsonrpc":"2.0","id":0,"result":"ref"}', fault: '{"jsonrpc":"2.0","id":0,"error":{"code":1,"message":"SESSION_INVALID","data":["x"]}}' },
  xml: {
    path: '/xmlrpc', type: 'text/xml',
    value: '<methodResponse><params><param><value><struct><member><name>Status</name><value>Success</value></member><member><name>Value</name><value>ref</value></member></struct></value></param></params></methodResponse>',
    fault: '<methodResponse><params><param><value><struct><member><name>Status</name><value>Failure</value></member><member><name>ErrorDescription</name><value><array><data><value>SESSION_INVALID</value><value>x</value></data></array></value></member></struct></value></param></params></methodResponse>',
  },
} as const;
const url = { protocol: 'https:', hostname: 'pool', port: '443', pathname: '/' };

interface Bundled {
  readonly create: (options: TransportOptions) => Transport;
  readonly TheirError: new () => Error;
  readonly UnsupportedTransport: new () => Error;
}

for (const [form, { path, type, value, fault }] of Object.entries(FORMS)) {
  await t.test(form, async (t) => {
    const { create, TheirError, UnsupportedTransport } = require(fromRoot('dist', 'bundle', 'protocols', 'xapi', `${form}-form.js`)) as Bundled;
    const asked: string[] = [];
    const answering = (text: string, type: string): Dispatcher => ({
      dispatch: ({ path, method, body }, handler) => {
        asked.push(`${method} ${path} ${body}`);
        handler.onHeaders(200, [Buffer.from('content-type'), Buffer.from(type)], () => undefined, '');
        // in pieces, as it may come
        for (const piece of [text.slice(0, 9), text.slice(9)]) handler.onData(Buffer.from(piece));
        handler.onComplete([]);
        return true;
      },
    });
    const call = (dispatcher: Dispatcher): Promise<unknown> => create({ dispatcher, url })('session.login', ['root']);

    t.equal(await call(answering(value, type)), 'ref');
    t.match(asked, [new RegExp(`^POST ${path} .*session\\.login.*root`, 's')]);
    await t.rejects(call(answering(fault, type)), TheirError);
    await t.rejects(call(answering(value, 'text/html')), UnsupportedTransport);
    const lost = new Error('the connection was lost');
    await t.rejects(call({ dispatch: (_, handler) => (handler.onError(lost), true) }), lost);
    t.notMatch(Object.keys(require.cache).join('\n'), /\/undici\//, 'which is by far the largest part of it');
  });
}
