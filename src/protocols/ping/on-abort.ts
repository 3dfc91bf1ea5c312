const groups = new WeakMap<AbortSignal, Set<(reason: unknown) => void>>();

/**
 * Lets thousands wait for one signal: it has one listener of ours, however many they are, since what
 * it costs to remove a listener grows with their number.
 * @param cancel called once with the reason when the signal is aborted, at once if it is so already
 * @returns ends the watch
 */
export function onAbort(signal: AbortSignal, cancel: (reason: unknown) => void): () => void {
  if (signal.aborted) {
    cancel(signal.reason);
    return () => undefined;
  }
  const group = groups.get(signal) ?? startGroup(signal);
  group.add(cancel);
  return () => group.delete(cancel);
}

function startGroup(signal: AbortSignal): Set<(reason: unknown) => void> {
  const group = new Set<(reason: unknown) => void>();
  groups.set(signal, group);
  signal.addEventListener('abort', () => {
    const members = [...group];
    group.clear();
    members.forEach((cancel) => cancel(signal.reason));
  }, { once: true });
  return group;
}
