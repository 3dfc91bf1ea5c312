/** What is written on a topic as JSON; an empty table for what is none. */
export function readTable(payload: string): Readonly<Partial<Record<string, unknown>>> {
  try {
    const value: unknown = JSON.parse(payload);
    return typeof value === 'object' && value !== null ? value as Record<string, unknown> : {};
  } catch {
    return {};
  }
}
