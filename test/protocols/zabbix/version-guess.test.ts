import t from 'tap';
import { ZABBIX_UNWANTED, ZABBIX_VERSION_TRIAL, ZABBIX_VERSION_TRIAL_LONGEST } from '../../../src/kit/zabbix-limits.js';
import { VersionGuess, type Asked } from '../../../src/protocols/zabbix/version-guess.js';

/** Which version a passive proxy claims, by what servers ask it. They are told apart as their makers' documents have it. */

const SECOND = 1000;
const MINOR = /^(\d+)\.(\d+)/;
const number = (version: string): number => Number(MINOR.exec(version)![1]) * 100 + Number(MINOR.exec(version)![2]);

/** A server of a version: what it asks each second is a matter of the version that it was told last. @param least the oldest of which it takes values */
class Server {
  told = 'none';
  /** answers to which it listened, and that claimed a version of which it throws values away; by whether the proxy thought them settled */
  lost = 0;
  #at = 0;

  constructor(readonly version: string, readonly least: string, readonly configurationEvery: number) {}

  /** One second. */
  tick(guess: VersionGuess, now: number): void {
    this.#at += SECOND;
    const isOurs = number(this.told === 'none' ? '0.0' : this.told) === number(this.version);
    const isDue = this.#at % this.configurationEvery === 0;
    if (number(this.version) < 604) {
      if (isDue) this.#ask(guess, 'whole configuration', now);
      this.#ask(guess, 'data', now);
      return;
    }
    if (isDue && isOurs) this.#ask(guess, 'changes of the configuration', now);
    const isTaken = this.told !== 'none' && number(this.told) <= number(this.version) && number(this.told) >= number(this.least);
    this.#ask(guess, isTaken ? 'data' : 'tasks', now);
  }

  #ask(guess: VersionGuess, what: Asked, now: number): void {
    this.told = guess.asked(what, now);
    const isThrownAway
      = number(this.version) < 604
        ? number(this.told) !== number(this.version)
        : number(this.told) > number(this.version) || number(this.told) < number(this.least);
    if (guess.isSettled && isThrownAway) this.lost += 1;
  }
}

/** Lets a server ask for some time. @returns the seconds until the version was settled; undefined: it was not */
function run(guess: VersionGuess, server: Server, seconds: number, from = 0): number | undefined {
  let settledAt: number | undefined;
  for (let second = 1; second <= seconds; second += 1) {
    server.tick(guess, from + second * SECOND);
    if (guess.isSettled) settledAt ??= second;
  }
  return settledAt;
}

void t.test('each server is told a version that it takes, and no value of another', (t) => {
  const servers: readonly (readonly [string, string, number, number])[] = [
    // its version, the oldest of which it takes values, seconds between configurations, seconds until all is settled
    ['6.0', '6.0', 10, 10], ['6.0', '6.0', 3600, 3600], ['7.0', '6.0', 10, 60], ['7.4', '7.0', 10, 90], ['7.2', '7.0', 10, 120], ['6.4', '6.0', 10, 160],
    ['7.0', '6.0', 300, 1200],
  ];
  for (const [version, least, every, within] of servers) {
    const guess = new VersionGuess(0);
    const server = new Server(version, least, every * SECOND);
    const settledAt = run(guess, server, 5000);
    t.ok(settledAt !== undefined && settledAt <= within, `${version} with a configuration each ${every} s: after ${settledAt} s`);
    t.equal(number(guess.current), number(version));
    t.equal(server.lost, 0, 'nothing is thrown away');
  }
  t.end();
});

void t.test('what was taken in an earlier life is claimed at once, and held while values are asked for', (t) => {
  const guess = new VersionGuess(0, { known: '7.4.0' });
  t.equal(guess.isSettled, true);
  for (let at = 0; at < 3 * ZABBIX_UNWANTED; at += ZABBIX_UNWANTED / 10) t.equal(guess.asked('data', at), '7.4.0');
  t.equal(guess.isSettled, true);
  t.end();
});

void t.test('a server that was replaced by one which takes the version no more is found out', (t) => {
  const guess = new VersionGuess(0);
  run(guess, new Server('6.0', '6.0', 10 * SECOND), 100);
  const newer = new Server('7.2', '7.0', 10 * SECOND);
  run(guess, newer, ZABBIX_UNWANTED / SECOND + 300, 100 * SECOND);
  t.equal(guess.isSettled, true);
  t.equal(guess.current, '7.2.0');
  t.end();
});

void t.test('all are claimed again and again, each longer than before', (t) => {
  const guess = new VersionGuess(0);
  const changes: [string, number][] = [];
  let [before, since] = [guess.current, 0];
  for (let now = 0; now < 20 * ZABBIX_VERSION_TRIAL_LONGEST; now += SECOND) {
    const claimed = guess.asked('tasks', now);
    if (claimed === before) continue;
    changes.push([before, now - since]);
    [before, since] = [claimed, now];
  }
  t.same(changes.slice(0, 7), [
    ['6.0.14', ZABBIX_VERSION_TRIAL], ['7.0.0', ZABBIX_VERSION_TRIAL], ['7.4.0', ZABBIX_VERSION_TRIAL], ['7.2.0', ZABBIX_VERSION_TRIAL], ['6.4.0', ZABBIX_VERSION_TRIAL],
    ['6.0.14', 2 * ZABBIX_VERSION_TRIAL], ['7.0.0', 2 * ZABBIX_VERSION_TRIAL],
  ]);
  t.equal(Math.max(...changes.map(([, ms]) => ms)), ZABBIX_VERSION_TRIAL_LONGEST);
  t.equal(guess.isSettled, false);
  t.end();
});

void t.test('what people know is claimed in any case', (t) => {
  const guess = new VersionGuess(0, { known: '6.0.14', fixed: '5.4.0' });
  for (const what of ['whole configuration', 'changes of the configuration', 'data', 'tasks'] as const) t.equal(guess.asked(what, 10 * ZABBIX_UNWANTED), '5.4.0');
  t.equal(guess.isSettled, true);
  t.end();
});
