import { ArgoError } from '../kit/errors.js';
import type { Groups } from '../kit/patterns.js';
import type { View } from './view.js';

/** A group, as far as somebody sees it. */
export interface VisibleGroup {
  readonly name: string;
  /** full names of those that are seen, at least one */
  readonly members: readonly string[];
}

/** A group of which nothing is seen is none: its name may tell of what others have. */
export async function visibleGroups(view: View, groups: Groups): Promise<readonly VisibleGroup[]> {
  const found: VisibleGroup[] = [];
  for (const name of groups.keys()) {
    const members = await view.select([{ text: `@${name}`, quoted: false }], groups).then(({ instances }) => instances.map(({ fullName }) => fullName), (error: unknown) => {
      if (error instanceof ArgoError && error.phrase === 'NO MATCH') return [];
      throw error;
    });
    if (members.length > 0) found.push({ name, members });
  }
  return found;
}
