import t from 'tap';
import { SteadyAge } from '../../src/kit/steady-age.js';

const DAY = 86_400_000;

await t.test('what a clock is set by makes nothing older, and time does', (t) => {
  const [wallNow, steadyNow] = [Date.now, performance.now];
  t.teardown(() => { [Date.now, performance.now] = [wallNow, steadyNow]; });
  let [wall, steady] = [Date.UTC(2020, 0, 1), 5000];
  Date.now = () => wall;
  performance.now = () => steady;
  const passes = (ms: number): void => { wall += ms; steady += ms; };
  const age = new SteadyAge();
  const start = wall;
  passes(DAY);
  t.equal(age.of(start), DAY);
  t.equal(age.of(start - DAY), 2 * DAY, 'from before a restart');
  // as by NTP, on a machine without a clock of its own
  wall += 2000 * DAY;
  t.equal(age.of(start), DAY);
  const set = wall;
  passes(DAY);
  t.same([age.of(start), age.of(set)], [2 * DAY, DAY], 'what came behind the leap counts from then on');
  wall -= 20 * DAY;
  t.ok(age.of(set) <= DAY, 'set back, it is younger');
  const early = wall;
  passes(DAY);
  wall += 20 * DAY;
  t.same([age.of(early), age.of(set)], [DAY, 2 * DAY], 'set right again');
  // slow corrections are none
  for (let count = 0; count < 50; count += 1) {
    passes(1000);
    wall += 1;
    age.look();
  }
  t.equal(age.of(set), 2 * DAY + 50_050);
  for (let count = 0; count < 300; count += 1) {
    wall += DAY;
    passes(1000);
    age.look();
  }
  t.ok(age.of(wall - 1000) <= 1000, 'as many leaps as there may be');
  t.end();
});
