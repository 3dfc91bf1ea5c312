import { InstancePattern, isPattern, PatternError } from '../kit/patterns.js';
import { requestFromLine, type Request } from './request.js';
import type { Session } from './session.js';

const LIST = requestFromLine('list');

/**
 * How many instances a request selects, for the status line only.
 * @returns undefined where that cannot be told: groups are known to the server alone
 */
export async function countTargets(session: Session, { targets }: Request, signal?: AbortSignal): Promise<number | undefined> {
  if (targets.some(({ text, quoted }) => !quoted && text.startsWith('@'))) return undefined;
  const plain = targets.filter(({ text, quoted }) => quoted || !isPattern(text)).map(({ text }) => text);
  const patterns = compile(targets.filter(({ text, quoted }) => !quoted && isPattern(text)).map(({ text }) => text));
  const selected = new Set(plain);
  if (patterns.length === 0) return selected.size;
  for await (const batch of session.run(LIST, signal)) {
    for (const event of batch) {
      if (event.kind === 'error') return undefined;
      if (event.kind === 'body' && patterns.some((pattern) => pattern.coversName(event.text))) selected.add(event.text);
    }
  }
  return selected.size;
}

/** A pattern that is none is for the server to refuse. */
function compile(sources: readonly string[]): InstancePattern[] {
  try {
    return sources.map((source) => new InstancePattern(source));
  } catch (error) {
    if (error instanceof PatternError) return [];
    throw error;
  }
}
