import type { Test } from 'tap';
import * as v from 'valibot';
import type { Driver } from '../../../src/drivers/driver.js';
import hyperv from '../../../src/drivers/hyperv/index.js';
import { startWmiDouble, type WmiDouble, type WmiDoubleOptions } from '../../peers/wmi/index.js';
import { fakeHost, type Told } from '../wmi/fake-wmi.js';

export const PASSWORD = 'pw-sesame';

/** A double and a driver on it, over plain HTTP: what goes over the wire otherwise is tried elsewhere. */
export async function setUp(
  t: Test,
  options: Partial<WmiDoubleOptions> = {},
  given: Record<string, unknown> = {},
): Promise<{ peer: WmiDouble; driver: Driver; told: Told }> {
  const peer = await startWmiDouble({ role: 'hyperv', users: { argo: PASSWORD }, ...options });
  t.teardown(() => peer.stop());
  return { peer, ...openDriver(t, peer, given) };
}

/** One more driver on a double. */
export function openDriver(t: Test, peer: WmiDouble, given: Record<string, unknown> = {}): { driver: Driver; told: Told } {
  const { host, told } = fakeHost('hv1');
  const table = { address: '127.0.0.1', url: peer.url, user: 'argo', password: PASSWORD, auth: 'basic', 'allow-unencrypted': true, ...given };
  const driver = hyperv.open(v.parse(v.strictObject(hyperv.options), table), host);
  t.teardown(() => driver.close(AbortSignal.timeout(60_000)));
  return { driver, told };
}
