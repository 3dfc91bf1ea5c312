import t from 'tap';
import * as v from 'valibot';
import { duration, parseDuration, parseEndpoint, parseNetwork } from '../../src/config/values.js';

await t.test('durations', async (t) => {
  for (const [text, ms] of [['500ms', 500], ['30s', 30_000], ['10m', 600_000], ['2h', 7_200_000], ['7d', 604_800_000], ['0ms', 0], ['007s', 7000]] as const) {
    t.equal(parseDuration(text), ms, text);
  }
  for (const text of ['', '30', 's', '1.5s', '-1s', '+1s', ' 1s', '1s ', '1 s', '1S', '1min', '1s2', '1e3s', '9999999999s', '１s', '1w']) {
    t.equal(parseDuration(text), undefined, JSON.stringify(text));
  }
});

await t.test('a duration in the file fits a timer', async (t) => {
  t.equal(v.safeParse(duration, '24d').success, true);
  for (const text of ['25d', '999999999d', '3000000s']) {
    const result = v.safeParse(duration, text);
    t.equal(result.success, false, text);
    t.match(result.issues?.[0].message, /at most/);
  }
});

await t.test('endpoints', async (t) => {
  for (const [text, host, port] of [
    ['127.0.0.1:20203', '127.0.0.1', 20203], ['[::1]:20203', '::1', 20203], ['localhost:0', 'localhost', 0],
    ['[fe80::1%eth0]:1', 'fe80::1%eth0', 1], ['0.0.0.0:65535', '0.0.0.0', 65535],
  ] as const) {
    t.same(parseEndpoint(text), { host, port }, text);
  }
  for (const text of ['', '20203', ':20203', '127.0.0.1', '127.0.0.1:', '127.0.0.1:65536', '::1:20203', '[::1]', 'a b:1', 'host:-1', 'host:1x', 'http://host:1', 'host:123456']) {
    t.equal(parseEndpoint(text), undefined, JSON.stringify(text));
  }
});

await t.test('networks', async (t) => {
  for (const [text, address, prefix, family] of [
    ['10.0.0.0/8', '10.0.0.0', 8, 'ipv4'], ['192.168.1.7', '192.168.1.7', 32, 'ipv4'], ['0.0.0.0/0', '0.0.0.0', 0, 'ipv4'],
    ['::1', '::1', 128, 'ipv6'], ['fe80::/10', 'fe80::', 10, 'ipv6'],
  ] as const) {
    t.same(parseNetwork(text), { address, prefix, family }, text);
  }
  for (const text of ['', 'localhost', '10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/8/8', '10.0.0/8', '10.0.0.0/ 8', '10.0.0.0/1e1', '256.0.0.1']) {
    t.equal(parseNetwork(text), undefined, JSON.stringify(text));
  }
});
