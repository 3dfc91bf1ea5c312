import { readFileSync } from 'node:fs';
import t from 'tap';
import { parseDefinition } from '../../../src/drivers/xen/cfg.js';
import { parseDetails, parseListing, parseUptime } from '../../../src/drivers/xen/output.js';
import { complaint, refusal, stateOf } from '../../../src/drivers/xen/errors.js';
import { guestTraffic, parseNetDev } from '../../../src/drivers/xen/readings.js';
import { fromRoot } from '../../support/paths.js';

/** What the real xl 4.17 printed: test/peers/xen/transcribe.ts. */
const fixture = (file: string): string => readFileSync(fromRoot('test', 'drivers', 'xen', 'fixtures', file), 'utf8');
const LIST = fixture('list-v.txt');

void t.test('a listing', async (t) => {
  const rows = parseListing(LIST);
  t.same(rows.map(({ name, domid, flags }) => [name, domid, stateOf(flags)]), [
    ['web1', 3, 'on'], ['name with blanks', 4, 'paused'], ['long-name-'.repeat(6), 5, 'on'], ['17', 6, 'on'], ['broken', 8, 'crashed'],
    ['watched', 9, 'crashed'], ['saving', 10, 'stopping'], ['restarting', 11, 'stopping'], ['kept', 12, 'stopping'], ['x 1 2 3 r----- 4.5', 13, 'on'],
  ], 'without domain 0, the nameless and the dead');
  t.match(rows[0], { memory: 256, vcpus: 1, seconds: 12.8, uuid: '00000000-0000-0000-0000-000000000003' });
});

void t.test('a name with a line break does not pass for another', async (t) => {
  const row = LIST.split('\n').find((line) => line.startsWith('web1'))!;
  const rows = parseListing(LIST.replace(row, `evil\n${row}`));
  t.equal(rows[0]?.name, 'evil\nweb1');
});

void t.test('only the blanks of its column are no part of a name', async (t) => {
  t.equal(parseListing(LIST.replace('web1 ', 'web1\u00a0'))[0]?.name, 'web1\u00a0');
  t.equal(parseDefinition('name = "web1\u00a0 "').name, 'web1\u00a0');
});

void t.test('half a listing is none', async (t) => {
  const header = LIST.indexOf('\n') + 1;
  const domain0 = LIST.indexOf('\n', header) + 1;
  for (const text of ['', '\n', LIST.slice(0, header), LIST.slice(header), LIST.slice(0, header) + LIST.slice(domain0), LIST.slice(0, -40), 'usage: xl list']) {
    t.throws(() => parseListing(text), /^FAILED/, JSON.stringify(text.slice(0, 20)));
  }
});

void t.test('states', async (t) => {
  const states = { 'r-----': 'on', '-b----': 'on', '------': 'on', 'rb----': 'on', '--p---': 'paused', '-bp---': 'paused', '---s--': 'stopping',
    '---sr-': 'stopping', '---ss-': 'stopping', '---sc-': 'crashed', '---sw-': 'crashed', '---sS-': 'starting', '---s?-': 'unknown', '-----d': 'stopping', '--ps-d': 'stopping' };
  for (const [flags, state] of Object.entries(states)) t.equal(stateOf(flags), state, flags);
});

void t.test('uptime', async (t) => {
  t.equal(parseUptime(fixture('uptime-3.txt'), 3), 90_061);
  t.equal(parseUptime(fixture('uptime.txt'), 13), 90_061);
  t.equal(parseUptime('Name ID Uptime\nx  5 12 days, 23:59:59\n', 5), 12 * 86_400 + 86_399);
  t.equal(parseUptime('Name ID Uptime\nx  5  0:00:07\n', 5), 7);
  for (const text of ['', 'Name ID Uptime\n', 'Name ID Uptime\nx 6 0:00:07\n', 'Name ID Uptime\nx 5 -1:00:07\n']) t.throws(() => parseUptime(text, 5), /^FAILED/);
});

void t.test('details', async (t) => {
  const json = fixture('list-l.json');
  t.same(parseDetails(json, 1), {
    type: 'hvm',
    vifs: [{ mac: '00:16:3e:00:00:01', ips: ['10.0.0.1', '10.0.0.2'] }, { mac: '00:16:3e:7f:01:01', ifname: 'lan-win', ips: [] }],
    disks: [
      { vdev: 'hda', path: '/srv/win disk,1.qcow2', format: 'qcow2' }, { vdev: 'hdb', path: '/dev/vg0/data', format: 'raw' },
      { vdev: 'hdc', path: '', format: 'empty' },
    ],
  });
  t.equal(parseDetails(json, 2), undefined, 'of another domain');
  for (const text of ['', '[]', '[\n\n]\n', 'null', '7', json.slice(0, 200)]) t.equal(parseDetails(text, 1), undefined, JSON.stringify(text.slice(0, 9)));
  t.same(parseDetails('[{"domid":1}]', 1), { vifs: [], disks: [] });
  t.same(parseDetails('[{"domid":1,"config":{"nics":[7,{"mac":7}],"disks":"x"}}]', 1), { vifs: [{ ips: [] }, { ips: [] }], disks: [] });
});

void t.test('traffic', async (t) => {
  const interfaces = parseNetDev(`Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  123456     789    0    0    0     0          0         0   123456     789    0    0    0     0       0          0
vif3.0:18446744073709551615 1    0    0    0     0          0         0       42       1    0    0    0     0       0          0
vif33.0:     5       1    0    0    0     0          0         0        6       1    0    0    0     0       0          0
eth0:1: broken
`);
  t.same(guestTraffic(interfaces, 3, []), { received: 42n, sent: 18_446_744_073_709_551_615n }, 'the sides are swapped; no figure is rounded');
  t.equal(guestTraffic(interfaces, 4, []), undefined);
  t.same(guestTraffic(interfaces, 4, ['lo']), { received: 123_456n, sent: 123_456n });
});

void t.test('refusals', async (t) => {
  const cases: readonly (readonly [stderr: string, phrase: string, detail: RegExp])[] = [
    ["ERROR:  Can't find hypervisor information in sysfs!\n", 'UNREACHABLE', /not been booted/],
    ['xencall: error: Could not obtain handle on privileged command interface: No such file or directory\ncannot init xl context\n', 'UNREACHABLE', /not been booted/],
    ['xencall: error: Could not obtain handle on privileged command interface: Permission denied\ncannot init xl context\n', 'ACCESS DENIED', /root/],
    ['Shutting down domain 4\nPV control interface not available: external graceful shutdown not possible.\nUse "-F" to fallback to ACPI power event.\nshutdown failed (rc=-10)\n', 'NOT SUPPORTED', /no PV drivers/],
    ['nosuch is an invalid domain identifier (rc=-6)\n', 'WRONG STATE', /not running/],
    ["Error: Domain '99' does not exist.\n", 'WRONG STATE', /not running/],
    ['libxl: error: libxl_domain.c:1183:libxl__destroy_domid: Domain 99:Non-existant domain\ndestroy failed (rc=-21)\n', 'WRONG STATE', /not running/],
    ['libxl: error: libxl_domain.c:98:libxl__domain_rename: Domain with name "a" already exists.\n', 'WRONG STATE', /already/],
    ['Parsing config from /etc/xen/a.cfg\nfailed to free memory for the domain\n', 'FAILED', /^failed to free memory for the domain$/],
    ['Parsing config from x\n\u001b[31mlibxl: bad\u0007\n', 'FAILED', /^\[31mlibxl: bad$/],
    ['', 'FAILED', /xl exited with 3/],
    ['Rebooting domain 3\n', 'FAILED', /Rebooting domain 3/],
  ];
  for (const [stderr, phrase, detail] of cases) t.match(refusal(stderr, 3), { phrase, detail }, JSON.stringify(stderr));
  t.equal(complaint(`libxl: error: libxl_x.c:1:f: ${'x'.repeat(999)}`).length, 300);
});
