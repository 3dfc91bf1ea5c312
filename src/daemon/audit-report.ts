import { setTimeout as pause } from 'node:timers/promises';
import { loadConfig } from '../config/load.js';
import { parseDuration } from '../config/values.js';
import { followAudit, readAudit, type AuditRecord } from '../store/audit-reader.js';
import { AUDIT_FOLLOW_EVERY } from '../kit/limits.js';
import { formatDuration, harmless } from '../kit/text.js';
import { openLoaders } from './loaders.js';
import { defaultStateDir, findConfig } from './places.js';

export interface AuditOptions {
  readonly config: string | undefined;
  /** a duration back from now such as `2h`, or a date */
  readonly since: string | undefined;
  readonly account: string | undefined;
  readonly instance: string | undefined;
  /** only actions of a higher number */
  readonly after: number | undefined;
  /** goes on with what comes */
  readonly follow: boolean;
  readonly json: boolean;
}

/** @throws Error where it is neither a duration nor a date */
function parseSince(text: string): Date {
  const back = parseDuration(text);
  const date = back === undefined ? new Date(text) : new Date(Date.now() - back);
  if (Number.isNaN(date.getTime())) throw new Error(`--since: "${text}" is neither a duration such as 2h nor a date such as 2026-01-31`);
  return date;
}

/** @param open what is said of an action that has not ended */
function format({ at, account, from, command, options, instance, outcome, ms }: AuditRecord, open: string): string {
  const how = outcome === null ? open : `${outcome} (${formatDuration(ms ?? 0)})`;
  return harmless(`${at} ${account} ${from} ${command}${options && ` ${options}`} ${instance}: ${how}`);
}

/** The audit's lines, oldest first. @throws ConfigError, Error */
export async function* auditReport(options: AuditOptions): AsyncGenerator<string> {
  const file = findConfig(options.config);
  const stateDir
    = file === undefined
      ? defaultStateDir()
      : (await loadConfig(file, defaultStateDir(), openLoaders(() => undefined).catalogues)).server.stateDir;
  const { account, instance, after, follow } = options;
  if (after !== undefined && !(Number.isSafeInteger(after) && after >= 0)) throw new Error('--after: the number of an action is expected, as --json shows it');
  const query = { since: options.since === undefined ? undefined : parseSince(options.since), account, instance, after };
  for await (const record of follow ? followAudit(stateDir, query, () => pause(AUDIT_FOLLOW_EVERY)) : readAudit(stateDir, query)) {
    yield options.json ? JSON.stringify(record) : format(record, follow ? 'begun' : 'no end recorded');
  }
}
