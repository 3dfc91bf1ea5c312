import { ArgoError, type Phrase } from '../kit/errors.js';
import type { Mandate } from './principal.js';
import type { HostType } from './tags.js';

/** Enrolment: hosts that are to be managed, from the request to their removal. */

/** A public key by which a host is known over SSH. */
export interface SshHostKey {
  /** `ssh-ed25519` */
  readonly type: string;
  /** `SHA256:…`, as `ssh-keygen -l` prints it */
  readonly fingerprint: string;
}

/** Where a host is. */
export interface HostPlace {
  /** name or address */
  readonly host: string;
  /** of its sshd; left out: 22 */
  readonly port?: number;
  /** of the provider that it would be; left out: made from `host` */
  readonly name?: string;
}

/** A host that waits to be approved or refused. */
export interface EnrolmentRequest {
  /** of the provider that it would be, and by which it is approved or removed */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** as the host showed it when it was asked last */
  readonly key: SshHostKey;
  /** who has asked */
  readonly account: string;
  readonly at: Date;
}

/** A host that was enrolled. */
export interface EnrolledHost {
  /** of its provider */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** as whom the server logs in */
  readonly user: string;
  readonly key: SshHostKey;
  /** what it was found to be */
  readonly type: HostType;
  /** false: nothing was found that manages machines, so `type` is `physical` for want of better; somebody should look */
  readonly isIdentified: boolean;
  /** it was removed, and our key may still be on it: it is no provider any more, and can be removed again */
  readonly isLeft: boolean;
  readonly at: Date;
}

/** A token with which one host may ask by itself. */
export interface EnrolmentToken {
  /** by which it is revoked; it tells nothing of the token */
  readonly id: string;
  /** who has made it */
  readonly account: string;
  readonly expires: Date;
}

/** What a host says that asks by itself. */
export interface HostAsking {
  readonly token: string;
  /** of the provider that it would be */
  readonly name: string;
  /** the public key by which it is known over SSH, in SSH's own encoding, as base64 */
  readonly key: string;
  /** of its sshd; left out: 22 */
  readonly port?: number;
}

/** How the key of ours comes onto a host. */
export interface HostLogin {
  /** as whom the server logs in from then on; left out: as the configuration says */
  readonly user?: string;
  /** of that user, for this once: it is kept nowhere. Left out: by a login that works already */
  readonly password?: string;
}

/** What did not work, in a way that protocols tell apart. */
export class EnrolmentError extends ArgoError {
  /**
   * @param step `make-key`: our own pair of keys cannot be made. `add-key`: ours did not come onto the host. `remove-key`: it could not be taken away.
   * `configure`: the configuration could not be changed
   */
  constructor(readonly step: 'make-key' | 'add-key' | 'remove-key' | 'configure', phrase: Phrase, detail: string, options?: { cause?: unknown }) {
    super(phrase, detail, options);
  }
}

/**
 * Enrolment through an actor, for accounts that may do everything on whatever there is or will be: a grant of `enrol` or of `*` on `*`.
 * All methods throw ArgoError NOT ALLOWED, and NOT SUPPORTED where it is not configured.
 */
export interface Enrolment {
  /** Our own key, as a line of authorized_keys: a host that has it already needs no password. @throws ArgoError; EnrolmentError */
  publicKey(): Promise<string>;
  /** Those that wait, oldest first. @throws ArgoError */
  requests(): Promise<readonly EnrolmentRequest[]>;
  /** Asks a host for its key, and lets it wait. One that waits already is asked anew. @throws ArgoError UNREACHABLE; BAD REQUEST; WRONG STATE where the name is taken */
  add(place: HostPlace): Promise<EnrolmentRequest>;
  /**
   * Pins their keys, brings ours onto them and makes each a provider. Where one of the names waits for nothing, nothing is done.
   * @param fingerprints what somebody has compared, by name: another key than that is refused
   * @throws ArgoError NO SUCH REQUEST with the names; HOST KEY CHANGED; EnrolmentError
   */
  approve(
    names: readonly string[],
    login?: HostLogin,
    fingerprints?: Readonly<Record<string, string>>,
  ): Promise<readonly EnrolledHost[]>;
  /**
   * Drops requests, of all or of none, and forgets hosts that are left.
   * @throws ArgoError NO SUCH REQUEST with the names; EnrolmentError UNCERTAIN where an approval that was cut off may have left our key: that host is left then
   */
  refuse(names: readonly string[]): Promise<void>;
  /** Those that were enrolled and not removed, or not wholly. @throws ArgoError */
  hosts(): Promise<readonly EnrolledHost[]>;
  /**
   * Takes our key from hosts, and forgets them: the pin and the provider go in any case.
   * @returns `failed`: names of those on which our key may still be
   * @throws ArgoError NO SUCH PROVIDER with the names that were not enrolled: then nothing was done
   */
  remove(names: readonly string[]): Promise<{ readonly failed: readonly string[] }>;
  /** A token with which one host may ask by itself. @param ms for so long it is good @throws ArgoError BAD REQUEST; BUSY where too many are unused */
  token(ms?: number): Promise<EnrolmentToken & { readonly token: string }>;
  /** Those that are still good. @throws ArgoError */
  tokens(): Promise<readonly EnrolmentToken[]>;
  /** Of all or of none. @throws ArgoError NO SUCH REQUEST with the ids */
  revoke(ids: readonly string[]): Promise<void>;
  /**
   * A host asks by itself, from where it is: with a good token, by whomever, it waits to be approved, if it shows the key that it says.
   * @throws ArgoError NOT AUTHENTICATED without a good token, or where nothing is enrolled; UNREACHABLE; HOST KEY CHANGED; WRONG STATE where the name is taken; BUSY
   */
  ask(asking: HostAsking): Promise<EnrolmentRequest>;
}

/** Where actors ask for it, each method as {@link Enrolment}'s of that name. */
export type EnrolmentDesk = { readonly [Name in keyof Enrolment]: (mandate: Mandate, ...args: Parameters<Enrolment[Name]>) => ReturnType<Enrolment[Name]> };
