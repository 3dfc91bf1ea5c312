import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, listens } from '../support/ports.js';
import { until } from '../support/until.js';
import { FRONT_USER } from './wmi-front.js';

const PROGRAM = '/usr/sbin/apache2';
const MODULES = '/usr/lib/apache2/modules';
/** Two busy cores and a cold cache, ms. */
const TIMEOUT_MS = 60_000;

/** For the `skip` option of a test; as `lacks` of test/support/peers.ts. */
export function lacksApache(): string | false {
  if (process.env.CI === 'true') return false;
  const absent = [PROGRAM, join(MODULES, 'mod_auth_gssapi.so'), '/etc/gss/mech.d/mech.ntlmssp.conf'].filter((path) => !existsSync(path));
  return absent.length > 0 && `needs ${absent.join(', ')}`;
}

export interface ApacheOptions {
  /** what speaks plain SOAP: `http://127.0.0.1:PORT/wsman` */
  readonly backend: string;
  /** PEM */
  readonly tls: { readonly key: string; readonly cert: string };
  /** s that a connection is kept without a request */
  readonly keepAlive?: number;
}

export interface ApachePeer {
  readonly url: string;
  stop(): Promise<void>;
}

function configuration(folder: string, port: number, { backend, keepAlive = 60 }: ApacheOptions): string {
  const modules = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'auth_gssapi', 'proxy', 'proxy_http', 'ssl'];
  return [
    `ServerRoot ${folder}`, 'ServerName localhost', `PidFile ${folder}/pid`, `Mutex file:${folder}`, `ErrorLog ${folder}/log`, `Listen 127.0.0.1:${port}`,
    ...modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`),
    'User www-data', 'Group www-data', 'StartServers 1', 'ServerLimit 1', 'ThreadsPerChild 8', 'MaxRequestWorkers 8', 'MinSpareThreads 1', 'MaxSpareThreads 8',
    `KeepAlive On`, `KeepAliveTimeout ${keepAlive}`, 'MaxKeepAliveRequests 0',
    'SSLEngine on', `SSLCertificateFile ${folder}/cert`, `SSLCertificateKeyFile ${folder}/key`,
    '<Location />', 'AuthType GSSAPI', 'AuthName WSMAN', 'GssapiAllowedMech ntlmssp', 'GssapiConnectionBound On', 'GssapiBasicAuth Off', 'Require valid-user', '</Location>',
    `ProxyPass /wsman ${backend}`, '',
  ].join('\n');
}

/** Apache with mod_auth_gssapi and gss-ntlmssp: NTLM over HTTPS by people who know nothing of us. Knows {@link FRONT_USER}. */
export async function startApache(options: ApacheOptions): Promise<ApachePeer> {
  const folder = mkdtempSync(join(tmpdir(), 'argo-wmi-apache-'));
  // Its children are www-data, and look up the users themselves.
  chmodSync(folder, 0o755);
  const port = await freePort();
  const { domain, user, password } = FRONT_USER;
  const files = { users: `${domain}:${user}:${password}\n`, cert: options.tls.cert, key: options.tls.key, conf: configuration(folder, port, options) };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const child = spawn(PROGRAM, ['-D', 'FOREGROUND', '-f', join(folder, 'conf')], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', NTLM_USER_FILE: join(folder, 'users') }, stdio: ['ignore', 'ignore', 'inherit'],
  });
  const kill = (): void => { child.kill('SIGTERM'); };
  process.once('exit', kill);
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
  await until(async () => {
    if (ended()) throw new Error(`apache2 ended: ${existsSync(join(folder, 'log')) ? readFileSync(join(folder, 'log'), 'utf8') : ''}`);
    return listens(port);
  }, TIMEOUT_MS, 'apache2');
  return {
    url: `https://127.0.0.1:${port}/wsman`,
    stop: async () => {
      kill();
      await until(ended, TIMEOUT_MS, 'the end of apache2');
      process.removeListener('exit', kill);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
