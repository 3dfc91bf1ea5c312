import t from 'tap';
import { Contact } from '../../../src/gateways/zabbix/speaking/contact.js';

function contact(): { contact: Contact; logged: string[]; told: { answered: number; failed: number; doubts: number } } {
  const logged: string[] = [];
  const told = { answered: 0, failed: 0, doubts: 0 };
  const one = new Contact({
    log: (level, message, facts) => {
      logged.push(`${level} ${message} ${JSON.stringify(facts)}`);
    },
    count: (result) => {
      told[result] += 1;
    },
    doubt: () => {
      told.doubts += 1;
    },
  });
  return { contact: one, logged, told };
}

const ANSWERS = /^info the Zabbix server answers/;

void t.test('reasons that come in turns are told once each', (t) => {
  const { contact: one, logged, told } = contact();
  for (let round = 0; round < 5; round += 1) {
    one.failed('s', 'heartbeat', 'not found');
    one.failed('s', 'configuration', 'closed');
  }
  t.equal(logged.length, 2);
  t.same(told, { answered: 0, failed: 10, doubts: 10 });
  one.answered('s', 'heartbeat');
  t.equal(logged.length, 2, 'there is no configuration yet');
  one.answered('s', 'configuration');
  t.match(logged.at(-1), ANSWERS);
  t.match(logged.at(-1), /"failed":10/);
  one.failed('s', 'heartbeat', 'not found');
  t.equal(logged.length, 4, 'after all was well it is news');
  t.end();
});

void t.test('a server that takes heartbeats and no values is told once, and not that it answers', (t) => {
  const { contact: one, logged } = contact();
  for (let round = 0; round < 5; round += 1) {
    one.answered('s', 'heartbeat');
    one.failed('s', 'values', 'its version');
  }
  t.equal(logged.filter((line) => ANSWERS.test(line)).length, 1, 'at its first word');
  t.equal(logged.length, 2);
  one.answered('s', 'values');
  t.equal(logged.length, 3);
  t.end();
});

void t.test('what is not asked any more is no fault', (t) => {
  const { contact: one, logged } = contact();
  one.failed('s', 'heartbeat', 'its version');
  one.failed('s', 'values', 'its version');
  one.needless('heartbeat');
  one.answered('s', 'values');
  t.match(logged.at(-1), ANSWERS);
  t.end();
});

void t.test('any number of reasons is not kept', (t) => {
  const { contact: one, logged } = contact();
  for (let reason = 0; reason < 100; reason += 1) one.failed('s', 'values', String(reason));
  one.failed('s', 'values', '99');
  one.failed('s', 'values', '0');
  t.equal(logged.length, 101, 'the first was forgotten, the last was not');
  for (let reason = 0; reason < 100; reason += 1) one.strange('10.0.0.1', String(reason));
  one.strange('10.0.0.1', '99');
  one.strange('10.0.0.1', '0');
  t.equal(logged.length, 202);
  t.end();
});

void t.test('after a change of the table what goes wrong is told again', (t) => {
  const { contact: one, logged } = contact();
  one.failed('s', 'values', 'TLS came to nothing');
  one.strange('10.0.0.5', 'TLS came to nothing');
  one.tellAgain();
  one.failed('s', 'values', 'TLS came to nothing');
  one.strange('10.0.0.5', 'TLS came to nothing');
  t.equal(logged.length, 4);
  one.failed('s', 'values', 'TLS came to nothing');
  one.strange('10.0.0.5', 'TLS came to nothing');
  t.equal(logged.length, 4, 'and once');
  t.end();
});

void t.test('that no server asks is told, and that one does again', (t) => {
  const { contact: one, logged, told } = contact();
  one.absent();
  t.match(logged, [/^warn no Zabbix server asks/]);
  one.answered('s', 'request');
  t.match(logged.at(-1), ANSWERS);
  one.answered('s', 'request');
  one.absent();
  t.match(logged.at(-1), /^warn no Zabbix server asks .*"last":"20/);
  one.answered('s', 'request');
  t.match(logged.at(-1), ANSWERS);
  t.same([logged.length, told.failed], [4, 0]);
  t.end();
});
