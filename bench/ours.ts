import bcrypt from 'bcrypt';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answered, pidOf, scratchFolder, start } from './process.js';
import { ARGO_END, type Server } from './peers/bare.js';
import { fromRoot } from './root.js';
import { freePort } from '../test/support/ports.js';

/** As the daemon's own accounts have it. */
const BCRYPT_COST = 12;

const password = randomBytes(12).toString('hex');
const hash = bcrypt.hashSync(password, BCRYPT_COST);

/** The account of the bench. */
export const ACCOUNT = { account: 'bench', password } as const;

/** The request that logs a connection in; for {@link Load.setup}, which keeps it out of the process list. */
export const LOGIN = `auth bench ${password}\n`;

/** The seed's four instances, whose `list` is the cached read of the bench. */
export const FOUR = '[providers.demo]\ntype = "sim"\ninstances = ["lj", "builder", "test", "dev"]\n';

/** Starts the daemon on a free port with the given providers, and further keys of [server] (TOML). */
export async function startOurs(providers: string, keys = ''): Promise<Server> {
  const { port, command } = await prepareOurs(providers, keys);
  const child = start(process.execPath, command);
  await answered(child, port, 'nop\n', ARGO_END);
  return { child, pid: pidOf(child), port };
}

/** Writes a configuration and says how Node is to be called with it. */
export async function prepareOurs(providers: string, keys = ''): Promise<{ port: number; command: string[] }> {
  const folder = scratchFolder('ours');
  const port = await freePort();
  const file = join(folder, 'argo-server.conf');
  writeFileSync(file, `[server]
listen = ["127.0.0.1:${port}"]
state-dir = "${join(folder, 'state')}"
max-connections = 4096
max-connections-per-address = 4096
max-watchers-per-account = 1024
${keys}

[accounts.bench]
password = "${hash}"
[[accounts.bench.grants]]
instances = ["*"]
commands = ["*"]

${providers}`, { mode: 0o600 });
  return { port, command: [fromRoot('bin', 'argo-server.js'), '--config', file] };
}
