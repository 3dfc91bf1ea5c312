/** Stages of a plan in columns: each behind all that it waits for. Names that are not there, and circles, hold nothing up. */
export function columnsOf<T extends { readonly name: string; readonly after: readonly string[] }>(stages: readonly T[]): readonly (readonly T[])[] {
  const byName = new Map(stages.map((stage) => [stage.name, stage]));
  const columns = new Map<string, number>();
  const columnOf = (stage: T, way: ReadonlySet<string>): number => {
    const known = columns.get(stage.name);
    if (known !== undefined || way.has(stage.name)) return known ?? 0;
    const on = new Set([...way, stage.name]);
    const column = stage.after.reduce((most, name) => {
      const before = byName.get(name);
      return before === undefined ? most : Math.max(most, columnOf(before, on) + 1);
    }, 0);
    columns.set(stage.name, column);
    return column;
  };
  const result: T[][] = [];
  for (const stage of stages) (result[columnOf(stage, new Set())] ??= []).push(stage);
  return result.filter((column) => column !== undefined);
}
