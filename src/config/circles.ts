/** The names from which following leads back to themselves, each circle once, as the way around. */
export function circles(names: Iterable<string>, next: (name: string) => readonly string[]): string[][] {
  const found: string[][] = [];
  const finished = new Set<string>();
  const walk = (name: string, way: readonly string[]): void => {
    const start = way.indexOf(name);
    if (start >= 0) found.push([...way.slice(start), name]);
    if (start >= 0 || finished.has(name)) return;
    for (const one of next(name)) walk(one, [...way, name]);
    finished.add(name);
  };
  for (const name of names) walk(name, []);
  return found;
}
