/** What can go wrong in a conversation with libvirt. */

/** libvirt's answer to a call was an error: `virError`, with the numbers of libvirt/virterror.h. */
export class LibvirtError extends Error {
  override readonly name = 'LibvirtError';

  /**
   * @param code a `VIR_ERR_…`
   * @param domain the part of libvirt that speaks, a `VIR_FROM_…`
   * @param message libvirt's words
   */
  constructor(readonly code: number, readonly domain: number, message: string) {
    super(message);
  }
}

/** The connection is gone, and the call with it. */
export class ConnectionLostError extends Error {
  override readonly name = 'ConnectionLostError';

  /**
   * @param sent whether the call had been written to the stream. If not, libvirt never saw it; if so,
   *   nobody knows whether it was carried out.
   */
  constructor(readonly sent: boolean, reason: string, options?: { cause?: unknown }) {
    super(reason, options);
  }
}

/** What came from the other side is not libvirt's protocol; the connection is not usable any more. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** None of the ways to a libvirtd led there; nothing was asked of it. */
export class NoWayError extends Error {
  override readonly name = 'NoWayError';
}

/** Too many calls wait on this connection; the call was not sent. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError';
}

/** The caller gave up while the call still waited for its turn; the call was not sent. */
export class UnsentError extends Error {
  override readonly name = 'UnsentError';
}

/** No place came free in time for a call that would rather go elsewhere; it was not sent. */
export class CrowdedError extends Error {
  override readonly name = 'CrowdedError';
}

/** libvirt wants an authentication that this client does not speak, or that it refused. */
export class AuthenticationError extends Error {
  override readonly name = 'AuthenticationError';
}

/** The numbers of libvirt/virterror.h that a program can act upon. */
export const ErrorCode = {
  NO_SUPPORT: 3,
  INVALID_ARG: 8,
  OPERATION_FAILED: 9,
  OPERATION_DENIED: 29,
  NO_DOMAIN: 42,
  AUTH_FAILED: 45,
  NO_STORAGE_POOL: 49,
  NO_STORAGE_VOL: 50,
  OPERATION_INVALID: 55,
  CONFIG_UNSUPPORTED: 67,
  OPERATION_TIMEOUT: 68,
  ARGUMENT_UNSUPPORTED: 74,
  AUTH_CANCELLED: 79,
  OPERATION_UNSUPPORTED: 84,
  AGENT_UNRESPONSIVE: 86,
  ACCESS_DENIED: 88,
  STORAGE_VOL_EXIST: 90,
  AUTH_UNAVAILABLE: 94,
  AGENT_UNSYNCED: 97,
} as const;
