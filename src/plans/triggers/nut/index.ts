import { isIP } from 'node:net';
import * as v from 'valibot';
import type { TableFault } from '../../../config/catalogue.js';
import { passwordEntries, readPassword } from '../../../config/secret.js';
import { duration, flag, positiveDuration, text, whole } from '../../../config/values.js';
import { tlsTrust, trustEntries } from '../../../drivers/tls/options.js';
import { UPSD_PORT } from '../../../protocols/nut/client.js';
import { MACHINE_CLOCK } from '../../clock.js';
import { condition } from '../condition-option.js';
import type { TriggerModule, TriggerOptions } from '../contract.js';
import { UpsReader, type UpsPlace } from './reader.js';
import { UPS_VOCABULARY } from './status.js';
import { NutTrigger } from './trigger.js';

interface UpsUrl extends UpsPlace {
  readonly user: string | undefined;
}

/** `nut://[user@]host[:port]/ups`. @returns undefined for anything else, one with a password among it */
function parseUrl(value: string): UpsUrl | undefined {
  if (!URL.canParse(value)) return undefined;
  const { protocol, username, password, hostname, port, pathname, search, hash } = new URL(value);
  const user = decoded(username);
  const ups = /^\/([A-Za-z0-9._-]{1,64})$/.exec(pathname)?.[1];
  if (protocol !== 'nut:' || hostname === '' || ups === undefined || password !== '' || search !== '' || hash !== '' || user === undefined) return undefined;
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || UPSD_PORT, ups, user: user === '' ? undefined : user };
}

/** @returns undefined where it is no text that could be sent */
function decoded(word: string): string | undefined {
  try {
    const text = decodeURIComponent(word);
    return /[\u0000-\u001f\u007f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

const upsUrl = v.pipe(
  text,
  v.check((value) => parseUrl(value) !== undefined, 'a URL such as "nut://127.0.0.1:3493/rack1" is expected, without a password'),
  v.transform((value) => parseUrl(value)!),
);

const when = condition(UPS_VOCABULARY);

const options = {
  url: v.optional(upsUrl),
  urls: v.optional(v.pipe(v.array(upsUrl), v.minLength(1, 'a URL is expected'))),
  needs: v.optional(whole(1, 64), 1),
  user: v.optional(text),
  ...passwordEntries,
  tls: v.optional(v.picklist(['no', 'starttls'], 'one of "no", "starttls" is expected'), 'no'),
  ...trustEntries,
  login: v.optional(flag, false),
  start: v.pipe(v.array(v.strictObject({ plan: text, when }), 'a list is expected, such as [{ plan = "power-cut", when = "low-battery" }]'), v.minLength(1, 'nothing would be begun')),
  stop: v.optional(v.strictObject({ plan: v.optional(text), when })),
  'silent-for': v.optional(v.pipe(
    text,
    v.transform((value) => (value === 'never' ? undefined : value)),
    v.optional(positiveDuration),
  ), 'never'),
  'poll-interval': v.optional(v.pipe(duration, v.minValue(100, 'must be at least "100ms"')), '5s'),
  'min-interval': v.optional(duration, '1m'),
};

type NutOptions = TriggerOptions<typeof options>;

const placesOf = ({ url, urls }: NutOptions): readonly UpsUrl[] => urls ?? (url ? [url] : []);
const userOf = ({ user }: NutOptions, place: UpsUrl): string | undefined => user ?? place.user;
const hasPassword = (given: NutOptions): boolean => [given.password, given['password-file'], given['password-env']].some((one) => one !== undefined);
const isHere = ({ host }: UpsPlace): boolean => host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
const nameOf = ({ host, port, ups }: UpsPlace): string => `${ups}@${host}:${port}`;

function faults(given: NutOptions): readonly TableFault[] {
  const places = placesOf(given);
  const found: TableFault[] = [];
  const fault = (key: string, message: string): void => { found.push({ message: `${key}: ${message}`, path: [key] }); };
  if ((given.url === undefined) === (given.urls === undefined)) found.push({ message: 'either url or urls is expected' });
  if (new Set(places.map(nameOf)).size < places.length) fault('urls', 'one UPS is named twice');
  if (given.needs > Math.max(1, places.length)) fault('needs', `there are ${places.length} UPSes`);
  if (given.login && (!hasPassword(given) || places.some((place) => userOf(given, place) === undefined))) fault('login', 'a user and a password are needed');
  if (hasPassword(given) && places.some((place) => userOf(given, place) === undefined)) found.push({ message: 'there is a password, and no user' });
  if (hasPassword(given) && given.tls === 'no' && !given.insecure && !places.every(isHere)) {
    fault('tls', 'the password would cross the network in the clear; use "starttls", or set insecure = true');
  }
  return found;
}

/** Begins plans by what UPSes say, over Network UPS Tools' upsd: `type = "nut"`. */
export default {
  options,
  faults,
  plans: ({ start, stop }) => [
    ...start.map(({ plan }, index) => ({ plan, path: ['start', index, 'plan'] })),
    ...(stop?.plan === undefined ? [] : [{ plan: stop.plan, path: ['stop', 'plan'] }]),
  ],
  open: (given, host) => {
    const sources = new Map(placesOf(given).map((place) => [nameOf(place), new UpsReader(place, {
      user: userOf(given, place),
      password: () => readPassword(given),
      trust: () => (given.tls === 'starttls' ? tlsTrust(given) : undefined),
      login: given.login,
    }, host.log, host.clock ?? MACHINE_CLOCK)]));
    return new NutTrigger({
      start: given.start, stop: given.stop && { plan: given.stop.plan, when: given.stop.when }, needs: given.needs,
      pollInterval: given['poll-interval'], minInterval: given['min-interval'], silentFor: given['silent-for'],
    }, sources, host);
  },
} satisfies TriggerModule<typeof options>;
