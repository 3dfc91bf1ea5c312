import t from 'tap';
import { MQTT_WAITING } from '../../src/kit/mqtt-limits.js';
import { Inquiry } from '../../src/mqtt/inquiry.js';

function start() {
  const inquiry = new Inquiry();
  const answers: string[] = [];
  let looks = 0;
  const lookedAt: string[] = [];
  inquiry.attach(async (topics) => {
    looks += 1;
    lookedAt.splice(0, Infinity, ...topics);
  });
  return { inquiry, answers, lookedAt, looks: () => looks, ask: (topic: string, payload: string) => inquiry.ask(topic, payload, (keeping) => answers.push(`${topic} ${payload} ${keeping}`)) };
}

await t.test('what the broker keeps is known by a look, and one look is for all that wait', (t) => {
  const { inquiry, answers, lookedAt, looks, ask } = start();
  ask('a', 'ON');
  ask('b', 'OFF');
  ask('c', 'OFF');
  inquiry.kept('b', 'OFF');
  t.same([answers, looks()], [[], 1], 'nothing is known before the look has ended');
  inquiry.seen();
  t.same(answers, ['a ON passing']);
  inquiry.kept('c', 'ON');
  inquiry.kept('strange', 'x');
  t.equal(looks(), 2);
  t.same(lookedAt, ['b', 'c'], 'at those in question alone');
  inquiry.seen();
  t.same(answers, ['a ON passing', 'b OFF passing', 'c OFF passing'], 'what the look before has shown, and another payload, say nothing');
  ask('b', 'OFF');
  inquiry.kept('b', 'OFF');
  inquiry.seen();
  t.equal(answers.at(-1), 'b OFF kept');
  inquiry.seen();
  t.equal(answers.length, 4);
  t.end();
});

await t.test('what nobody can say is not known', async (t) => {
  const { inquiry, answers, ask } = start();
  ask('a', 'ON');
  ask('b', 'ON');
  inquiry.detach();
  ask('c', 'ON');
  t.same(answers.sort(), ['a ON unknown', 'b ON unknown', 'c ON unknown']);
  inquiry.attach(() => new Promise(() => undefined));
  for (let at = 0; at <= MQTT_WAITING + 1; at += 1) ask('x', `${at}`);
  t.equal(answers.at(-1), `x ${MQTT_WAITING + 1} unknown`, 'those that wait have a limit');
  t.equal(answers.length, 4);
  inquiry.detach();
  t.equal(answers.length, 4 + MQTT_WAITING + 1);
  inquiry.attach(() => Promise.reject(new Error('not allowed')));
  ask('y', 'ON');
  await new Promise((resolve) => { setImmediate(resolve); });
  t.equal(answers.at(-1), 'y ON unknown');
});
