import t from 'tap';
import { BootMarks } from '../../../src/drivers/wmi/boot-marks.js';
import { counterName, isLinkLocal } from '../../../src/drivers/wmi/readings.js';
import { count, embedded, quoted, reference, text, texts, time, whole } from '../../../src/drivers/wmi/values.js';

void t.test('values as WMI writes them', (t) => {
  t.equal(whole('18446744073709551615'), 18_446_744_073_709_551_615n, 'uint64');
  t.equal(whole(' 42 '), 42n);
  for (const bad of ['', 'x', '1.5', '0x10', '99999999999999999999999', null, [], undefined]) t.equal(whole(bad), undefined, JSON.stringify(bad));
  t.equal(count('32768'), 32_768);
  t.equal(text(null), '');
  t.same(texts(['a', '', null, 'b']), ['a', 'b']);
  t.same(texts('a'), ['a'], 'an array of one may come without its array');
  t.same([texts(null), texts(undefined)], [[], []]);
  t.end();
});

void t.test('dates', (t) => {
  const noon = Date.UTC(2026, 10, 21, 12, 0, 0);
  for (const written of ['2026-11-21T12:00:00Z', '2026-11-21T13:00:00+01:00', '2026-11-21T06:30:00.000000-05:30', '2026-11-21T12:00:00', '20261121130000.000000+060', '20261121063000.000000-330']) {
    t.equal(time(written), noon, written);
  }
  t.equal(time('20261121120000.500000+000'), noon + 500);
  for (const bad of ['', 'now', '2026-11-21', '2026-13-41T25:00:00Z', '20261121', '00000001000000.000000:000', null]) t.equal(time(bad), undefined, JSON.stringify(bad));
  t.end();
});

void t.test('references, embedded instances, quotes', (t) => {
  const path = { namespace: 'root/virtualization/v2', className: 'Msvm_ConcreteJob', keys: { InstanceID: 'A' } };
  t.same(reference(path), path);
  for (const other of [null, 'x', [path], { namespace: 'x' }]) t.equal(reference(other), undefined);
  t.same(embedded('<INSTANCE CLASSNAME="X"><PROPERTY NAME="Data" TYPE="string"><VALUE>a &amp; &#60;b&#x3e;</VALUE></PROPERTY>\n<PROPERTY TYPE="string" NAME="Name"> <VALUE>N</VALUE></PROPERTY><PROPERTY NAME="Nil" TYPE="string"></PROPERTY></INSTANCE>'),
    { Data: 'a & <b>', Name: 'N' });
  t.same(embedded('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><PROPERTY NAME="A" T="s"><VALUE>&e;&#x110000;</VALUE></PROPERTY>'), { A: '&e;&#x110000;' }, 'no entities of anybody else');
  t.same(embedded({ Data: 'a' }), { Data: 'a' });
  t.equal(quoted('it\'s C:\\x'), '\'it\\\'s C:\\\\x\'');
  t.equal(counterName('Intel(R) Ethernet Connection (2) I219-LM #2'), 'Intel[R] Ethernet Connection [2] I219-LM _2');
  t.same(['fe80::1', 'FE8f::2', '169.254.3.4', 'fd00::1', '10.0.0.1'].map(isLinkLocal), [true, true, true, false, false]);
  t.end();
});

void t.test('a boot is told from a clock that was set, and from a slow answer', (t) => {
  const boots = new BootMarks(1000);
  const first = boots.see({ written: 'A', uptime: 60_000, asked: 100_000, answered: 100_010 });
  t.equal(boots.see({ written: 'A', uptime: 70_000, asked: 110_000, answered: 110_010 }), first);
  t.equal(boots.see({ written: 'B', uptime: 80_000, asked: 120_000, answered: 120_010 }), first, 'the clock was set: its boot has another time, and it is up for as long');
  t.equal(boots.see({ written: 'B', uptime: 999_000, asked: 130_000, answered: 130_010 }), first, 'the uptime alone has jumped');
  t.equal(boots.see({ written: 'B', uptime: 100_000, asked: 140_000, answered: 149_000 }), first, 'an answer that took nine seconds');
  const second = boots.see({ written: 'C', uptime: 2000, asked: 160_000, answered: 160_010 });
  t.not(second, first);
  const guests = new BootMarks(1000);
  const before = guests.see({ uptime: 3000, asked: 10_000, answered: 10_010 });
  t.equal(guests.see({ uptime: 13_000, asked: 20_000, answered: 20_010 }), before);
  t.not(guests.see({ uptime: 100, asked: 21_000, answered: 21_010 }), before, 'without a time of boot');
  t.end();
});
