import { isIPv6 } from 'node:net';
import * as v from 'valibot';
import type { EnrolmentSettings } from '../config/config.js';
import type { ProviderKeys } from '../config/edit.js';
import { LOGIN_NAME, PROVIDER_NAME } from '../config/schema.js';
import { readSecret } from '../config/secret.js';
import { hostAddress } from '../drivers/host/options.js';
import { EnrolmentError, type EnrolledHost, type EnrolmentDesk, type EnrolmentRequest, type EnrolmentToken, type HostAsking, type HostLogin, type HostPlace } from '../instances/enrolment.js';
import type { Mandate, Permission, Principal } from '../instances/principal.js';
import type { HostType } from '../instances/tags.js';
import { ENROLMENT_NAMES, ENROLMENT_TIMEOUT, ENROLMENT_TOKEN_LIFE, ENROLMENT_TOKEN_LONGEST, ENROLMENT_TURN_TIMEOUT, HOST_APPROVAL_TIMEOUT, HOST_REMOVAL_TIMEOUT } from '../kit/enrolment-limits.js';
import { ArgoError, toArgoError } from '../kit/errors.js';
import type { Log } from '../kit/log.js';
import { formatDuration } from '../kit/text.js';
import { underAll } from '../kit/within.js';
import { fingerprintOf } from '../protocols/ssh/host-keys.js';
import type { AuditLog } from '../store/audit-entry.js';
import { Asking, keyAt } from './asking.js';
import { identify, installKey, removeKey, waysOnto, type Access, type Found } from './host-work.js';
import type { OwnKeys } from './own-keys.js';
import { enrolledOf, keyOf, requestOf, type HostRecord, type HostRecords } from './records.js';
import type { EnrolmentTokens } from './tokens.js';
import { Turns } from './turns.js';

/** The server's configuration file, and the server that goes by it. */
export interface ServerConfiguration {
  /** Whether there is a provider of that name, as far as the server that runs knows. */
  has(provider: string): boolean;
  /** Says why no provider of that name can be added, before anything is done for it. @throws Error */
  check(provider: string): Promise<void>;
  /** Writes the provider into the file and has the server go by it. Where the server refuses, the file is as it was before. @throws Error */
  add(provider: string, keys: ProviderKeys, remark: string): Promise<void>;
  /** Takes the provider out of the file, and has the server go by it. One that is not there is no error. @throws Error */
  remove(provider: string): Promise<void>;
}

/** The tags of the providers that hosts become. */
export interface HostTags {
  /** Takes all tags from what a provider of that name was, and its machines. @throws ArgoError */
  forget(provider: string): Promise<void>;
  /** Says what a host is. @throws ArgoError */
  setType(provider: string, type: HostType): Promise<void>;
}

export interface EnrolmentTimes {
  /** until others have been let in or out */
  readonly turn: number;
  /** for what is done on one host to let it in, and to take our key from it */
  readonly approval: number;
  readonly removal: number;
  /** in which a request begins with further hosts */
  readonly request: number;
}

const TIMES: EnrolmentTimes = { turn: ENROLMENT_TURN_TIMEOUT, approval: HOST_APPROVAL_TIMEOUT, removal: HOST_REMOVAL_TIMEOUT, request: ENROLMENT_TIMEOUT };

export interface DeskParts {
  readonly records: HostRecords;
  readonly tokens: EnrolmentTokens;
  readonly keys: OwnKeys;
  readonly configuration: ServerConfiguration;
  readonly audit: AuditLog;
  readonly log: Log;
  readonly tags: HostTags;
  /** What an account may do now; undefined: there is none of that name. */
  account(name: string): Principal | undefined;
  /** milliseconds; left out: those of kit/enrolment-limits.ts */
  readonly times?: EnrolmentTimes;
  /** undefined: nothing is enrolled, as the configuration is now */
  settings(): EnrolmentSettings | undefined;
}

/** Whoever may enrol hosts may do so with all there are and will be: what is let in becomes part of everything. */
const toDo = (verb: Verb): Permission => ({ word: `enrol.${verb}`, command: 'enrol', right: '*' });
type Verb = 'list' | 'add' | 'approve' | 'refuse' | 'remove' | 'key' | 'token' | 'revoke';

/** No provider can be called so: only a grant on everything is one on it. */
const EVERYTHING = '*';

const SSH_PORT = 22;

/** Lets hosts in and out. What changes anything is done one after the other. */
export class Desk implements EnrolmentDesk {
  readonly #parts: DeskParts;
  readonly #times: EnrolmentTimes;
  readonly #ends = new AbortController();
  readonly #turns: Turns;
  readonly #asking: Asking;

  constructor(parts: DeskParts) {
    const { records, tokens, audit, log, configuration, account } = this.#parts = parts;
    this.#times = parts.times ?? TIMES;
    const ends = this.#ends.signal;
    this.#turns = new Turns({ audit, log, ms: this.#times.turn, ends });
    this.#asking = new Asking({
      records, tokens, turns: this.#turns, ends, has: (provider) => configuration.has(provider),
      mayEnrol: (name) => account(accountOf(name))?.allowsProvider(EVERYTHING, toDo('token')) ?? false,
    });
  }

  /** Settles what an earlier process has left in the midst of an approval. @throws StateError; Error of the file system */
  async start(): Promise<void> {
    const { records, configuration, keys, log } = this.#parts;
    for (const record of await records.all()) {
      if (record.stage !== 'approving') continue;
      if (configuration.has(record.name)) {
        await records.put({ ...record, stage: 'enrolled' });
      } else {
        keys.unpin(record.name);
        await records.put({ ...record, stage: 'waiting' });
      }
      log('warn', 'the approval of a host was cut off', { host: record.name, now: configuration.has(record.name) ? 'enrolled' : 'waiting' });
    }
  }

  /** Ends what is under way, and waits for that. */
  async close(): Promise<void> {
    this.#ends.abort(new ArgoError('SHUTTING DOWN'));
    await this.#turns.settled();
  }

  async publicKey(mandate: Mandate): Promise<string> {
    this.#authorise(mandate, 'key');
    return this.#ownKey();
  }

  async requests(mandate: Mandate): Promise<readonly EnrolmentRequest[]> {
    this.#authorise(mandate, 'list');
    return (await this.#parts.records.all()).filter(({ stage }) => stage === 'waiting').map(requestOf);
  }

  async hosts(mandate: Mandate): Promise<readonly EnrolledHost[]> {
    this.#authorise(mandate, 'list');
    return (await this.#parts.records.all()).filter(({ stage }) => stage === 'enrolled' || stage === 'left').map(enrolledOf);
  }

  async add(mandate: Mandate, { host, port = SSH_PORT, name = nameFor(host) }: HostPlace): Promise<EnrolmentRequest> {
    this.#authorise(mandate, 'add');
    if (!v.is(hostAddress, host) || !Number.isInteger(port) || port < 1 || port > 65_535) throw new ArgoError('BAD REQUEST', 'a host name or an address is expected, and a port from 1 to 65535');
    if (!PROVIDER_NAME.form.test(name)) throw new ArgoError('BAD REQUEST', `"${name}" cannot be the name of a provider: ${PROVIDER_NAME.rule}`);
    return this.#inTurn(mandate, [name], 'add', async () => {
      const { records, configuration } = this.#parts;
      const before = await records.get(name);
      if ((before !== undefined && before.stage !== 'waiting') || configuration.has(name)) throw new ArgoError('WRONG STATE', `there is a provider ${name} already, or a host that was enrolled as it and is left`);
      // that is noted of the place where it was
      if (before?.mayHaveKey && (before.host !== host || before.port !== port)) throw new ArgoError('WRONG STATE', `the server's key may still be on ${before.host}, which waits as ${name}: refuse that first`);
      const key = await keyAt(host, port, this.#ends.signal);
      const record: HostRecord = { ...before?.mayHaveKey && { mayHaveKey: true, user: before.user ?? '' }, name, host, port, key: key.toString('base64'), stage: 'waiting', account: mandate.identity.name, at: Date.now() };
      await records.put(record);
      return requestOf(record);
    });
  }

  async approve(mandate: Mandate, names: readonly string[], login: HostLogin = {}, expected: Record<string, string> = {}): Promise<readonly EnrolledHost[]> {
    const { user = this.#authorise(mandate, 'approve').user } = login;
    if (!LOGIN_NAME.form.test(user)) throw new ArgoError('BAD REQUEST', `nobody can be called so: ${LOGIN_NAME.rule}`);
    return this.#inTurn(mandate, names, 'approve', async () => {
      const waiting = await this.#all(names, 'waiting', 'NO SUCH REQUEST');
      for (const record of waiting) {
        const seen = fingerprintOf(keyOf(record));
        // a host may be called as what every object has
        const compared = Object.hasOwn(expected, record.name) ? expected[record.name] : undefined;
        if (compared !== undefined && compared.replace(/=+$/, '') !== seen) throw new ArgoError('HOST KEY CHANGED', `${record.name} has shown ${seen}, which is not what was compared`);
        await configured(() => this.#parts.configuration.check(record.name));
      }
      const done: EnrolledHost[] = [];
      const since = performance.now();
      for (const record of waiting) {
        try {
          if (performance.now() - since > this.#times.request) throw new ArgoError('TIMEOUT', `it has taken too long; still waiting: ${waiting.slice(done.length).map(({ name }) => name).join(', ')}`);
          done.push(await this.#approveOne({ ...record, user }, login));
        } catch (thrown) {
          throw done.length === 0 ? thrown : alsoDone(thrown, done.map(({ name }) => name));
        }
      }
      return done;
    });
  }

  async refuse(mandate: Mandate, names: readonly string[]): Promise<void> {
    this.#authorise(mandate, 'refuse');
    return this.#inTurn(mandate, names, 'refuse', async () => {
      const { records } = this.#parts;
      const failed: string[] = [];
      const since = performance.now();
      for (const record of await this.#all(names, 'waiting', 'NO SUCH REQUEST', 'left')) {
        // an approval that was cut off may have left our key; of one that was removed before it is known
        const isClean = record.stage === 'left' || !record.mayHaveKey || (performance.now() - since <= this.#times.request && await this.#takesKey(record));
        if (isClean) await records.drop(record.name);
        else await records.put({ ...record, stage: 'left' });
        if (!isClean) failed.push(record.name);
      }
      if (failed.length > 0) throw new EnrolmentError('remove-key', 'UNCERTAIN', `the server's key may still be on ${failed.join(', ')}`);
    });
  }

  async remove(mandate: Mandate, names: readonly string[]): Promise<{ readonly failed: readonly string[] }> {
    this.#authorise(mandate, 'remove');
    return this.#inTurn(mandate, names, 'remove', async () => {
      const { records, configuration, keys } = this.#parts;
      const out: HostRecord[] = [];
      let failed: readonly string[] = [];
      try {
        for (const record of await this.#all(names, 'enrolled', 'NO SUCH PROVIDER', 'left')) {
          // of one that is left it is out already: what is called so now is somebody else's
          if (record.stage === 'enrolled') {
            await configured(() => configuration.remove(record.name));
            await records.noteRemoved(record);
          }
          await records.put({ ...record, stage: 'left' });
          keys.unpin(record.name);
          out.push(record);
        }
      } finally {
        // when all of them are out: several may be one host, which keeps our key for as long as one of these is enrolled
        failed = await this.#takeKeys(out);
      }
      return { failed };
    });
  }

  /** @returns the names of those that may still have our key */
  async #takeKeys(out: readonly HostRecord[]): Promise<readonly string[]> {
    const failed: string[] = [];
    const since = performance.now();
    for (const record of out) {
      if (performance.now() - since <= this.#times.request && await this.#takesKey(record)) await this.#parts.records.drop(record.name);
      else failed.push(record.name);
    }
    return failed;
  }

  async token(mandate: Mandate, ms = ENROLMENT_TOKEN_LIFE): Promise<EnrolmentToken & { readonly token: string }> {
    this.#authorise(mandate, 'token');
    if (!(ms >= 1000 && ms <= ENROLMENT_TOKEN_LONGEST)) throw new ArgoError('BAD REQUEST', 'a token is good for 1s to 7d');
    return this.#inTurn(mandate, [EVERYTHING], 'token', () => this.#parts.tokens.make(mandate.identity.name, ms));
  }

  async tokens(mandate: Mandate): Promise<readonly EnrolmentToken[]> {
    this.#authorise(mandate, 'list');
    return this.#parts.tokens.all();
  }

  async revoke(mandate: Mandate, ids: readonly string[]): Promise<void> {
    this.#authorise(mandate, 'revoke');
    return this.#inTurn(mandate, ids, 'revoke', () => this.#parts.tokens.revoke(ids));
  }

  async ask({ address = '', origin }: Mandate, asking: HostAsking): Promise<EnrolmentRequest> {
    if (this.#parts.settings() === undefined) throw new ArgoError('NOT AUTHENTICATED');
    return this.#asking.ask(asking, address, origin);
  }

  /** Each step is undone where one that follows fails; what a killed process leaves, {@link start} settles. */
  async #approveOne(waiting: HostRecord & { readonly user: string }, login: HostLogin): Promise<EnrolledHost> {
    const { records, keys, configuration, tags, log } = this.#parts;
    const { name } = waiting;
    const publicKey = await this.#ownKey();
    let now: HostRecord & { readonly user: string } = { ...waiting, stage: 'approving' };
    const note = async (change: Partial<HostRecord>): Promise<void> => records.put(now = { ...now, ...change });
    await note({});
    try {
      keys.pin(now);
      const access = this.#accessTo(now, publicKey);
      const found = await this.#onHost(name, this.#times.approval, async (signal) => {
        await installKey(access, waysOnto(login, this.#configuredKey()), () => note({ mayHaveKey: true }), signal);
        return identify(access, signal);
      });
      const { type, isIdentified } = found;
      await note({ type, isIdentified });
      // what a host of that name had is not this one's, unless it is the same again
      if (!await records.wasRemoved(now)) await tags.forget(name);
      await configured(() => configuration.add(name, this.#tableOf(now, found), `enrolled ${new Date().toISOString().slice(0, 10)}`));
      await note({ stage: 'enrolled', at: Date.now() });
      await tags.setType(name, type).catch((error: unknown) => log('warn', 'a host was enrolled, and what it is cannot be kept as its tag', { host: name, reason: toArgoError(error).message }));
      return enrolledOf(now);
    } catch (thrown) {
      await this.#undo(now);
      throw thrown;
    }
  }

  /** It waits again, as before. Where our key came onto it and cannot be taken away, that stays noted. */
  async #undo(record: HostRecord): Promise<void> {
    const { records, keys, log } = this.#parts;
    const { name, host, port, key, account, at, user, mayHaveKey = false } = record;
    try {
      const isLeft = mayHaveKey && !await this.#takesKey(record);
      keys.unpin(name);
      await records.put({ name, host, port, key, account, at, stage: 'waiting', ...isLeft && user !== undefined ? { mayHaveKey: true, user } : {} });
    } catch (error) {
      log('error', 'an approval that failed could not be undone', { host: name, reason: (error as Error).message });
    }
  }

  /** Takes our key from a host. @returns whether it is certain that it opens it no longer */
  async #takesKey(record: HostRecord): Promise<boolean> {
    const { user = '', name } = record;
    try {
      // one host by two names, or two with the same key: taken from this one, it could be missing on the other
      const other = (await this.#parts.records.all()).find((one) => one.name !== name && one.stage === 'enrolled' && one.key === record.key && one.user === user);
      if (other !== undefined) throw new ArgoError('WRONG STATE', `${other.name}, which shows the same key of a host, is enrolled`);
      const access = this.#accessTo({ ...record, user }, await this.#ownKey());
      await this.#onHost(name, this.#times.removal, (signal) => removeKey(access, signal));
      return true;
    } catch (thrown) {
      this.#parts.log('warn', 'our key may still be on a host', { host: name, reason: toArgoError(thrown).message });
      return false;
    }
  }

  /** Work on a host that may hang. @throws ArgoError TIMEOUT; what the work throws */
  async #onHost<T>(name: string, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new ArgoError('TIMEOUT', `${name} was not done with it in ${formatDuration(ms)}`)), ms);
    try {
      return await underAll([this.#ends.signal, late.signal], work);
    } finally {
      clearTimeout(timer);
    }
  }

  #accessTo(record: HostRecord & { readonly user: string }, publicKey: string): Access {
    return { record, user: record.user, own: { privateKey: this.#parts.keys.privateKey() }, publicKey };
  }

  /** A machine's provider where libvirt is there to ask, else a host's. */
  #tableOf({ name, host, port, user }: HostRecord & { readonly user: string }, { libvirt }: Found): ProviderKeys {
    const { keys } = this.#parts;
    const access = { 'private-key-file': keys.privateKeyFile, 'known-hosts-file': keys.knownHostsFile(name) };
    const address = isIPv6(host) ? `[${host}]` : host;
    if (libvirt !== undefined) return { type: 'libvirt', uri: `${libvirt}+ssh://${user}@${address}:${port}/system`, ...access };
    return { type: 'linux', user, hosts: [{ name, address: host, ...port === SSH_PORT ? {} : { 'ssh-port': port } }], ...access };
  }

  /** @throws EnrolmentError */
  async #ownKey(): Promise<string> {
    try {
      return await this.#parts.keys.publicKey();
    } catch (error) {
      throw new EnrolmentError('make-key', 'FAILED', 'the server\'s pair of keys cannot be made', { cause: error });
    }
  }

  /** Of the login that the configuration names. @throws EnrolmentError */
  #configuredKey(): string | undefined {
    const access = this.#parts.settings()?.access ?? {};
    try {
      return readSecret(access as Parameters<typeof readSecret<'private-key'>>[0], 'private-key')?.reveal();
    } catch (error) {
      throw new EnrolmentError('add-key', 'FAILED', (error as Error).message, { cause: error });
    }
  }

  /** The records of names, all of them. @throws ArgoError with the names of those that are not there */
  async #all(names: readonly string[], stage: HostRecord['stage'], phrase: 'NO SUCH REQUEST' | 'NO SUCH PROVIDER', or = stage): Promise<readonly HostRecord[]> {
    const found = await Promise.all([...new Set(names)].map(async (name) => ({ name, record: await this.#parts.records.get(name) })));
    const missing = found.filter(({ record }) => record?.stage !== stage && record?.stage !== or);
    if (missing.length > 0) throw new ArgoError(phrase, missing.map(({ name }) => name).join(', '));
    return found.flatMap(({ record }) => record ?? []);
  }

  /** @returns the settings @throws ArgoError */
  #authorise({ identity: { principal }, through }: Mandate, verb: Verb): EnrolmentSettings {
    const settings = this.#parts.settings();
    const isAllowed = (through === undefined || through.right === 'host') && principal.allowsProvider(EVERYTHING, toDo(verb));
    if (!isAllowed) throw new ArgoError('NOT ALLOWED');
    if (settings === undefined) throw new ArgoError('NOT SUPPORTED', 'there is no [enrolment] in the configuration');
    return settings;
  }

  /** One after the other, each with a record of its own in the audit; who may not do it any longer when its turn comes does not. */
  async #inTurn<T>(mandate: Mandate, names: readonly string[], verb: Verb, work: () => Promise<T>): Promise<T> {
    if (names.length === 0 || names.length > ENROLMENT_NAMES) throw new ArgoError('BAD REQUEST', `from 1 to ${ENROLMENT_NAMES} names are expected`);
    const facts = { account: mandate.identity.name, from: mandate.origin, command: toDo(verb).word };
    return this.#turns.take(facts, names, () => void this.#authorise(mandate, verb), work);
  }
}

/** An account, where one of its tokens of the API was at work for it. */
const accountOf = (name: string): string => name.split(' (', 1)[0]!;

/** A provider's name for a host where nobody says one. */
const nameFor = (host: unknown): string => String(host).replace(/[^A-Za-z0-9.-]/g, '-').replace(/^[^A-Za-z0-9]+/, '').slice(0, 64);

/** The same, with what was done before it. */
function alsoDone(thrown: unknown, names: readonly string[]): ArgoError {
  const { phrase, detail, cause } = toArgoError(thrown);
  const words = `${detail}; enrolled before that: ${names.join(', ')}`;
  return thrown instanceof EnrolmentError ? new EnrolmentError(thrown.step, phrase, words, { cause }) : new ArgoError(phrase, words, { cause });
}

/** @throws EnrolmentError */
async function configured(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw error instanceof ArgoError ? error : new EnrolmentError('configure', 'FAILED', `the configuration cannot be changed: ${(error as Error).message}`.replace(/\s+/g, ' '), { cause: error });
  }
}
