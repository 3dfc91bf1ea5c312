import { ArgoError, guarded, type Phrase } from '../../kit/errors.js';
import type { BusError } from '../contract.js';
import { cleanDetail, type AnswerMessage } from '../messages.js';

/** What a failure at a site is to whoever is told here. */

export type Failure = Extract<AnswerMessage, { readonly state: 'failed' }>;

/** What is about the machine, and so true here as well. The others are about a connection to the site, or a line typed there, or of a newer server. */
const PASSED_ON: ReadonlySet<string> = new Set<Phrase>([
  'NOT ALLOWED', 'BAD REQUEST', 'NO SUCH INSTANCE', 'NO SUCH PROVIDER', 'NOT SUPPORTED', 'WRONG STATE', 'BUSY', 'TIMEOUT', 'UNREACHABLE', 'ACCESS DENIED',
  'HOST KEY CHANGED', 'CERTIFICATE REJECTED', 'NEEDS ANSWER', 'FAILED', 'UNCERTAIN', 'AUDIT UNAVAILABLE', 'INTERNAL ERROR',
]);

const isPassedOn = (phrase: string): phrase is Phrase => PASSED_ON.has(phrase);

export function errorOf(site: string, { phrase, detail, whole }: Failure): ArgoError {
  const words = cleanDetail(detail);
  // it says so where nothing was sent: the server that ends is not this one
  if (phrase === 'SHUTTING DOWN') return nothingDone(site, 'its server is ending');
  if (!isPassedOn(phrase)) return new ArgoError('FAILED', `site ${site}: ${phrase}${words === '' ? '' : `: ${words}`}`);
  if (words === '') return new ArgoError(phrase, `at site ${site}`);
  return whole === undefined ? new ArgoError(phrase, words) : guarded(phrase, words, cleanDetail(whole));
}

/** Where a machine or provider of a site is, for people. */
export const sitePlace = (site: string): string => `site ${site}`;

/** The site was not asked, or has not begun it, and will not. @param why true for everybody, and no secret */
export const nothingDone = (site: string, why: string): ArgoError => new ArgoError('UNREACHABLE', `${sitePlace(site)}: ${why}; nothing was done`);

/** The site cannot be asked. @param why for those who may know why its providers do not answer */
export const outOfReach = (site: string, why: string): ArgoError =>
  guarded('UNREACHABLE', `${sitePlace(site)} cannot be reached; nothing was done`, nothingDone(site, why).detail);

/** The bus had nobody to hand it on to, or did not take it. @param message the bus's words */
export const notSent = (site: string, { reason, message }: BusError): ArgoError =>
  outOfReach(site, reason === 'no responders' ? `it is not connected (${message})` : `the bus cannot be used: ${message}`);
