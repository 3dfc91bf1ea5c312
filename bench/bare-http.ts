import { once } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../test/support/ports.js';
import { pidOf, scratchFolder, start } from './process.js';
import { fromRoot } from './root.js';

interface BareHttp {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
}

async function startPeer(name: string, word: string): Promise<BareHttp> {
  const port = await freePort();
  const child = start(process.execPath, [fromRoot('dist', 'bench', 'peers', `${name}.js`), String(port), word], { stdio: ['ignore', 'pipe', 'pipe'] });
  await once(child.stdout!, 'data');
  return { child, pid: pidOf(child), port };
}

/** A plain node:http server that answers everything with the same bytes. */
export function startBareHttp(body: string): Promise<BareHttp> {
  const file = join(scratchFolder('bare-http'), 'body');
  writeFileSync(file, body);
  return startPeer('bare-http', file);
}

/** A plain node:http server that reads a call and looks its session up. */
export const startBareRpc = (session: string): Promise<BareHttp> => startPeer('bare-rpc', session);
