import { BUS_PAYLOAD, FLEET_CLOCK_SKEW, FLEET_HEARD_WAIT } from '../../kit/fleet-limits.js';
import { formatBytes, formatDuration, inOrder } from '../../kit/text.js';
import { infoSubject } from '../bus-store.js';
import { SIGNATURE_HEADER } from '../contract.js';
import { aliveMessage, readMessage, type AliveMessage } from '../messages.js';
import { KnownKey } from '../signer.js';
import { faultsOf, storeLayout, type StoreStream } from '../store-layout.js';
import { ALIVE_OF_ALL, aliveSubject, newQueue } from '../subjects.js';
import { serverClock, storeClock, type Clock } from './clock.js';
import { StoreFault, type AdminConnection } from './connection.js';
import { streamInfo, type StreamInfo } from './init.js';
import { rightsOf, type Member } from './rights.js';
import { tryRights } from './trial.js';

/** What was found out: `fault` keeps something from working, `note` is worth a look. */
export interface Finding {
  readonly level: 'good' | 'note' | 'fault';
  readonly words: string;
}

const good = (words: string): Finding => ({ level: 'good', words });
const note = (words: string): Finding => ({ level: 'note', words });
const fault = (words: string): Finding => ({ level: 'fault', words });

/** Looks at the bus with the eyes of a member. Nothing is changed, and no site is asked or ordered anything. */
export async function checkBus(admin: AdminConnection, member: Member, sites: ReadonlyMap<string, string> | undefined): Promise<Finding[]> {
  // what is heard meanwhile takes as long as signs of life do
  const heard = member.parts.includes('front') ? heardSites(admin, sites) : Promise.resolve([]);
  return [await busClock(admin, member), ...payload(admin), ...await store(admin, member), ...await rights(admin, member), ...await heard];
}

function payload({ connection }: AdminConnection): Finding[] {
  const most = connection.info?.max_payload ?? Infinity;
  return most >= BUS_PAYLOAD ? [] : [fault(`the bus takes messages of ${formatBytes(BigInt(most))} at most, and some have ${formatBytes(BigInt(BUS_PAYLOAD))}: see max_payload of its servers`)];
}

async function busClock(admin: AdminConnection, { parts }: Member): Promise<Finding> {
  const mayMake = parts.includes('front') || parts.includes('admin');
  const clock = await serverClock(admin) ?? (mayMake ? await storeClock(admin).catch(() => undefined) : undefined);
  if (clock === undefined) return good('the bus does not tell its time, so that our clock is not compared with it; the check at a front compares those of sites');
  return clockFinding('the bus', clock);
}

function clockFinding(whose: string, { ahead, within }: Clock): Finding {
  const words = `${whose}: ${clockWords(ahead)}`;
  return Math.abs(ahead) - within > FLEET_CLOCK_SKEW ? fault(`${words}; ${REFUSED}`) : good(words);
}

/** Who is wrong, the bus's clock or ours, is for people to find out. */
const REFUSED = `where the clocks of a front and a site are ${formatDuration(FLEET_CLOCK_SKEW)} apart, orders are refused`;

const clockWords = (ahead: number): string => `its clock is ${formatDuration(Math.abs(ahead))} ${ahead < 0 ? 'behind' : 'before'} ours`;

/** What a new account has of the fleet's, nats-server takes into account when it reads its settings the next time (tried with 2.9.10). */
const AGAIN = '; this site\'s block has to be an account beside FLEET; where that is new there, have the bus\'s servers read their settings once more';

/** The buckets and streams that this member may ask about. */
async function store(admin: AdminConnection, member: Member): Promise<Finding[]> {
  const { publish } = rightsOf(member);
  const mine = storeLayout().filter(({ stream }) => member.parts.includes('admin') || publish.some(({ pattern }) => pattern === infoSubject(stream, admin.isApart)));
  return (await Promise.all(mine.map(async (one) => {
    try {
      const info = await streamInfo(admin, one.stream);
      const faults = faultsOf(one, info?.config).map((words) => fault(`${one.title} ${words}`));
      return info === undefined || faults.length > 0 ? faults : streamFindings(one, info);
    } catch (error) {
      return [fault(`${one.title}: ${(error as Error).message}${admin.isApart && !(error instanceof StoreFault) ? AGAIN : ''}`)];
    }
  }))).flat();
}

function streamFindings({ title }: StoreStream, { config, state, cluster }: StreamInfo): Finding[] {
  const behind = (cluster?.replicas ?? []).filter(({ current, offline }) => current !== true || offline === true);
  return [
    good(`${title}: ${Number(config.num_replicas)} ${config.num_replicas === 1 ? 'copy' : 'copies'}, ${formatBytes(BigInt(state.bytes))} of ${formatBytes(BigInt(Math.max(0, Number(config.max_bytes))))}`),
    ...(config.num_replicas === 1 ? [note(`${title}: there is one copy of it: while its server is down, it is away`)] : []),
    ...behind.map(({ name }) => note(`${title}: the copy on ${name} is not up to date`)),
  ];
}

async function rights(admin: AdminConnection, member: Member): Promise<Finding[]> {
  const { missing, tooMuch, untried } = await tryRights(admin, member);
  const allowed = missing.length > 0 ? [] : [good(`the bus allows what ${member.parts.join(' and ')} needs${untried.length === 0 ? '' : `; not tried, since fronts would hear it: ${untried.join(', ')}`}`)];
  return [
    ...allowed,
    ...missing.map((words) => fault(`the bus does not allow to ${words}: argo-server fleet key shows the permissions to paste`)),
    ...tooMuch.map((words) => note(`with this key one could ${words}: the permissions that argo-server fleet key shows are not in force`)),
  ];
}

interface Heard {
  readonly alive: AliveMessage;
  readonly ahead: number;
}

/** The sites whose signs of life come while somebody may wait for them, and those of the configuration that were not heard. */
async function heardSites({ connection }: AdminConnection, sites: ReadonlyMap<string, string> | undefined): Promise<Finding[]> {
  const heard = new Map<string, Heard | string>();
  const subscription = connection.subscribe(ALIVE_OF_ALL, {
    queue: newQueue(),
    callback: (error, message) => {
      if (error !== null) return;
      const site = message.subject.split('.')[3] ?? '';
      // what is stored can be sent to other subjects than it says
      if (message.subject !== aliveSubject(site)) return;
      try {
        const key = sites?.get(site);
        if (sites !== undefined && key === undefined) return void heard.set(site, 'is not among [[fleet.sites]], and is not shown');
        const signature = message.headers?.get(SIGNATURE_HEADER);
        if (key !== undefined && !new KnownKey(key).verifies(aliveSubject(site), message.data, signature)) return void heard.set(site, 'has signed with another key than that of [[fleet.sites]]: it is not believed');
        const alive = readMessage(aliveMessage, message.data);
        if (alive.site !== site) return void heard.set(site, 'calls itself otherwise in what it says: it is not believed');
        heard.set(site, { alive, ahead: alive.at - Date.now() });
      } catch (thrown) {
        heard.set(site, `says what is not understood: ${(thrown as Error).message}`);
      }
    },
  });
  await new Promise((resolve) => { setTimeout(resolve, FLEET_HEARD_WAIT); });
  subscription.unsubscribe();
  const missed = [...sites?.keys() ?? []].filter((site) => !heard.has(site)).map((site) => note(`site ${site}: nothing was heard of it in ${formatDuration(FLEET_HEARD_WAIT)}`));
  return [...inOrder([...heard], ([site]) => site).map(([site, what]) => siteFinding(site, what)), ...missed];
}

function siteFinding(site: string, heard: Heard | string): Finding {
  if (typeof heard === 'string') return fault(`site ${site} ${heard}`);
  const { alive: { version, providers }, ahead } = heard;
  // how long it was under way is not known, and makes its clock look late
  return clockFinding(`site ${site}: argo-server ${version}, ${providers.length} ${providers.length === 1 ? 'provider' : 'providers'}`, { ahead, within: 0 });
}
