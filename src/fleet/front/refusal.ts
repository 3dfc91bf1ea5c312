import { ArgoError, type Phrase } from '../../kit/errors.js';
import { FLEET_DETAIL } from '../../kit/fleet-limits.js';
import { harmless, oneLine } from '../../kit/text.js';
import type { AnswerMessage } from '../messages.js';

/** What a failure at a site is to whoever is told here. */

export type Failure = Extract<AnswerMessage, { readonly state: 'failed' }>;

/** What is about the machine, and so true here as well. The others are about a connection to the site, or a line typed there. */
const PASSED_ON: ReadonlySet<Phrase> = new Set<Phrase>([
  'NOT ALLOWED', 'BAD REQUEST', 'NO SUCH INSTANCE', 'NO SUCH PROVIDER', 'NOT SUPPORTED', 'WRONG STATE', 'BUSY', 'TIMEOUT', 'UNREACHABLE', 'ACCESS DENIED',
  'HOST KEY CHANGED', 'CERTIFICATE REJECTED', 'NEEDS ANSWER', 'FAILED', 'UNCERTAIN', 'AUDIT UNAVAILABLE', 'INTERNAL ERROR',
]);

export function errorOf(site: string, { phrase, detail }: Failure): ArgoError {
  const words = harmless(oneLine(detail, FLEET_DETAIL));
  // it says so where nothing was sent: the server that ends is not this one
  if (phrase === 'SHUTTING DOWN') return nothingDone(site, 'its server is ending');
  if (!PASSED_ON.has(phrase)) return new ArgoError('FAILED', `site ${site}: ${phrase}${words === '' ? '' : `: ${words}`}`);
  return new ArgoError(phrase, words === '' ? `at site ${site}` : words);
}

/** Where a machine or provider of a site is, for people. */
export const sitePlace = (site: string): string => `site ${site}`;

/** The site was not asked, or has not begun it, and will not. */
export const nothingDone = (site: string, why: string): ArgoError => new ArgoError('UNREACHABLE', `${sitePlace(site)}: ${why}; nothing was done`);
