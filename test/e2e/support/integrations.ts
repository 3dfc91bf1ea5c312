import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hash } from 'bcrypt';
import type { Test } from 'tap';
import { BCRYPT_COST } from '../../../src/kit/limits.js';
import { startDaemon, type Daemon } from '../../support/daemon.js';
import { fromRoot } from '../../support/paths.js';
import { runProgram } from '../../support/programs.js';

/** Debian's own Python: only it has Debian's modules, such as the library of fence agents. */
export const PYTHON = '/usr/bin/python3';
/** One that needs quotes in the protocol, and none in a shell's word or a line of powerman's. */
export const PASSWORD = 'se-cret';

export interface Account {
  readonly name: string;
  readonly instances: readonly string[];
  readonly commands: readonly string[];
}

export interface Integrated extends Daemon {
  /** holds the password of the account in a file of its name, and `bin`, programs of the repository that are in `env`'s PATH */
  readonly etc: string;
  readonly env: NodeJS.ProcessEnv;
}

export interface SelfSigned {
  /** holds the certificate alone; anybody may read it */
  readonly trust: string;
  readonly cert: string;
  /** for a daemon: `cert.pem` and `key.pem` */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/** A certificate of 127.0.0.1 that vouches for itself. */
export async function selfSigned(t: Test): Promise<SelfSigned> {
  const folder = mkdtempSync(join(tmpdir(), 'argo-self-signed-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  const trust = join(folder, 'trust');
  mkdirSync(trust);
  const [key, cert] = [join(folder, 'key.pem'), join(trust, 'cert.pem')];
  await runProgram('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=lab', '-addext', 'subjectAltName=IP:127.0.0.1']);
  return { trust, cert, files: { 'cert.pem': readFileSync(cert), 'key.pem': readFileSync(key) } };
}

/** A daemon of one account, and what its documents say that lies beside. @param tables of argo-server.conf, after the account's */
export async function startIntegrated(t: Test, account: Account, tables: string, server = '', files: Readonly<Record<string, string | Uint8Array>> = {}): Promise<Integrated> {
  const config = `
[server]
${server}
[accounts.${account.name}]
password = "${await hash(PASSWORD, BCRYPT_COST)}"
grants = [{ instances = ${JSON.stringify(account.instances)}, commands = ${JSON.stringify(account.commands)} }]
${tables}`;
  const listeners = 1 + [...server.matchAll(/^tls-listen\b/gm), ...tables.matchAll(/^\[gateways\./gm)].length;
  const daemon = await startDaemon({ config, files, listeners });
  t.teardown(() => daemon.stop());
  const etc = join(daemon.folder, 'etc');
  mkdirSync(etc);
  chmodSync(daemon.folder, 0o755);
  writeFileSync(join(etc, account.name), `${PASSWORD}\n`, { mode: 0o600 });
  const folders = ['fence', 'nagios'].map((name) => fromRoot('integrations', name));
  const env = {
    ...process.env,
    // Debian's Python before any other: what asks for python3 by a name gets it
    PATH: [...folders, '/usr/bin', '/usr/sbin', process.env.PATH ?? ''].join(':'),
    PYTHONPATH: fromRoot('integrations', 'python'), PYTHONDONTWRITEBYTECODE: '1',
    ARGO_SERVER: `127.0.0.1:${daemon.port}`, ARGO_ACCOUNT: account.name, ARGO_PASSWORD_FILE: join(etc, account.name),
  };
  return { ...daemon, etc, env };
}
