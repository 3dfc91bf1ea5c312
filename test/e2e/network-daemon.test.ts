import t, { type Test } from 'tap';
import { until } from '../support/until.js';
import { eachLeavesIt, HOST, networkWorld, options, ROLLBACK_S, WAIT_MS, type NetworkWorld as World } from './support/network.js';

/** Routes, the gateway and bridges of a real host by the line protocol, through the whole daemon and over a real sshd; judged by the host's own `ip`. */

await t.test('the network of a host', options, async (t) => {
  await eachLeavesIt(t, await networkWorld(t), {
    'is read': read, routes, 'the gateway': gateway, bridges, 'what is refused': refused,
    'a route that cuts us off is undone by the host': cutOff,
  });
});

async function read(t: Test, { host, oms, say, ip }: World): Promise<void> {
  const lines = (await say(`route list ${HOST}`)).split('\n');
  t.equal(lines.length, (await host.routes()).length);
  t.ok(lines.some((line) => line.startsWith(`${host.way.line} metric 0`)), 'the one by which we are answered');
  t.ok(lines.includes('default via 10.99.2.1 dev lan0 metric 0'));
  t.equal(await say(`gateway show ${HOST} lan0`), '10.99.2.1');
  t.equal(await say(`gateway show ${HOST} lan1`), '');
  const bridge = (JSON.parse(await ip('-j', 'link', 'show', 'type', 'bridge')) as { ifname: string }[]).map(({ ifname }) => ifname);
  t.same((await say(`bridge list ${HOST}`)).split('\n').map((one) => one.split(' ')[0]), bridge, 'libvirt\'s own');
  const table = await oms.result('netinterfaceservices', 'show_routing_table', HOST) as { result: readonly { destination: string; router: string; interface: string }[] };
  t.same(table.result.map(({ destination, router, interface: by }) => [destination, router, by]).sort(),
    (JSON.parse(await ip('-4', '-j', 'route', 'show')) as { dst: string; gateway?: string; dev: string }[]).map(({ dst, gateway: via, dev }) => [dst.split('/')[0], via ?? '*', dev]).sort());
}

async function routes(t: Test, { host, say, order, ip }: World): Promise<void> {
  t.match(await say(`route add ${HOST} 10.50.0.0/16 via 10.99.2.7 dev lan0 --dry-run`), '10.50.0.0/16');
  t.equal(await ip('route', 'show', '10.50.0.0/16'), '', 'which only says so');
  t.match(await order(`route add ${HOST} 10.50.0.0/16 via 10.99.2.7 dev lan0`), /kept by ifupdown/);
  t.match(await ip('route', 'show', '10.50.0.0/16'), '10.50.0.0/16 via 10.99.2.7 dev lan0');
  t.match((await host.peer.inside('ifquery', 'lan0')).stdout, 'ip route replace 10.50.0.0/16 via 10.99.2.7 dev lan0', 'as its own tool reads it');
  t.match(await say(`route list ${HOST}`), '10.50.0.0/16 via 10.99.2.7 dev lan0');
  t.match(await order(`route replace ${HOST} 10.50.0.0/16 via 10.99.2.7 dev lan0 with 10.51.0.0/16 via 10.99.2.8 dev lan0`), /kept by ifupdown/);
  t.equal(await ip('route', 'show', '10.50.0.0/16'), '');
  t.match(await ip('route', 'show', '10.51.0.0/16'), 'via 10.99.2.8');
  t.match(await order(`route delete ${HOST} 10.51.0.0/16 via 10.99.2.8 dev lan0`), /kept by ifupdown/);
  t.notMatch((await host.peer.inside('ifquery', 'lan0')).stdout, '10.51');
  t.match(await order(`route add ${HOST} 10.52.0.0/16 via ${host.way.gateway} dev uplink`), /lasts until the host is restarted/, 'whose card nobody has');
  t.match(await ip('route', 'show', '10.52.0.0/16'), 'dev uplink');
  await ip('route', 'delete', '10.52.0.0/16');
}

async function gateway(t: Test, { say, order, ip }: World): Promise<void> {
  t.match(await order(`gateway set ${HOST} lan0 10.99.2.9`), /^400 WRONG STATE: .*default way; force overrides/);
  t.notMatch(await order(`gateway set ${HOST} lan0 10.99.2.9 --force`), /^400/);
  t.match(await ip('route', 'show', 'default'), 'default via 10.99.2.9 dev lan0');
  t.equal(await say(`gateway show ${HOST} lan0`), '10.99.2.9');
  await ip('route', 'replace', 'default', 'via', '10.99.2.1', 'dev', 'lan0');
}

async function bridges(t: Test, { host, say, order, ip }: World): Promise<void> {
  t.match(await order(`bridge add ${HOST} br7 address=10.60.0.1/24`), /kept by ifupdown/);
  t.match(await ip('-br', 'address', 'show', 'br7'), '10.60.0.1/24');
  t.notMatch(await order(`bridge add-member ${HOST} br7 lan1`), /^400/);
  t.match(await ip('link', 'show', 'lan1'), /UP.* master br7 /);
  t.match(await say(`bridge list ${HOST}`), 'br7 up members=lan1 addresses=10.60.0.1/24');
  t.match(await order(`bridge delete ${HOST} br7`), /^400 WRONG STATE: br7 has members: lan1/);
  t.match((await host.peer.inside('ifquery', 'br7')).stdout, /address: 10\.60\.0\.1[^]*master br7/);
  for (const words of [`delete-member ${HOST} br7 lan1`, `delete ${HOST} br7`]) t.notMatch(await order(`bridge ${words}`), /^400/, words);
  await ip('link', 'set', 'lan1', 'down');
}

async function refused(t: Test, { host: { way }, order, log }: World): Promise<void> {
  for (const [request, expected] of [
    [`route delete ${HOST} ${way.network} via ${way.gateway} dev uplink`, /^400 WRONG STATE: the host is reached by its route .*; force overrides$/],
    [`route add ${HOST} 10.50.0.0/16 via 10.77.0.1 dev lan0`, /^400 BAD REQUEST: gateway: is not on the link of lan0/],
    [`route add ${HOST} 10.50.0.0/16 via 10.99.2.7 dev -batch`, /^400 (?:BAD REQUEST|WRONG STATE|USAGE)/],
    [`route add ${HOST} 10.50.0.0/16 via "10.99.2.7;reboot" dev lan0`, /^400 BAD REQUEST/],
    [`bridge add ${HOST} ../br`, /^400 BAD REQUEST/],
    [`bridge delete ${HOST} lan0`, /^400 WRONG STATE: lan0 is no bridge/],
    ['route add lxc 10.50.0.0/16 via 10.99.2.7 dev lan0', /^400 NOT SUPPORTED: .*network-changes = true/],
  ] as const) t.match(await order(request), expected, request);
  const helper = await log('helper');
  t.match(await helper.answer(`route add ${HOST} 10.50.0.0/16 via 10.99.2.7 dev lan0 --force`), /^400 NOT ALLOWED/, 'who has not the right');
  t.match(await helper.answer(`route list ${HOST}`), 'default via 10.99.2.1', 'may look');
}

async function cutOff(t: Test, { host, say, order }: World): Promise<void> {
  const asked = order(`route delete ${HOST} ${host.way.network} via ${host.way.gateway} dev uplink --force --rollback=${ROLLBACK_S}`);
  await until(async () => !(await host.routes()).includes(host.way.line), WAIT_MS, 'the way to be gone');
  t.match(await asked, new RegExp(`^400 FAILED: undone by the host: no new connection confirmed it in ${ROLLBACK_S} s`));
  t.ok((await host.routes()).includes(host.way.line));
  t.match(await say(`route list ${HOST}`), host.way.line, 'and it is reached again');
  t.match(await order(`bridge add ${HOST} br7 address=${host.sshd.host.replace(/2$/, '130')}/26 --force --rollback=${ROLLBACK_S}`), /^400 FAILED: undone by the host/, 'a bridge that takes the way over');
}
