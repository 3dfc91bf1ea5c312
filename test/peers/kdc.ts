import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lacks } from '../support/peers.js';
import { freePort, listens } from '../support/ports.js';
import { until } from '../support/until.js';

/** Two busy cores and a cold cache, ms. */
const TIMEOUT_MS = 60_000;
const REALM = 'ARGO.TEST';

/** For the `skip` option of a test. */
export const lacksKdc = (): string | false => lacks('krb5kdc', 'kdb5_util', 'kadmin.local');

export interface Kdc {
  readonly realm: string;
  /** of a service: `HTTP/localhost` */
  readonly keytab: string;
  /** what its clients and services need in their environment */
  readonly env: Readonly<Record<string, string>>;
  /** a further krb5.conf, with these lines among its defaults */
  configure(name: string, ...defaults: string[]): string;
  /** Ends the KDC, and leaves what clients have of it. */
  halt(): Promise<void>;
  stop(): Promise<void>;
}

/** MIT's KDC with a realm of its own. @param users passwords by name */
export async function startKdc(users: Readonly<Record<string, string>>, services: readonly string[] = ['HTTP/localhost']): Promise<Kdc> {
  const folder = mkdtempSync(join(tmpdir(), 'argo-kdc-'));
  const port = await freePort();
  const configure = (name: string, ...defaults: string[]): string => {
    const file = join(folder, name);
    writeFileSync(file, [
      '[libdefaults]', `default_realm = ${REALM}`, 'dns_lookup_kdc = false', 'dns_lookup_realm = false', 'dns_canonicalize_hostname = false', 'rdns = false',
      'udp_preference_limit = 1', ...defaults, '[realms]', `${REALM} = {`, `kdc = 127.0.0.1:${port}`, '}', '[domain_realm]', `localhost = ${REALM}`, '',
    ].join('\n'));
    return file;
  };
  writeFileSync(join(folder, 'kdc.conf'), [
    '[kdcdefaults]', `kdc_listen = 127.0.0.1:${port}`, `kdc_tcp_listen = 127.0.0.1:${port}`, '[realms]', `${REALM} = {`, `database_name = ${folder}/principal`,
    `key_stash_file = ${folder}/stash`, `acl_file = ${folder}/acl`, 'max_life = 1h', 'default_principal_flags = +preauth', '}', '',
  ].join('\n'));
  const env = { KRB5_CONFIG: configure('krb5.conf'), KRB5_KDC_PROFILE: join(folder, 'kdc.conf') };
  const path = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' };
  const run = (program: string, args: readonly string[], input?: string): void =>
    void execFileSync(program, args, { env: { ...path, ...env }, input, stdio: ['pipe', 'ignore', 'pipe'] });
  run('kdb5_util', ['create', '-s', '-r', REALM, '-P', 'master']);
  const keytab = join(folder, 'keytab');
  run('kadmin.local', ['-r', REALM], [
    ...Object.entries(users).map(([name, password]) => `addprinc -pw "${password}" ${name}`),
    ...services.flatMap((service) => [`addprinc -randkey ${service}`, `ktadd -k ${keytab} ${service}`]), '',
  ].join('\n'));
  const child = spawn('/usr/sbin/krb5kdc', ['-n', '-r', REALM, '-P', join(folder, 'pid')], { env: { ...path, ...env }, stdio: 'ignore' });
  const kill = (): void => { child.kill('SIGKILL'); };
  process.once('exit', kill);
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
  await until(() => {
    if (ended()) throw new Error(`krb5kdc ended: ${existsSync(join(folder, 'log')) ? readFileSync(join(folder, 'log'), 'utf8') : ''}`);
    return listens(port);
  }, TIMEOUT_MS, 'krb5kdc');
  const halt = async (): Promise<void> => {
    kill();
    await until(ended, TIMEOUT_MS, 'the end of krb5kdc');
    process.removeListener('exit', kill);
  };
  return {
    realm: REALM, halt, keytab, configure,
    env: { KRB5_CONFIG: env.KRB5_CONFIG, KRB5_KTNAME: keytab, KRB5RCACHETYPE: 'none' },
    stop: async () => {
      await halt();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
