import t from 'tap';
import type { NatsBus } from '../../src/fleet/bus.js';
import { ALIVE_OF_ALL, aliveSubject, orderSubject, SITE_QUEUE } from '../../src/fleet/subjects.js';
import { Nats, natsUser, NATS_PROGRAMS, type NatsUser } from '../peers/nats.js';
import { bytes, LONG_MS, words } from '../support/fleet/bus-helpers.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { connected, join } from './support/fleet-bus.js';

/** Takes and puts back: nats-server does not fail at each. */
const ROUNDS = 4;

const USERS = { front: natsUser('f1', 'front'), site: natsUser('berlin', 'site'), both: natsUser('munich', 'site', 'front') };

/** Who is cut off and let in again. Each has a server of its own. */
for (const away of ['front', 'site', 'both'] as const) {
  const title = `a key that is taken out of a cluster and put back hears all again, also what comes by another server: ${away}`;
  await t.test(title, { skip: lacks(...NATS_PROGRAMS) }, async (t) => {
    const users = Object.values(USERS);
    const nats = await Nats.start({ servers: 3, users });
    t.teardown(() => nats.stop());
    const bus = (user: NatsUser, at: number): NatsBus => join(t, nats, user, nats.link(user, at)).bus;
    const [front, berlin, munich] = [bus(USERS.front, 0), bus(USERS.site, 1), bus(USERS.both, 2)];
    await connected(front, berlin, munich);
    const sites = [['berlin', berlin], ['munich', munich]] as const;
    for (const [name, site] of sites) site.subscribe(orderSubject(name), (message) => { message.respond(bytes(name)); }, SITE_QUEUE);
    const signs = new Map<NatsBus, string[]>([[front, []], [munich, []]]);
    for (const [listener, heard] of signs) listener.subscribe(ALIVE_OF_ALL, (message) => { heard.push(words(message)); });

    const hearAll = async (when: string): Promise<void> => {
      for (const [name, site] of sites) {
        const sign = `${name} ${when}`;
        await until(() => {
          site.publish(aliveSubject(name), bytes(sign));
          return [...signs.values()].every((heard) => heard.includes(sign));
        }, LONG_MS, `a sign of life, ${sign}`);
        for (const asker of signs.keys()) {
          const isAnswered = (): Promise<boolean> => asker.request(orderSubject(name), bytes('?'), {}, 1000).then((answer) => words(answer) === name, () => false);
          await until(isAnswered, LONG_MS, `an answer of ${name} ${when}`);
        }
      }
    };
    const turned = { front, site: berlin, both: munich }[away];
    for (let round = 0; round < ROUNDS; round += 1) {
      await t.resolves(hearAll(`before ${round}`));
      await nats.setUsers(users.filter((user) => user !== USERS[away]));
      await until(() => turned.trouble !== undefined, LONG_MS, 'it to be turned away');
      await nats.setUsers(users);
      await connected(turned);
      await t.resolves(hearAll(`after ${round}`), `round ${round}`);
    }
  });
}
