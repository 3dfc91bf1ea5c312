import type { TaskResult } from '../../../protocols/zabbix/messages.js';

/** What is told of this proxy to somebody who asks for its diagnostic information. */
export interface DiagnosticFigures {
  /** items that are configured */
  readonly items: number;
  /** values that wait for the server */
  readonly values: number;
}

/**
 * The answer to a diagnostic question, as servers' frontends and APIs show it (`task.create`, type 1).
 * @param data JSON, a section by section: `{"historycache":{"stats":["items","values"]}}`
 */
export function diagnosticsAnswer(data: string, figures: DiagnosticFigures): Pick<TaskResult, 'status' | 'info'> {
  const begun = performance.now();
  const sections = sectionsOf(data);
  if (sections === undefined) return { status: -1, info: 'Cannot parse the request for diagnostic information.' };
  const answer: Record<string, unknown> = {};
  for (const section of sections) {
    if (section !== 'historycache') return { status: -1, info: `There is no section "${section.slice(0, 64)}" here, only "historycache".` };
    answer[section] = { ...figures, time: Number(((performance.now() - begun) / 1000).toFixed(6)) };
  }
  return { status: 0, info: JSON.stringify(answer) };
}

function sectionsOf(data: string): string[] | undefined {
  try {
    const asked: unknown = JSON.parse(data);
    return typeof asked === 'object' && asked !== null && !Array.isArray(asked) ? Object.keys(asked) : undefined;
  } catch {
    return undefined;
  }
}
