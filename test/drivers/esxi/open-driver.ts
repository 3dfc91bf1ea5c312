import type { Test } from 'tap';
import * as v from 'valibot';
import esxi from '../../../src/drivers/esxi/index.js';
import { ArgoError } from '../../../src/kit/errors.js';
import type { Driver, DriverHost, Machine, PowerState } from '../../../src/drivers/driver.js';
import { VimDouble } from '../../peers/vim-double.js';

/** What a driver has told its host. */
export interface Told {
  readonly changed: [id: string, state: PowerState][];
  readonly lost: string[];
  readonly log: string[];
  relists: number;
}

/** Opens the driver as a provider does, from the keys of its table. */
export function openDriver(table: Record<string, unknown>): { driver: Driver; told: Told } {
  const told: Told = { changed: [], lost: [], log: [], relists: 0 };
  const host: DriverHost = {
    name: 'vc',
    log: (level, message, facts) => { told.log.push(`${level} ${message} ${JSON.stringify(facts ?? {})}`); },
    changed: (id, state) => { told.changed.push([id, state]); },
    relist: () => { told.relists += 1; },
    lost: (reason) => { told.lost.push(reason); },
  };
  return { driver: esxi.open(v.parse(v.strictObject(esxi.options), table), host), told };
}

/** Within what tests wait for one call, ms. */
export const soon = (ms = 60_000): AbortSignal => AbortSignal.timeout(ms);

/** A password that XML would not leave as it is. */
export const PASSWORD = 'hunter2-&<>"';

/** A double and a driver on it. Without TLS the driver has to be told that this is meant. */
export async function setUp(t: Test, table: Record<string, unknown> = {}): Promise<{ vim: VimDouble } & ReturnType<typeof openDriver>> {
  const vim = await VimDouble.start();
  const opened = openDriver({ url: vim.url, user: 'argo', password: PASSWORD, insecure: true, ...table });
  t.teardown(async () => {
    await opened.driver.close(soon());
    await vim.stop();
  });
  return { vim, ...opened };
}

/** The machine of that name, as a listing has it. */
export async function find(driver: Driver, name: string): Promise<Machine> {
  const found = (await driver.list(soon())).find(({ machine }) => machine.name === name);
  if (found === undefined) throw new Error(`${name} is not listed`);
  return found.machine;
}

/** What a call is refused with. @throws Error when it is not */
export async function refusal(call: Promise<unknown>): Promise<ArgoError> {
  const thrown = await call.then(() => undefined, (error: unknown) => error);
  if (thrown instanceof ArgoError) return thrown;
  throw new Error('no refusal', { cause: thrown });
}
