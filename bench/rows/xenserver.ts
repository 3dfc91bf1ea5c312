import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { which } from '../../test/support/peers.js';
import { firstFillRows } from '../first-fill.js';
import { start, stop } from '../process.js';
import type { Row } from '../report.js';
import { fromRoot } from '../root.js';
import type { Scenario } from '../scenario.js';

const VMS = 1000;
/** Targets: ms, ms. */
const FILL_LIMIT = 2000;
const LIST_LIMIT = 20;

interface Double {
  readonly child: ChildProcess;
  readonly provider: string;
}

async function startDouble(): Promise<Double> {
  const child = start(process.execPath, [fromRoot('dist', 'bench', 'peers', 'xapi-server.js'), String(VMS)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const { url, fingerprint } = JSON.parse(String((await once(child.stdout!, 'data') as [Buffer])[0])) as { url: string; fingerprint: string };
  return {
    child,
    provider: `\n[providers.pool]\ntype = "xenserver"\nurl = "${url}"\nuser = "root"\npassword = "pw"\nfingerprint = "SHA256:${fingerprint}"\n`,
  };
}

/** A double of a pool with a thousand VMs, over TLS. */
export const xenserver: Scenario = async function* (settings): AsyncGenerator<Row> {
  const what = `xenserver: ${VMS.toLocaleString('en-GB')} VMs`;
  if (which('openssl') === undefined) return void (yield { what, unit: 'ms', note: 'not installed: openssl' });
  const double = await startDouble();
  try {
    yield* firstFillRows(settings, what, { provider: double.provider, machines: VMS }, { fill: FILL_LIMIT, list: LIST_LIMIT });
  } finally {
    await stop(double.child);
  }
};
