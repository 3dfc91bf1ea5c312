import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { LONG } from '../support/faults.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { NATS_PROGRAMS, type NatsServer } from '../peers/nats.js';
import { Fleet } from './support/fleet.js';
import { Callers } from './support/fleet-callers.js';

/**
 * Many orders by many callers while servers of the bus die, and a site once: no order is told to be done that is not, none
 * is done twice, none is done that is told to have been refused. Each is a restart, so that every act shows; they are counted
 * where they take place.
 */

if (lacks(...NATS_PROGRAMS) !== false) {
  t.plan(0, 'needs nats-server');
  process.exit(0);
}

const CALLERS = 8;
/** Machines that a caller orders with one line. */
const AT_ONCE = 16;
/** Orders that are done, or may be, in all. */
const ORDERS = 10_000;
const MACHINES = 200;
/** Orders go on until each kind of death was seen. */
const DEATHS = 5;
/** Between two deaths; for how long a server is dead, ms. */
const [PAUSE_MS, DEAD_MS] = [3000, 2000];

const NAMES = Array.from({ length: MACHINES }, (_, index) => `vm${String(index + 1).padStart(4, '0')}`);
const SITES = ['berlin', 'munich'] as const;

const fleet = await Fleet.start(t, {
  sites: { berlin: { counted: { names: NAMES, delay: 2 } }, munich: { counted: { names: NAMES, delay: 2 } } },
  fronts: { f1: {}, f2: {} },
});

const callers = new Callers(fleet, NAMES, AT_ONCE);
const story: string[] = [];
const isEnough = (): boolean => callers.begun >= ORDERS && story.length >= DEATHS;

/** Kills one part after the other, and brings each back, until it is told to end. */
async function deaths(isOver: () => boolean): Promise<void> {
  const die = async (words: string, ...servers: readonly NatsServer[]): Promise<void> => {
    story.push(words);
    await Promise.all(servers.map((server) => server.kill()));
    await sleep(DEAD_MS);
    await Promise.all(servers.map((server) => server.start()));
  };
  const turns = [
    async () => die('leader of the inventory', await fleet.nats.leaderOf('KV_argo-inventory')),
    async () => die('server of berlin', await fleet.serverOf('berlin')),
    async () => {
      story.push('site berlin');
      await fleet.site('berlin').kill();
      await fleet.site('berlin').start();
    },
    async () => die('server of f1', await fleet.serverOf('f1')),
    async () => die('two of three servers', ...fleet.nats.servers.slice(0, 2)),
  ];
  for (let turn = 0; !isOver(); turn += 1) {
    await sleep(PAUSE_MS);
    if (isOver()) break;
    await turns[turn % turns.length]!();
  }
}

await t.test(`${ORDERS} orders while servers die`, { timeout: 600_000 }, async (t) => {
  let isOver = false;
  const dying = deaths(() => isOver);
  const began = performance.now();
  await Promise.all(Array.from({ length: CALLERS }, (_, index) => callers.call(fleet.front(index % 2 === 0 ? 'f1' : 'f2'), SITES[Math.floor(index / 2) % 2]!, isEnough)));
  const seconds = (performance.now() - began) / 1000;
  isOver = true;
  await dying;
  await Promise.all(SITES.map((site) => fleet.isUp('f1', site)));
  for (const site of SITES) await until(async () => (await fleet.site(site).ask('task')) === '', LONG, `all that is under way at ${site} to end`);

  const { acted, strange, tally: { done, refused, uncertain, early, slowestMs } } = callers;
  t.comment(`${done} done, ${refused} refused, ${uncertain} in doubt of which ${acted - done} were done; ${acted} acts; ${Math.round((done + uncertain) / seconds)} orders/s; longest line ${Math.round(slowestMs)} ms; died: ${story.join(', ')}`);
  t.ok(done + uncertain >= ORDERS);
  t.same(callers.wrong, [], 'told done and not done, done twice, or told refused and done');
  t.equal(early, 0, 'what is told to be done is done by then');
  t.same(strange.slice(0, 10), [], 'no other answers');
  t.ok(uncertain < done / 10, 'few are in doubt');
  t.ok(story.length >= DEATHS, 'each kind of death');
});
