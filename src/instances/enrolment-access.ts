import { closeClass } from '../kit/closed.js';
import { ArgoError, withoutCause } from '../kit/errors.js';
import { checkText } from './entrance.js';
import { EnrolmentError, type EnrolledHost, type Enrolment, type EnrolmentDesk, type EnrolmentRequest, type EnrolmentToken, type HostAsking, type HostLogin, type HostPlace } from './enrolment.js';
import type { Mandate } from './principal.js';

/** Enrolment through an actor, until its request is over. What is handed in is read once. */
export class ActorEnrolment implements Enrolment {
  readonly #desk: EnrolmentDesk | undefined;
  readonly #mandate: Mandate;
  readonly #requireOpen: () => void;

  /** @param desk undefined where nothing is enrolled @param requireOpen throws once the request is over */
  constructor(desk: EnrolmentDesk | undefined, mandate: Mandate, requireOpen: () => void) {
    this.#desk = desk;
    this.#mandate = mandate;
    this.#requireOpen = requireOpen;
  }

  async publicKey(): Promise<string> {
    return told(this.#open().publicKey(this.#mandate));
  }

  async requests(): Promise<readonly EnrolmentRequest[]> {
    return frozen(await told(this.#open().requests(this.#mandate)));
  }

  async hosts(): Promise<readonly EnrolledHost[]> {
    return frozen(await told(this.#open().hosts(this.#mandate)));
  }

  async add({ host, port, name }: HostPlace): Promise<EnrolmentRequest> {
    const place = {
      host: checkText(host, 'a host'),
      ...(port === undefined ? {} : { port }),
      ...(name === undefined ? {} : { name: checkText(name, 'a name') }),
    };
    return Object.freeze(await told(this.#open().add(this.#mandate, place)));
  }

  async approve(
    names: readonly string[],
    { user, password }: HostLogin = {},
    fingerprints: Readonly<Record<string, string>> = {},
  ): Promise<readonly EnrolledHost[]> {
    const login = {
      ...(user === undefined ? {} : { user: checkText(user, 'a user') }),
      ...(password === undefined ? {} : { password: checkText(password, 'a password') }),
    };
    const compared = Object.fromEntries(
      Object.entries(fingerprints).map(([name, one]) => [name, checkText(one, 'a fingerprint')]),
    );
    return frozen(await told(this.#open().approve(this.#mandate, copied(names), login, compared)));
  }

  async refuse(names: readonly string[]): Promise<void> {
    await told(this.#open().refuse(this.#mandate, copied(names)));
  }

  async remove(names: readonly string[]): Promise<{ readonly failed: readonly string[] }> {
    const { failed } = await told(this.#open().remove(this.#mandate, copied(names)));
    return Object.freeze({ failed: Object.freeze([...failed]) });
  }

  async token(ms?: number): Promise<EnrolmentToken & { readonly token: string }> {
    return Object.freeze(await told(this.#open().token(this.#mandate, ms)));
  }

  async tokens(): Promise<readonly EnrolmentToken[]> {
    return frozen(await told(this.#open().tokens(this.#mandate)));
  }

  async revoke(ids: readonly string[]): Promise<void> {
    await told(this.#open().revoke(this.#mandate, copied(ids)));
  }

  async ask({ token, name, key, port }: HostAsking): Promise<EnrolmentRequest> {
    const asking = {
      token: checkText(token, 'a token'),
      name: checkText(name, 'a name'),
      key: checkText(key, 'a key'),
      ...(port === undefined ? {} : { port }),
    };
    // who has no token is told no more than who has a wrong one
    if (this.#desk === undefined) throw new ArgoError('NOT AUTHENTICATED');
    return Object.freeze(await told(this.#open().ask(this.#mandate, asking)));
  }

  /** @throws ArgoError */
  #open(): EnrolmentDesk {
    this.#requireOpen();
    // who may enrol is not told from who may not where nothing is enrolled
    if (this.#desk === undefined) throw new ArgoError('NOT SUPPORTED', 'there is no [enrolment] in the configuration');
    return this.#desk;
  }
}

closeClass(ActorEnrolment);

const copied = (names: readonly string[]): readonly string[] => [...new Set(Array.from(names, (name) => checkText(name, 'a name')))];
const frozen = <T extends object>(all: readonly T[]): readonly T[] => Object.freeze(all.map((one) => Object.freeze({ ...one })));

/** What goes wrong is told without its cause, which is for the log alone; at which step stays. */
const told = <T>(work: Promise<T>): Promise<T> => work.catch((thrown: unknown) => {
  throw thrown instanceof EnrolmentError ? new EnrolmentError(thrown.step, thrown.phrase, thrown.detail) : withoutCause(thrown);
});
