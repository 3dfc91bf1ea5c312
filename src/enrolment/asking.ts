import { isIP } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { PROVIDER_NAME } from '../config/schema.js';
import { explainSsh } from '../drivers/ssh/errors.js';
import type { EnrolmentRequest, HostAsking } from '../instances/enrolment.js';
import { ENROLMENT_ASKED, ENROLMENT_ASKING, ENROLMENT_REFUSAL_DELAY, ENROLMENT_REFUSED, HOST_KEY_TIMEOUT } from '../kit/enrolment-limits.js';
import { ArgoError, toArgoError } from '../kit/errors.js';
import { within } from '../kit/within.js';
import { fingerprintOf, typeOf } from '../protocols/ssh/host-keys.js';
import { scanHostKey } from '../protocols/ssh/host-key-scan.js';
import { requestOf, type HostRecord, type HostRecords } from './records.js';
import type { EnrolmentTokens, UsedToken } from './tokens.js';
import type { Turns } from './turns.js';

export interface AskingParts {
  readonly records: HostRecords;
  readonly tokens: EnrolmentTokens;
  readonly turns: Turns;
  /** Whether there is a provider of that name. */
  has(provider: string): boolean;
  /** Whether somebody may still let hosts in. */
  mayEnrol(account: string): boolean;
  /** aborted when nothing is begun any more */
  readonly ends: AbortSignal;
}

/** A public key as base64: long enough for RSA with 16,384 bits. */
const KEY = /^[A-Za-z0-9+/]{40,4096}={0,2}$/;
const LAST_PORT = 65_535;

/** The key that a host at an address shows. @throws ArgoError UNREACHABLE */
export async function keyAt(host: string, port: number, ends: AbortSignal): Promise<Buffer> {
  return within(HOST_KEY_TIMEOUT, [ends], (signal) => scanHostKey(host, port, signal)).catch((error: unknown) => {
    ends.throwIfAborted();
    throw error instanceof Error && error.name === 'SshConnectionError' ? explainSsh(error, 'reads') : new ArgoError('UNREACHABLE', `${host} shows no key`, { cause: error });
  });
}

/** Hosts that ask by themselves, with a token. Nothing is believed of them but that; nobody logs in, and somebody has to approve them. */
export class Asking {
  readonly #parts: AskingParts;
  #underWay = 0;
  #refused = 0;

  constructor(parts: AskingParts) {
    this.#parts = parts;
  }

  /**
   * @param address from where it is asked: the host is there, and nowhere else
   * @param from the same with its port, for the audit
   * @throws ArgoError
   */
  async ask(asking: HostAsking, address: string, from: string): Promise<EnrolmentRequest> {
    try {
      return await this.#placed(() => this.#parts.tokens.use(asking.token, (token) => this.#withToken(token, asking, address, from)));
    } catch (thrown) {
      // it holds no place meanwhile: who only guesses keeps nobody out
      if (toArgoError(thrown).phrase === 'NOT AUTHENTICATED') await this.#slowDown();
      throw thrown;
    }
  }

  /** So many at a time. @throws ArgoError BUSY */
  async #placed<T>(work: () => Promise<T>): Promise<T> {
    if (this.#underWay >= ENROLMENT_ASKING) throw new ArgoError('BUSY', 'too many hosts ask at a time');
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
    }
  }

  async #withToken(token: UsedToken, { name, key: said, port = 22 }: HostAsking, address: string, from: string): Promise<EnrolmentRequest> {
    const { ends, turns, records } = this.#parts;
    const { account } = token;
    if (!this.#parts.mayEnrol(account)) throw new ArgoError('NOT AUTHENTICATED');
    if (isIP(address) === 0) throw new ArgoError('BAD REQUEST', 'it is not asked over a network');
    if (!PROVIDER_NAME.form.test(name)) throw new ArgoError('BAD REQUEST', `it cannot be the name of a provider: ${PROVIDER_NAME.rule}`);
    if (!Number.isInteger(port) || port < 1 || port > LAST_PORT) throw new ArgoError('BAD REQUEST', 'a port from 1 to 65535 is expected');
    if (!KEY.test(said)) throw new ArgoError('BAD REQUEST', 'the second word of a file ssh_host_…_key.pub is expected as the key');
    const key = await keyAt(address, port, ends);
    // who asks may be another than who answers there, as behind one address of many
    if (!key.equals(Buffer.from(said, 'base64'))) throw new ArgoError('HOST KEY CHANGED', `at ${address} a host shows another key: ${typeOf(key)} ${fingerprintOf(key)}`);
    const by = `${account} (token of enrolment)`;
    const record: HostRecord = { name, host: address, port, key: key.toString('base64'), stage: 'waiting', account: by, at: Date.now(), isAsking: true };
    return turns.take({ account: by, from, command: 'enrol.ask' }, [name], () => undefined, async () => {
      const all = await records.all();
      if (this.#parts.has(name) || all.some((one) => one.name === name)) throw new ArgoError('WRONG STATE', `there is a host ${name} already`);
      if (all.filter(({ stage, isAsking }) => stage === 'waiting' && isAsking).length >= ENROLMENT_ASKED) throw new ArgoError('BUSY', 'too many hosts wait already');
      await token.spend();
      await records.put(record);
      return requestOf(record);
    });
  }

  /** Whoever has no good token is answered late. @throws ArgoError BUSY where too many of them wait already */
  async #slowDown(): Promise<void> {
    if (this.#refused >= ENROLMENT_REFUSED) throw new ArgoError('BUSY', 'too many hosts ask at a time');
    this.#refused += 1;
    try {
      await pause(ENROLMENT_REFUSAL_DELAY, undefined, { signal: this.#parts.ends }).catch(() => undefined);
    } finally {
      this.#refused -= 1;
    }
  }
}
