/** New settings that were found good and are not in force yet. One of the two is called, once. */
export interface Change {
  /** Puts them into force. What could fail has been done before. */
  commit(): void;
  /** Undoes what was prepared: everything is as it was. */
  cancel(): Promise<void>;
}

/**
 * Prepares several changes, one after the other, as one.
 * @throws what the first throws that fails; those before it are cancelled then
 */
export async function prepareAll(steps: readonly (() => Promise<Change>)[]): Promise<Change> {
  const prepared: Change[] = [];
  const cancel = async (): Promise<void> => {
    for (const change of prepared.toReversed()) await change.cancel();
  };
  try {
    for (const step of steps) prepared.push(await step());
  } catch (error) {
    await cancel();
    throw error;
  }
  return { commit: () => prepared.forEach((change) => change.commit()), cancel };
}
