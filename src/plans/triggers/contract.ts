import type * as v from 'valibot';
import type { NamedGroup, NamedPlan, TableFault } from '../../config/catalogue.js';
import type { EventFacts } from '../../instances/events.js';
import type { Groups } from '../../kit/patterns.js';
import type { Log } from '../../kit/log.js';
import type { KeyValue } from '../../store/state.js';
import type { PlanStarter, Trigger } from '../contract.js';
import type { Clock } from '../clock.js';

/** The contract between the server and what begins plans by itself. */

/** What the keys of a trigger's table yield. */
export type TriggerOptions<Entries extends v.ObjectEntries> = v.InferOutput<v.ObjectSchema<Entries, undefined>>;

/** The default export of a trigger's module. */
export interface TriggerModule<Entries extends v.ObjectEntries = v.ObjectEntries> {
  /** the keys of its table in argo-server.conf, beside `type` */
  readonly options: Entries;
  /** What is wrong beyond the keys. */
  faults?(options: TriggerOptions<Entries>): readonly TableFault[];
  /** The plans that it would begin. */
  plans(options: TriggerOptions<Entries>): readonly NamedPlan[];
  /** The plans whose runs it waits for. */
  hears?(options: TriggerOptions<Entries>): readonly NamedPlan[];
  /** The groups of machines that it names. */
  groups?(options: TriggerOptions<Entries>): readonly NamedGroup[];
  /** Begins to look. Never throws and waits for nothing: what goes wrong is logged and tried again. */
  open(options: TriggerOptions<Entries>, host: TriggerHost): Trigger;
}

/** Everything that a trigger gets. */
export interface TriggerHost {
  /** the name of its table in argo-server.conf */
  readonly name: string;
  /** each line names the trigger */
  readonly log: Log;
  readonly starter: PlanStarter;
  /** what it keeps over a restart; nobody else has its names */
  readonly kv: KeyValue;
  /** calls back at once at each event @returns ends that */
  readonly events: { listen(listener: (facts: EventFacts) => void): () => void };
  /** the groups of the configuration as it is now */
  groups(): Groups;
  /** the machine's where it is left out */
  readonly clock?: Clock;
}

/** By whom a run was begun, so that the same trigger can take it back. */
export const sourceOf = ({ name }: Pick<TriggerHost, 'name'>): string => `trigger ${name}`;
