import type { Test } from 'tap';
import { Service } from '../../src/auth/service.js';
import type { PlanSettings } from '../../src/config/config.js';
import type { TriggerInfo } from '../../src/instances/plans.js';
import { Desk } from '../../src/plans/desk.js';
import type { Plugin } from '../../src/plugins/host/contract.js';
import { startCore, STEVE_HASH, type Core } from '../server/core.js';
import { MemoryEngine, planOf, stageOf } from '../support/plan-engine.js';

const account = (name: string, grants: string): string => `
[accounts.${name}]
password = "${STEVE_HASH}"
grants = [${grants}]
`;

/** The plans' account may switch all but `secret`; who else may what is in their names. */
export const PLANS_CONFIG = `
[server]
listen = ["127.0.0.1:0"]
${account('steve', '{ instances = ["*"], commands = ["*"] }')}
${account('ups', '{ instances = ["web*", "db"], commands = ["read", "power"] }')}
${account('reader', '{ instances = ["*"], commands = ["read", "power"] }')}
${account('cutter', '{ instances = ["*"], commands = ["plan:Power-Cut", "read"] }')}
${account('webs', '{ instances = ["web*"], commands = ["plan"] }')}
[providers.demo]
type = "sim"
instances = ["web1", "web2", { name = "web3", state = "off" }, "db", "secret"]
`;

export const PLANS: readonly PlanSettings[] = [
  planOf('power-cut', [
    stageOf('workers', ['web*'], { soft: 90_000 }),
    stageOf('db stage', ['db', 'secret'], { after: ['workers'] }),
  ], { undo: 'power-back' }),
  planOf('power-back', [stageOf('all', ['web*', 'db'], { action: 'start' })]),
  planOf('webs-off', [stageOf('all', ['web*'])]),
];

export interface PlansCore extends Core {
  readonly engine: MemoryEngine;
  /** The reply to a line of an account that has just logged in. */
  say(account: string, line: string): Promise<string>;
}

/** A server with plans that a test runs by hand. */
export async function startPlans(
  t: Test,
  {
    config = PLANS_CONFIG,
    plans = PLANS,
    plugins = {},
    hasListedAll = () => true,
    triggers = [],
  }: {
    config?: string;
    plans?: readonly PlanSettings[];
    plugins?: Readonly<Record<string, Plugin>>;
    hasListedAll?: () => boolean;
    triggers?: readonly TriggerInfo[];
  } = {},
): Promise<PlansCore> {
  let engine: MemoryEngine | undefined;
  const core = await startCore(t, {
    config,
    plugins,
    plans: (gate, authenticator, log) => {
      engine = new MemoryEngine(plans, (plan, origin) =>
        gate.actor({ identity: new Service(plan.account, authenticator), through: undefined, origin }),
      );
      return new Desk({
        engine,
        log,
        triggers: () => triggers,
        gate: {
          actor: (mandate) => gate.actor(mandate),
          allowsEverywhere: (...asked) => gate.allowsEverywhere(...asked),
          get hasListedAll() {
            return gate.hasListedAll && hasListedAll();
          },
          get longestActionTimeout() {
            return gate.longestActionTimeout;
          },
        },
      });
    },
  });
  return { ...core, engine: engine!, say: async (name, line) => core.ask(await core.session(name), line) };
}
