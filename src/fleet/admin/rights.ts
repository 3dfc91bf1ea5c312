import { bucketStream, infoSubject, keysSubject } from '../bus-store.js';
import { isApart, type Part } from '../parts.js';
import {
  ALIVE_OF_ALL,
  aliveSubject,
  askSubject,
  AUDIT_STREAM,
  auditSubject,
  EVENTS_OF_ALL,
  EVENTS_STREAM,
  eventSubject,
  inboxPrefix,
  INVENTORY_BUCKET,
  LEASES_BUCKET,
  NEWS_OF_ALL,
  newsSubject,
  orderSubject,
  resultSubject,
  storeSubject,
  tokenOf,
} from '../subjects.js';

/**
 * What each one may say and hear on the bus: for the permission block that is pasted into nats-server.conf, and for the
 * check of whether that is in force. A key that was stolen can do no more than this.
 */

/** A member of the fleet, as the bus knows it. */
export interface Member {
  readonly name: string;
  readonly parts: readonly Part[];
  /** names of leases that it takes part in */
  readonly leases: readonly string[];
}

/** The account of the store, of fronts, and of who administers the bus. */
export const ACCOUNT = 'FLEET';

/** The name of who administers the bus: none that a site or a front could have. */
export const ADMIN_NAME = '_admin';

/** Of which a site may ask how they are. */
const STREAMS = [bucketStream(INVENTORY_BUCKET), bucketStream(LEASES_BUCKET), EVENTS_STREAM];

/** In the place of a name of which there is nobody. */
const NOBODY = '_';

/** A subject, or a pattern over subjects, that somebody needs. */
export interface Right {
  readonly pattern: string;
  /** one of it that nobody hears, so that it can be tried; undefined: whoever hears it takes it for a word of this server */
  readonly trial: string | undefined;
  /** it would be kept, unless it is sent so that it is refused for another reason */
  readonly isKept?: boolean;
}

export interface Rights {
  readonly publish: readonly Right[];
  readonly subscribe: readonly Right[];
  /** whether it answers what it is asked */
  readonly answers: boolean;
}

/** Tried with nobody in place of each wildcard. */
const right = (pattern: string): Right => ({ pattern, trial: pattern.replace(/[*>]/g, NOBODY) });
const kept = (pattern: string): Right => ({ ...right(pattern), isKept: true });
const heard = (pattern: string): Right => ({ pattern, trial: undefined });

/** How the bus's clock is asked for: the answer has it. */
export const CLOCK_SUBJECT = '$SYS.REQ.ACCOUNT.PING.STATZ';
const COMMON: readonly Right[] = [right(CLOCK_SUBJECT)];

const infoOn = (apart: boolean, ...streams: readonly string[]): Right[] => streams.map((stream) => right(infoSubject(stream, apart)));
/** To read the last of a subject. The subject is a part of the request's, so that it can be limited (nats-server 2.9). */
const lastOf = (stream: string, subjects: string): Right => right(`$JS.API.DIRECT.GET.${stream}.${subjects}`);
/**
 * To be told of what is there and what changes; the name of who is told is another one each time. Whoever may that can have what
 * is stored sent to any subject of his account, whatever else he may publish (tried: nats-server 2.9.10), so that sites do not have it.
 */
const following = (stream: string, subjects: string): Right => right(`$JS.API.CONSUMER.CREATE.${stream}.*.${subjects}`);
/** By which one that is told of much tells that it follows. */
const FLOW = right('$JS.FC.>');

function siteRights({ name, leases, parts }: Member): Rights {
  const [inventory, held] = [bucketStream(INVENTORY_BUCKET), bucketStream(LEASES_BUCKET)];
  const own = keysSubject(INVENTORY_BUCKET, `${name}.>`);
  const events = eventSubject(name, '*');
  return {
    publish: [
      heard(aliveSubject(name)), heard(newsSubject(name)), heard(events), kept(own), ...COMMON,
      ...infoOn(isApart(parts), ...STREAMS), lastOf(EVENTS_STREAM, events), lastOf(inventory, own),
      ...leases.map((lease) => keysSubject(LEASES_BUCKET, tokenOf(lease))).flatMap((key) => [kept(key), lastOf(held, key)]),
    ],
    // The others of its own subjects, so that it can be tried without taking an order away from a site at work.
    subscribe: [{ pattern: orderSubject(name).replace(/[^.]*$/, '*'), trial: orderSubject(name).replace(/[^.]*$/, NOBODY) }, right(`${inboxPrefix(name)}.>`)],
    answers: true,
  };
}

function frontRights({ name }: Member): Rights {
  const [inventory, held] = [bucketStream(INVENTORY_BUCKET), bucketStream(LEASES_BUCKET)];
  return {
    publish: [
      ...[orderSubject, askSubject, resultSubject].map((subject) => right(subject('*'))), kept(auditSubject(name)), ...COMMON,
      ...infoOn(false, inventory, held, EVENTS_STREAM, AUDIT_STREAM), lastOf(AUDIT_STREAM, auditSubject(name)), FLOW,
      ...[inventory, held].flatMap((stream) => [lastOf(stream, '>'), following(stream, '>')]),
    ],
    subscribe: [right(ALIVE_OF_ALL), right(NEWS_OF_ALL), right(EVENTS_OF_ALL), right(`${inboxPrefix(name)}.>`)],
    answers: false,
  };
}

const adminRights = (): Rights => ({
  publish: [right(CLOCK_SUBJECT), right('$JS.API.>')],
  subscribe: [right(`${inboxPrefix(ADMIN_NAME)}.>`)],
  answers: false,
});

const RIGHTS_OF: Readonly<Record<Part, (member: Member) => Rights>> = { site: siteRights, front: frontRights, admin: adminRights };

const distinct = (rights: readonly Right[]): Right[] => [...new Map(rights.map((one) => [one.pattern, one])).values()];

/** All that a member needs, in each of its parts. */
export function rightsOf(member: Member): Rights {
  const each = member.parts.map((part) => RIGHTS_OF[part](member));
  return {
    publish: distinct(each.flatMap(({ publish }) => publish)),
    subscribe: distinct(each.flatMap(({ subscribe }) => subscribe)),
    answers: each.some(({ answers }) => answers),
  };
}

/** What a key must not be able to do: each is tried on nobody. */
export interface Forbidden {
  readonly on: 'publish' | 'subscribe';
  readonly right: Right;
  /** for people: what whoever has the key could do */
  readonly words: string;
}

const FORBIDDEN: readonly (Forbidden & { readonly needs?: Part })[] = [
  { on: 'publish', right: right(orderSubject('*')), words: 'send orders to any site', needs: 'front' },
  { on: 'publish', right: kept(keysSubject(INVENTORY_BUCKET, '*.*.*')), words: 'write the inventory of any site' },
  { on: 'publish', right: right('$JS.API.CONSUMER.CREATE.*.*'), words: 'have what is stored sent to anybody', needs: 'admin' },
  { on: 'publish', right: right('$JS.API.STREAM.DELETE.*'), words: 'delete buckets and streams', needs: 'admin' },
  { on: 'subscribe', right: right(orderSubject('*')), words: 'hear the orders to any site' },
  { on: 'subscribe', right: right(inboxPrefix('*.>')), words: 'hear the answers to any front' },
];

export const forbiddenTo = ({ parts }: Member): readonly Forbidden[] => FORBIDDEN.filter(({ needs }) => needs === undefined || !parts.includes(needs));

/**
 * How many answers one question may get, and for how long: a site says each FLEET_RUNNING_INTERVAL that an order is under way.
 * Up to FLEET_PARCEL orders share a question, whose words are mostly said together. Who gets no more of them asks anew, which may
 * be answered again. More would be kept in the memory of the bus's servers.
 */
const ANSWERS = '{ max: 1000, expires: "5m" }';

const INDENT = '  ';
const lines = (depth: number, texts: readonly string[]): string => texts.map((text) => `${INDENT.repeat(depth)}${text}\n`).join('');

/** The entry of a member for `users`. */
function userEntry(member: Member, publicKey: string, depth: number): string {
  const { publish, subscribe, answers } = rightsOf(member);
  const list = (rights: readonly Right[]): string => lines(depth + 2, rights.map(({ pattern }) => `"${pattern}"`));
  const at = INDENT.repeat(depth);
  return `${at}{ nkey: ${publicKey}, permissions: {
${at}  publish: { allow: [
${list(publish)}${at}  ] }
${at}  subscribe: { allow: [
${list(subscribe)}${at}  ] }${answers ? `\n${at}  allow_responses: ${ANSWERS}` : ''}
${at}} }
`;
}

/** What the bus's servers are asked by themselves, in any account. */
const ofTheServers = ({ pattern }: Right): boolean => pattern.startsWith('$SYS.');

/** What a site has of the fleet's account: what it sends goes there, and what is sent to it comes from there. */
function importsOf(member: Member): string[] {
  const { publish } = rightsOf(member);
  const services = publish.filter((one) => !ofTheServers(one)).map(({ pattern }) => pattern);
  const { name } = member;
  const from = (kind: 'service' | 'stream', subject: string, to = ''): string => `{ ${kind}: { account: ${ACCOUNT}, subject: "${subject}" }${to} }`;
  const streamOf = (subject: string): string | undefined => STREAMS.find((stream) => storeSubject(stream) === subject);
  return [
    ...services.map((subject) => {
      const stream = streamOf(subject);
      return stream === undefined ? from('service', subject) : from('service', infoSubject(stream, false), `, to: "${subject}"`);
    }),
    // answers to fronts: nobody can guess the rest of these
    from('service', inboxPrefix('*.>')),
    // a server that has the same name may be at another server of the bus, which tells of a new account's listeners too late (nats-server #8560)
    ...[orderSubject, askSubject, resultSubject, aliveSubject].map((subject) => from('stream', subject(name))),
  ];
}

/** What the accounts of sites may import, each what stands in its own block. */
const EXPORTS: readonly (readonly ['service' | 'stream', string])[] = [
  ...[aliveSubject('*'), newsSubject('*'), EVENTS_OF_ALL, keysSubject(INVENTORY_BUCKET, '>'), keysSubject(LEASES_BUCKET, '>'), '$JS.API.DIRECT.GET.>', '$JS.API.STREAM.INFO.*', inboxPrefix('*.>')]
    .map((subject) => ['service', subject] as const),
  ...[orderSubject, askSubject, resultSubject, aliveSubject].map((subject) => ['stream', subject('*')] as const),
];

/** All accounts of nats-server.conf. @param users entries of fronts and of who administers the bus @param sites accounts of sites */
export const accountsBlock = (users: string, sites: string): string => `accounts {
  ${ACCOUNT} {
    jetstream: enabled
    exports: [
${lines(3, EXPORTS.map(([kind, subject]) => `{ ${kind}: "${subject}" }`))}    ]
    users: [
${users}    ]
  }
${sites}}
`;

/** What has to stand in nats-server.conf of a member: of one that {@link isApart}, an account; of others, an entry for the users of the fleet's account. */
export function permissionBlock(member: Member, publicKey: string): string {
  const { name, parts } = member;
  if (!isApart(parts)) return `${lines(3, [`# ${parts.join(' and ')}${parts.includes('admin') ? ' of the fleet' : ` ${name}`}`])}${userEntry(member, publicKey, 3)}`;
  return `  # site ${name}
  SITE_${name} {
    imports: [
${lines(3, importsOf(member))}    ]
    users: [
${userEntry(member, publicKey, 3)}    ]
  }
`;
}
