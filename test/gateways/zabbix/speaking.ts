import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { ValueBuffer as Values } from '../../../src/gateways/zabbix/speaking/buffer.js';
import type { NewValue } from '../../../src/gateways/zabbix/contract.js';
import { Reports } from '../../../src/gateways/zabbix/speaking/reports.js';
import { Sender } from '../../../src/gateways/zabbix/speaking/sender.js';
import { Tasks } from '../../../src/gateways/zabbix/speaking/tasks.js';
import type { RemoteCommand, TaskResult } from '../../../src/protocols/zabbix/messages.js';
import type { History } from '../../../src/store/history.js';
import { State } from '../../../src/store/state.js';

/** The speaking half of the gateway in this process, with a state folder of its own. */

export function scratch(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'argo-zabbix-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Half {
  readonly values: Values;
  readonly sender: Sender;
  readonly tasks: Tasks;
  readonly reports: Reports;
  readonly state: State;
  readonly history: History;
  readonly logged: string[];
  readonly counts: { kept: number; sent: number; dropped: Record<string, number> };
  /** commands that ran */
  readonly ran: RemoteCommand[];
  readonly limits: { age: number; values: number; keepAcknowledged: number };
}

export type Run = (command: RemoteCommand) => Promise<Pick<TaskResult, 'status' | 'info'>>;

export function half(t: Test, folder = scratch(t), run: Run = ({ command }) => Promise.resolve({ status: 0, info: `did ${command}` })): Half {
  const state = new State(folder, () => undefined);
  t.teardown(() => state.close());
  const logged: string[] = [];
  const counts: Half['counts'] = { kept: 0, sent: 0, dropped: {} };
  const ran: RemoteCommand[] = [];
  const log = (level: string, message: string): void => void logged.push(`${level} ${message}`);
  const dropped = (reason: string, by: number): void => { counts.dropped[reason] = (counts.dropped[reason] ?? 0) + by; };
  const limits = { age: 86_400_000, values: 1_000_000, keepAcknowledged: 600_000 };
  const history = state.history('gateway z');
  const values = new Values({ history, log, limits: () => limits, kept: (by) => { counts.kept += by; }, dropped });
  t.teardown(() => values.close());
  const reports = new Reports();
  const tasks = new Tasks({
    kv: state.keyValue('gateway z'), once: state.once('gateway z'), log, commandAge: () => 60_000, figures: () => ({ items: 3, values: 4 }), changed: () => undefined,
    incoming: { checkNow: (itemid) => void logged.push(`check ${itemid}`), run: (command) => { ran.push(command); return run(command); } },
  });
  t.teardown(() => tasks.close());
  const sender = new Sender({ buffer: values, reports, tasks, log, acknowledged: (by) => { counts.sent += by; }, dropped });
  return { values, sender, tasks, reports, state, history, logged, counts, ran, limits };
}

export const value = (itemid: string, text = '1', clock = 1_700_000_000, ns = 5): NewValue => ({ itemid, clock, ns, value: text });

export const SUCCESS = { accepted: true, upload: true, tasks: [], strange: [] } as const;
