import { Account } from '../../src/auth/account.js';
import { Authenticator } from '../../src/auth/authenticator.js';
import { openProviders, parseConfig } from './configuration.js';
import { Gate } from '../../src/instances/gate.js';
import { Registry } from '../../src/instances/registry.js';
import { PluginLoader } from '../../src/plugins/host/loader.js';
import { Dispatcher } from '../../src/server/dispatcher.js';
import { Reply } from '../../src/server/reply.js';
import { Session } from '../../src/server/session.js';
import type { AuditEntry } from '../../src/store/audit-entry.js';

/** The whole stack behind the socket, in this process: lines in, replies out. */
export interface Stack {
  readonly dispatcher: Dispatcher;
  readonly registry: Registry;
  /** every action that was recorded, with its outcome */
  readonly audited: (AuditEntry & { outcome?: string })[];
  /** A session of an account of the configuration, or before login. No password is asked for. */
  session(account?: string): { ask(line: string): Promise<string[]> };
}

/** @param source the text of argo-server.conf; a provider of type sim answers at once */
export async function injectable(source: string): Promise<Stack> {
  const config = await parseConfig('test.conf', source, '/nowhere');
  const registry = new Registry();
  const log = () => undefined;
  const audited: Stack['audited'] = [];
  const audit = {
    begin: (entry: AuditEntry) => Promise.resolve(audited.push({ ...entry })),
    end: (id: number, outcome: string) => {
      Object.assign(audited[id - 1]!, { outcome });
      return Promise.resolve();
    },
  };
  const providers = await openProviders(config, registry, log);
  registry.arrange(providers);
  await Promise.all(providers.map((provider) => provider.refresh()));
  const authenticator = new Authenticator(config);
  const gate = new Gate({ registry, audit, log, actionTimeout: () => config.server.actionTimeout, groups: () => config.groups });
  const table = await new PluginLoader(log).load(config.server.pluginPath);
  const dispatcher = new Dispatcher({ authenticator, gate, table, log });
  const session = (account?: string) => {
    const made = new Session(authenticator, '192.0.2.1', '192.0.2.1:1');
    if (account !== undefined) made.logIn(new Account(config.accounts.get(account)!, config.groups));
    const ask = async (line: string): Promise<string[]> => {
      let output = '';
      const reply = new Reply({ append: (text) => { output += text; }, full: false, gone: false, drain: () => undefined }, '\n');
      await dispatcher.dispatch(made, line, reply);
      return output.split('\n').slice(0, -1);
    };
    return { ask };
  };
  return { dispatcher, registry, audited, session };
}
