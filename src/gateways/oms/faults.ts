import { toArgoError, type Phrase } from '../../kit/errors.js';
import { harmless, oneLine } from '../../kit/text.js';

/**
 * Errors as clients of this protocol know them: where one comes from (1: from the server itself, 2: from the method), its code,
 * and its name in brackets at the beginning of the message. Those of origin 1 are of qooxdoo's RPC Server Writer Guide; the names
 * of origin 2 are of the OMS documentation (rev. 2011-02-04), which has no codes: those are our choice.
 */
export const FAULTS = {
  IllegalService: { origin: 1, code: 1 },
  ServiceNotFound: { origin: 1, code: 2 },
  MethodNotFound: { origin: 1, code: 4 },
  ParameterMismatch: { origin: 1, code: 5 },
  PermissionDenied: { origin: 1, code: 6 },
  FuncManError: { origin: 2, code: 100 },
  AuthError: { origin: 2, code: 101 },
  ConfigurationReadError: { origin: 2, code: 102 },
  DatabaseInsertError: { origin: 2, code: 106 },
  FuncMethodTimeoutError: { origin: 2, code: 108 },
  UnknownSignRequestsError: { origin: 2, code: 120 },
  SSHKeyCreateError: { origin: 2, code: 121 },
  SSHKeyAddError: { origin: 2, code: 122 },
  UnknownRemoveRequestError: { origin: 2, code: 123 },
  UnknownRemoveSignedError: { origin: 2, code: 124 },
  SSHKeyRemoveError: { origin: 2, code: 125 },
  OpenVZMigrationNotCapable: { origin: 2, code: 130 },
  SSHAlreadySetUpError: { origin: 2, code: 140 },
  SSHAlreadySetUpAnotherSessionError: { origin: 2, code: 141 },
  SSHRemoteSetUpError: { origin: 2, code: 142 },
  SSHPoolSpotSetUpError: { origin: 2, code: 143 },
  SSHTunnelSetUpError: { origin: 2, code: 144 },
  SSHRemoveError: { origin: 2, code: 145 },
  SSHConnectionCheckError: { origin: 2, code: 146 },
  // spelt as on the wire of old
  VNCAreadySetUpError: { origin: 2, code: 150 },
  VNCAreadySetUpAnotherSessionError: { origin: 2, code: 151 },
  VNCRemoteSetUpError: { origin: 2, code: 152 },
  VNCPoolSpotSetUpError: { origin: 2, code: 153 },
  VNCTunnelSetUpError: { origin: 2, code: 154 },
  VNCRemoveError: { origin: 2, code: 155 },
  VNCConnectionCheckError: { origin: 2, code: 156 },
  DeauthError: { origin: 2, code: 160 },
  UnknownHostException: { origin: 2, code: 170 },
} as const satisfies Readonly<Record<string, { readonly origin: 1 | 2; readonly code: number }>>;

export type FaultName = keyof typeof FAULTS;

/** What a phrase of ours is called here; all others are a {@link FAULTS.FuncManError}, which says the phrase. */
const OF_PHRASES: Partial<Readonly<Record<Phrase, FaultName>>> = {
  'NOT AUTHENTICATED': 'AuthError', 'NOT ALLOWED': 'PermissionDenied', USAGE: 'ParameterMismatch', 'BAD REQUEST': 'ParameterMismatch',
  TIMEOUT: 'FuncMethodTimeoutError', BUSY: 'FuncMethodTimeoutError', 'AUDIT UNAVAILABLE': 'DatabaseInsertError',
};

/** Characters of what is said about an error. */
const MOST_WORDS = 2000;

/** An error of this protocol. */
export class OmsError extends Error {
  constructor(readonly fault: FaultName, words: string) {
    super(`[${fault}] ${harmless(oneLine(words, MOST_WORDS))}`);
  }
}

/** Any thrown thing as clients are told of it. */
export function toOmsError(thrown: unknown): OmsError {
  if (thrown instanceof OmsError) return thrown;
  const { phrase, message } = toArgoError(thrown);
  return new OmsError(OF_PHRASES[phrase] ?? 'FuncManError', message);
}
