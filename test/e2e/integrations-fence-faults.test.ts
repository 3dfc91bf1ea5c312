import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import t from 'tap';
import { connect } from '../support/line-client.js';
import { agentOf, FENCED, FENCER, lacksFencing, statesOf } from './support/fencing.js';
import { startIntegrated } from './support/integrations.js';

const skip = lacksFencing();

await t.test('where it cannot be done', { skip }, async (t) => {
  const daemon = await startIntegrated(t, FENCER, FENCED);
  const agent = agentOf(daemon);
  const state = await statesOf(t, daemon);

  await t.test('what is not known is never off', async (t) => {
    await Promise.all(['status', 'off', 'on', 'reboot'].map(async (action) => {
      const { code, stdout } = await agent({ action, plug: 'hung', power_timeout: 2 });
      t.equal(code, 1, action);
      t.notMatch(stdout, /OFF|Success/, action);
    }));
    t.same((await agent({ action: 'list-status' })).stdout.split('\n').slice(0, -1).toSorted(), [
      'builder,,ON', 'dev,,ON', 'fallen,,ON', 'held,,ON', 'hung,,UNKNOWN', 'kept,,ON', 'lj,,ON', 'test,,OFF',
    ]);
    await Promise.all(['nobody', 'te*', '@all', ''].map(async (plug) => t.equal((await agent({ action: 'off', plug })).code, 1, plug)));
    t.equal(await state('lj'), 'on', 'a plug is no pattern');
  });

  await t.test('who may not, or cannot, is told so and switches nothing', async (t) => {
    t.match(await agent({ action: 'off', plug: 'lj', password: 'wrong-one' }), { code: 1, stderr: /NOT AUTHENTICATED/ });
    t.match(await agent({ action: 'off', plug: 'lj', ipport: 1 }), { code: 1, stderr: /UNREACHABLE/ });
    t.match(await agent({ action: 'off', plug: 'lj', ssl: 1, login_timeout: 2 }), { code: 1, stderr: /UNREACHABLE/ }, 'no TLS there');
    t.match(await agent({ action: 'off', plug: 'lj', tls_fingerprint: 'x' }), { code: 1, stderr: /fingerprint/ });
    t.match(await agent({ action: 'status', plug: 'lj', ssl: 0 }), { code: 0 });
    t.equal(await state('lj'), 'on');
    t.match(await agent({ action: 'validate-all', plug: 'lj', ipport: 1 }), { code: 0 });
    const { stderr } = await agent({ action: 'off', plug: 'lj', password: 'wrong-one', verbose: 1 });
    t.notMatch(stderr, 'wrong-one');
  });
});

await t.test('an answer that was lost decides nothing', { skip }, async (t) => {
  const daemon = await startIntegrated(t, FENCER, FENCED);
  const state = await statesOf(t, daemon);
  let cut: 'before' | 'after' = 'after';
  let orders = 0;
  // between agent and server: the first connection that gives an order ends with it, carried out or not
  const proxy = createServer((near) => {
    void connect(daemon.port).then(({ socket: far }) => {
      const end = (): void => { near.destroy(); far.destroy(); };
      near.on('close', end).on('error', end).on('data', (data: Buffer) => {
        if (!data.toString().startsWith('stop')) return void far.write(data);
        orders += 1;
        if (cut === 'before') return end();
        far.removeAllListeners('data');
        far.write(data);
        far.once('data', end);
      });
      far.on('close', end).on('error', end).on('data', (data: Buffer | string) => near.write(data));
    });
  }).listen(0, '127.0.0.1');
  t.teardown(() => proxy.close());
  await once(proxy, 'listening');
  const agent = agentOf({ ...daemon, port: (proxy.address() as AddressInfo).port });

  t.match(await agent({ action: 'off', plug: 'lj' }), { code: 0, stdout: /Powered OFF/, stderr: /UNCERTAIN/ });
  t.equal(await state('lj'), 'off');
  cut = 'before';
  const { code, stdout } = await agent({ action: 'off', plug: 'builder', power_timeout: 2 });
  t.equal(code, 1);
  t.notMatch(stdout, /OFF/);
  t.equal(await state('builder'), 'on');
  t.equal(orders, 2, 'each was given once');
});
