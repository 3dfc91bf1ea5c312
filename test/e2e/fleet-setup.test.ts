import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { argoServer, scratch } from '../daemon/cli.js';
import { blocksOf, readDocument } from '../docs/markdown.js';
import { lacks, which } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { runProgram, type Outcome } from '../support/programs.js';
import { until } from '../support/until.js';

/** The steps of docs/fleet.md, done as they are written, but on this machine: three servers, and what `argo-server fleet` prints is pasted. */

const WITHIN = 60_000;
const PROGRAMS = ['nats-server', 'openssl', 'bash'];
const HOSTS = ['bus1', 'bus2', 'bus3'];
/** Lines of the document's nats-server.conf in which a host has its own name, counted from 0. */
const OWN_LINES = [0, 3, 8];

const block = (mark: string): string => blocksOf(readDocument('docs/fleet.md')).find(({ marks }) => marks.includes(mark))!.text;

interface Ports {
  readonly client: number;
  readonly monitor: number;
  readonly cluster: number;
}

/** The nats-server.conf of one host, with places of this machine in it. */
function settingsOf(host: string, at: number, ports: readonly Ports[], folder: string): string {
  const { client, monitor } = ports[at]!;
  const lines = block('nats-server').split('\n').map((line, number) => (OWN_LINES.includes(number) ? line.replaceAll('bus1', host) : line));
  return lines.join('\n')
    .replace('0.0.0.0:4222', `127.0.0.1:${client}`).replace('127.0.0.1:8222', `127.0.0.1:${monitor}`).replace('0.0.0.0:6222', `127.0.0.1:${ports[at]!.cluster}`)
    .replace(/bus(\d)\.example:6222/g, (_, number: string) => `localhost:${ports[Number(number) - 1]!.cluster}`)
    .replaceAll('/etc/nats/', `${folder}/`).replace('/var/lib/nats', join(folder, `store-${host}`));
}

async function start(t: Test, file: string, { monitor }: Ports): Promise<ChildProcess> {
  const child = spawn(which('nats-server')!, ['-c', file, '-l', `${file}.log`], { stdio: 'ignore', detached: true });
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  await until(() => fetch(`http://127.0.0.1:${monitor}/healthz`, { signal: AbortSignal.timeout(2000) }).then(({ ok }) => ok, () => false), WITHIN, `${file} to be up`);
  return child;
}

/** The entry for the users that the command has printed; the account of a site. */
const pasted = ({ stdout }: Outcome): string => /^ {6}# [^]*?^ {6}\} \}$/m.exec(stdout)![0];
const account = ({ stdout }: Outcome): string => /^ {2}# site [^]*?^ {2}\}$/m.exec(stdout)![0];

await t.test('three servers of NATS, a site and a front, as docs/fleet.md says', { skip: lacks(...PROGRAMS), timeout: 300_000 }, async (t) => {
  const folder = scratch(t);
  const { code, stderr } = await runProgram('bash', ['-ec', `cd ${folder}\n${block('certificates').replaceAll('$host.example', 'localhost')}`]);
  t.equal(code, 0, stderr);

  const ports = await Promise.all(HOSTS.map(async (): Promise<Ports> => ({ client: await freePort(), monitor: await freePort(), cluster: await freePort() })));
  mkdirSync(join(folder, 'nats'));
  const [users, sites]: [string[], string[]] = [[], []];
  const writeUsers = (): void => writeFileSync(join(folder, 'nats', 'fleet.conf'), block('fleet.conf').replace('users: [\n', `users: [\n${users.join('\n')}\n`).replace(/\}\s*$/, `${sites.join('\n')}\n}\n`));
  HOSTS.forEach((host, at) => writeFileSync(join(folder, `${host}.conf`), settingsOf(host, at, ports, folder)));

  const admin = join(folder, 'admin.nk');
  users.push(pasted(await argoServer(folder, ['fleet', 'key', '--admin', admin])));
  writeUsers();
  const servers = await Promise.all(HOSTS.map((host, at) => start(t, join(folder, `${host}.conf`), ports[at]!)));

  const configured = (name: string, role: string): (...words: string[]) => Promise<Outcome> => {
    const file = join(folder, `${name}.conf`);
    const urls = ports.map(({ client }) => `"tls://localhost:${client}"`).join(', ');
    writeFileSync(file, `[fleet]\nrole = ["${role}"]\nname = "${name}"\nservers = [${urls}]\nca-file = "${folder}/bus-ca.pem"\nnkey-file = "${folder}/${name}.nk"\n`, { mode: 0o600 });
    return (...words) => argoServer(folder, ['--config', file, 'fleet', ...words]);
  };
  const [site, front] = [configured('berlin', 'site'), configured('f1', 'front')];
  sites.push(account(await site('key')));
  users.push(pasted(await front('key')));

  let made: Outcome | undefined;
  await until(async () => {
    // until the servers have found each other, the store has no leader
    made = await front('init', '--admin', admin);
    return made.code === 0;
  }, WITHIN, 'init').catch((error: unknown) => { throw new Error(`${(error as Error).message}: ${made?.stderr}`); });
  t.match(made, { stdout: /^argo-inventory: /, stderr: '' });
  t.match(await front('check', '--admin', admin), { code: 0, stdout: /^the bus: its clock is /m, stderr: '' });

  writeUsers();
  const reloads = (): boolean[] => HOSTS.map((host) => readFileSync(join(folder, `${host}.conf.log`), 'utf8').split('Reloaded server configuration').length > round);
  let round = 1;
  for (; round <= 2; round += 1) {
    for (const server of servers) server.kill('SIGHUP');
    await until(() => reloads().every(Boolean), WITHIN, `reload ${round}`);
  }
  for (const [run, clock] of [[site, /^the bus(?:: its clock is | does not tell its time)/m], [front, /^the bus: its clock is /m]] as const) {
    let seen: Outcome | undefined;
    await until(async () => {
      // a copy that was just made may be a moment behind
      seen = await run('check');
      return seen.code === 0 && seen.stderr === '';
    }, WITHIN, 'a check without a word of warning').catch((error: unknown) => { throw new Error(`${(error as Error).message}: ${seen?.stdout}${seen?.stderr}`); });
    t.match(seen!.stdout, clock);
    t.match(seen!.stdout, /^ARGO_EVENTS: 3 copies, /m);
  }

  servers[2]!.kill('SIGKILL');
  let without: Outcome | undefined;
  await until(async () => {
    without = await site('check');
    // while another one is chosen to lead, more is missing
    return without.code === 0 && /warning: \S+: the copy on bus3 is not up to date/.test(without.stderr) && without.stderr.includes(`warning: one of the bus's servers cannot be used: localhost:${ports[2]!.client}: nobody listens there`);
  }, WITHIN, 'the check to miss a server').catch((error: unknown) => { throw new Error(`${(error as Error).message}: ${without?.stdout}${without?.stderr}`); });
  t.equal(without!.code, 0, 'two of three do');
});
