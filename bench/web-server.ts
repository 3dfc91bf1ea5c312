import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../test/support/ports.js';
import { WebUser } from '../test/support/web/client.js';
import { ACCOUNT, startOurs } from './ours.js';
import type { Server } from './peers/bare.js';

/** How long the daemon may take to serve the page after it has begun to answer others, ms. */
const SERVED_WITHIN = 20_000;

/** A daemon that serves the page, and somebody who has logged in there. */
export async function startWeb(providers: string, keys = ''): Promise<{ readonly server: Server; readonly user: WebUser; readonly webPort: number }> {
  const webPort = await freePort();
  const server = await startOurs(`${providers}[gateways.page]\ntype = "web"\nlisten = ["127.0.0.1:${webPort}"]\nmax-connections = 1024\nmax-connections-per-address = 1024\n`, keys);
  const user = new WebUser(`http://127.0.0.1:${webPort}`);
  for (const deadline = performance.now() + SERVED_WITHIN; ;) {
    try {
      const { status } = await user.login(ACCOUNT);
      if (status === 200) return { server, user, webPort };
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    if (performance.now() > deadline) throw new Error('nobody can log in');
    await pause(50);
  }
}
