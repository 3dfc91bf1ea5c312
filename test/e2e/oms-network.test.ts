import t, { type Test } from 'tap';
import { until } from '../support/until.js';
import { eachLeavesIt, HOST, networkWorld, options, ROLLBACK_S, WAIT_MS, type NetworkWorld as World } from './support/network.js';

/** Changes of a real host's network by OMS' calls, through the whole daemon and over a real sshd; judged by the host's own `ip`. */

await t.test('the network of a host, by OMS', options, async (t) => {
  await eachLeavesIt(t, await networkWorld(t), {
    'what it has calls for': calls, 'a change that nobody new can confirm': unconfirmed, 'a server that is killed when it has cut its way off': killed,
  });
});

async function calls(t: Test, { oms, ip }: World): Promise<void> {
  const ask = async (method: string, ...params: readonly string[]): Promise<void> => {
    t.same(await oms.result('netinterfaceservices', method, HOST, ...params), { client: HOST, result: 0 }, `${method} ${params.join(' ')}`);
  };
  await ask('add_static_route', '10.50.0.0', '255.255.0.0', '10.99.2.7', 'lan0');
  t.match(await ip('route', 'show', '10.50.0.0/16'), 'via 10.99.2.7 dev lan0');
  await ask('edit_static_route', '10.50.0.0', '255.255.0.0', '10.99.2.7', 'lan0', '10.51.0.0', '255.255.0.0', '10.99.2.8');
  t.match(await ip('route', 'show', '10.51.0.0/16'), 'via 10.99.2.8 dev lan0');
  await ask('delete_static_route', '10.51.0.0', '255.255.0.0', '10.99.2.8', 'lan0');
  await ask('add_bridge', 'br7', '10.60.0.1', '255.255.255.0', '');
  await ask('add_bridge_member', 'br7', 'lan1');
  t.match(await ip('link', 'show', 'lan1'), / master br7 /);
  await ask('edit_bridge', 'br7', '10.60.0.2', '255.255.255.0', '');
  t.match(await ip('-br', 'address', 'show', 'br7'), / 10\.60\.0\.2\/24 /);
  await ask('delete_bridge_member', 'br7', 'lan1');
  await ask('delete_bridge', 'br7');
  await ip('link', 'set', 'lan1', 'down');
  t.match(await oms.ask('netinterfaceservices', 'edit_static_gateway', HOST, '10.99.2.9', 'lan0'), { error: { message: /default way/ } }, 'it has no word for force');
  t.match(await oms.ask('netinterfaceservices', 'add_bridge', HOST, '-rf', '', '', ''), { error: { origin: 1, code: 5 } });
}

async function unconfirmed(t: Test, { host, oms, say }: World): Promise<void> {
  await say(`route list ${HOST}`);
  const admit = await host.admitNobodyNew();
  try {
    const asked = oms.ask('netinterfaceservices', 'add_static_route', HOST, '10.50.0.0', '255.255.0.0', '10.99.2.7', 'lan0');
    await until(async () => (await host.routes()).some((route) => route.startsWith('10.50.0.0/16')), WAIT_MS, 'the route');
    await until(async () => !(await host.routes()).some((route) => route.startsWith('10.50.0.0/16')), WAIT_MS, 'the host to undo it');
    await admit();
    t.match(await asked, { error: { code: 100, message: /undone by the host: no new connection confirmed it/ } });
  } catch (error) {
    await admit().catch(() => undefined);
    throw error;
  }
}

async function killed(t: Test, { host, daemon, order }: World): Promise<void> {
  const before = await host.network();
  void order(`route delete ${HOST} ${host.way.network} via ${host.way.gateway} dev uplink --force --rollback=${ROLLBACK_S}`).catch(() => undefined);
  await until(async () => !(await host.routes()).includes(host.way.line), WAIT_MS, 'the way to be gone');
  daemon.signal('SIGKILL');
  t.equal((await daemon.exited).signal, 'SIGKILL');
  await until(async () => await host.network() === before, WAIT_MS, 'the host to undo it by itself');
}
