import type * as v from 'valibot';
import type { NamedGroup, NamedPlan, TableFault, TriggerTypes } from '../../config/catalogue.js';
import type { TriggerModule } from './contract.js';

/**
 * The types of triggers and where they are. Each is imported when a trigger of its type is configured,
 * with the packages that it needs.
 */
const TRIGGERS: Readonly<Record<string, () => Promise<{ default: unknown }>>> = {
  nut: () => import('./nut/index.js'),
  schedule: () => import('./schedule/index.js'),
  command: () => import('./command/index.js'),
  event: () => import('./event/index.js'),
};

/** The triggers that there are. */
export class TriggerCatalogue implements TriggerTypes {
  types(): readonly string[] {
    return Object.keys(TRIGGERS);
  }

  async options(type: string): Promise<v.ObjectEntries | undefined> {
    return (await this.load(type))?.options;
  }

  /** What is wrong beyond a table that fits its type. */
  async faults(type: string, options: object): Promise<readonly TableFault[]> {
    return (await this.load(type))?.faults?.(options as never) ?? [];
  }

  /** The plans that a table would begin: each has to be there. */
  async plans(type: string, options: object): Promise<readonly NamedPlan[]> {
    return (await this.load(type))?.plans(options as never) ?? [];
  }

  async hears(type: string, options: object): Promise<readonly NamedPlan[]> {
    return (await this.load(type))?.hears?.(options as never) ?? [];
  }

  async groups(type: string, options: object): Promise<readonly NamedGroup[]> {
    return (await this.load(type))?.groups?.(options as never) ?? [];
  }

  /** @returns undefined where there is no trigger of that type */
  async load(type: string): Promise<TriggerModule | undefined> {
    if (!Object.hasOwn(TRIGGERS, type)) return undefined;
    return (await TRIGGERS[type]!()).default as TriggerModule;
  }
}
