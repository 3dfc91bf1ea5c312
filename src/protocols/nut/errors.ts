import { entryOf } from '../../kit/tables.js';
/** What can go wrong when upsd is asked, beside the way to it: see protocols/tls/errors.ts for that. */

/** upsd answered `ERR CODE`. */
export class UpsdRefusal extends Error {
  override readonly name = 'UpsdRefusal';

  /** @param code as on the wire: `DATA-STALE`, `UNKNOWN-UPS`, `ACCESS-DENIED`, … */
  constructor(readonly code: string) {
    const meaning = entryOf(MEANINGS, code);
    super(meaning === undefined ? `upsd says ${code}` : `${meaning} (${code})`);
  }
}

/** For people, those that they are likely to meet (RFC 9271, "Error Responses"). */
const MEANINGS: Readonly<Record<string, string>> = {
  'ACCESS-DENIED': 'upsd refuses the user, the password or the right',
  'DATA-STALE': 'the driver of the UPS has no news from it',
  'DRIVER-NOT-CONNECTED': 'the driver of the UPS does not run',
  'UNKNOWN-UPS': 'upsd has no UPS of this name',
  'VAR-NOT-SUPPORTED': 'the UPS has no such variable',
  'FEATURE-NOT-CONFIGURED': 'upsd is not set up for that',
  'FEATURE-NOT-SUPPORTED': 'this upsd cannot do that',
};

/** What answered does not keep to the protocol. */
export class UpsdAnswerError extends Error {
  override readonly name = 'UpsdAnswerError';
}
