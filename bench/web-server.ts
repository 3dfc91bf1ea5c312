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

export const INSTANCES = 10_000;
/** State changes a second that a page is told of. */
export const CHANGES = 100;
/** Orders a second by which they are made. */
const ORDERS = 10;

export const manyMachines = `[providers.many]\ntype = "sim"\ncount = ${INSTANCES}\n`;

/** Switches one machine after the other, half of them off and then on again. @returns ends that */
export function change(user: WebUser): () => void {
  let turn = 0;
  const timer = setInterval(() => {
    const [first, half] = [turn * (CHANGES / ORDERS), INSTANCES / 2];
    const targets = Array.from({ length: CHANGES / ORDERS }, (_, index) => `vm${String(1 + (first + index) % half).padStart(5, '0')}`);
    void user.send('POST', 'power', { targets, action: Math.floor(first / half) % 2 === 0 ? 'stop' : 'start', once: `bench-${process.pid}-${turn}` }).catch(() => undefined);
    turn += 1;
  }, 1000 / ORDERS);
  return () => clearInterval(timer);
}
