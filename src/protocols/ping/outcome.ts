/** What asking a host whether it is up may come to. */

/** By what it was found out: an ICMP echo of our own, one by the system's `ping`, or a TCP connection. */
export type PingMethod = 'icmp' | 'program' | 'tcp';

export type PingResult =
  /** ms: round trip of the request that was answered; address: which of the host's addresses answered */
  | { readonly alive: true; readonly ms: number; readonly address: string; readonly by: PingMethod }
  /** reason: one line for people; isTold: not mere silence, but the word of somebody who must know, such as a router */
  | { readonly alive: false; readonly reason: string; readonly isTold?: boolean };

export type DoubtKind =
  /** the name has no address, or nobody told it in time */
  | 'unresolved'
  /** we lack the right to ask, and there is no other way */
  | 'no right'
  /** our own system did not send, or a router on the way: no route, a filter of its own, no buffers */
  | 'not sent'
  /** a filter on the way says that we may not ask */
  | 'prohibited'
  /** what answers may be another machine */
  | 'ambiguous'
  /** it is silent in each way in which it could be asked, as it would be behind a filter too */
  | 'silent';

/** It could not be found out whether the host is up. That is never the same as its being down. */
export class CannotTell extends Error {
  override readonly name = 'CannotTell';

  /** @param message one line for people */
  constructor(readonly kind: DoubtKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
  }
}
