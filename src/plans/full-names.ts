import type { Named } from '../kit/patterns.js';
import { idFromWord } from '../kit/text.js';

/** What patterns go by, from a full name: `lab/web1`; `lab/#7` of one whose name another machine has too. */
export function namedOf(fullName: string): Named {
  const provider = fullName.slice(0, fullName.indexOf('/'));
  const name = fullName.slice(provider.length + 1);
  return name.startsWith('#') ? { provider, name, id: idFromWord(name.slice(1)), isTwin: true } : { provider, name };
}
