/**
 * Starts the server of a bundle once, so that what is kept of its code (src/kit/kept-code.ts) is what V8
 * has after a start: with the functions that a start runs, which V8 else reads one by one. Where that
 * fails, what was kept without it stays.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fromRoot } from './root.js';

/** From the start of the server to its end. */
const WITHIN_MS = 60_000;

/** What is most common, and what was found to matter. Nobody answers the proxy, and nobody has the password. */
const CONFIGURATION = (/** @type {string} */ folder) => `[server]
listen = ["127.0.0.1:0"]
state-dir = ${JSON.stringify(join(folder, 'state'))}

[accounts.nobody]
password = "$2b$12$${'.'.repeat(53)}"
[[accounts.nobody.grants]]
instances = ["*"]
commands = ["*"]

[providers.demo]
type = "sim"
instances = ["lj", "builder"]

[gateways.zabbix]
type = "zabbix"
mode = "active"
account = "nobody"
proxy-name = "nobody"
server = ["127.0.0.1:1"]
`;

/** @returns {Promise<string>} the reply to one request */
async function ask(/** @type {string} */ address, /** @type {string} */ request) {
  const socket = connect(Number(address.slice(address.lastIndexOf(':') + 1)), '127.0.0.1');
  socket.write(request);
  const [reply] = await once(socket, 'data');
  socket.destroy();
  return String(reply);
}

/** @param {string} bundle the folder @returns {Promise<boolean>} whether it was done */
export async function keepStart(bundle) {
  const folder = mkdtempSync(join(tmpdir(), 'argo-build-'));
  const file = join(folder, 'argo-server.conf');
  writeFileSync(file, CONFIGURATION(folder), { mode: 0o600 });
  // V8 with other flags would be another V8
  const env = { ...process.env, NODE_OPTIONS: '' };
  const child = spawn(process.execPath, [fromRoot('scripts', 'kept-server.js'), bundle, file], { env, stdio: ['ignore', 'ignore', 'pipe'], timeout: WITHIN_MS, killSignal: 'SIGKILL' });
  try {
    const ended = once(child, 'close');
    for await (const line of createInterface({ input: child.stderr })) {
      const { msg, address } = line.startsWith('{') ? JSON.parse(line) : {};
      if (msg !== 'listening') continue;
      await ask(address, 'nop\n');
      child.kill('SIGTERM');
    }
    return (await ended)[0] === 0;
  } catch {
    child.kill('SIGKILL');
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
