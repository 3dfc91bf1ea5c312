import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lacks } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { must, run } from './enclosure.js';

/**
 * VMware's own simulator of vCenter and ESXi, and its command line client, built from the source
 * package that Debian has of them. Built once for each version; later calls find the programs.
 *
 * Where a machine is destroyed while somebody waits for news, it cuts that connection off: a fault of
 * its own (0.24), after which everything is read anew.
 */

const PACKAGE = 'golang-github-vmware-govmomi';
const IMPORT = 'github.com/vmware/govmomi';
const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 60_000;
const APT_LIST = '/etc/apt/sources.list';
const PROGRAMS = ['vcsim', 'govc'];
/** Of govc's commands those that tests use: all of them take twice as long to build. */
const GOVC_PARTS = new Set(['cli', 'about', 'host', 'ls', 'object', 'vm']);
/** Downloads from a package mirror, ms, and how often they are tried. */
const FETCH_TIMEOUT_MS = 60_000;
const ATTEMPTS = 3;
/** Building both with a cold cache on two slow, busy cores, ms. */
const BUILD_TIMEOUT_MS = 160_000;

const VCSIM_PROGRAMS = ['go', 'apt-get', 'dpkg-query'];
export const USER = 'admin';
export const PASSWORD = 'a secret of vcsim';

/** Why there is neither vcsim nor govc on this machine; false where there is. For `skip`. */
export async function lacksVcsim(): Promise<string | false> {
  const lacking = lacks(...VCSIM_PROGRAMS);
  if (lacking !== false) return lacking;
  try {
    await buildPrograms();
    return false;
  } catch (error) {
    if (error instanceof NoSource && process.env.CI !== 'true') return error.message;
    throw error;
  }
}

/** The mirrors of this machine do not give the source away. */
class NoSource extends Error {}

let built: Promise<string> | undefined;

/** The folder with vcsim and govc: kept under os.tmpdir(), and built where this machine does not have it yet. */
const buildPrograms = (): Promise<string> => built ??= build();

async function build(): Promise<string> {
  const version = (await must('dpkg-query', ['-W', '-f=${Version}', `${PACKAGE}-dev`])).trim();
  const folder = join(tmpdir(), `argo-vcsim-${version}-${process.getuid?.() ?? 0}`);
  if (PROGRAMS.every((name) => existsSync(join(folder, name)))) return folder;
  const scratch = mkdtempSync(join(tmpdir(), 'argo-vcsim-draft-'));
  try {
    const source = join(scratch, 'gopath', 'src', ...IMPORT.split('/'));
    mkdirSync(source, { recursive: true });
    await must('tar', ['xf', await fetchSource(scratch, version), '-C', source, '--strip-components=1']);
    const main = join(source, 'govc', 'main.go');
    writeFileSync(main, readFileSync(main, 'utf8').replace(/^.*govmomi\/govc\/(\w+)"\n/gm, (line, part: string) => (GOVC_PARTS.has(part) ? line : '')));
    const made = join(scratch, 'made');
    mkdirSync(made);
    await must('env', [
      'GO111MODULE=off', 'GOFLAGS=', 'GOPROXY=off', `GOPATH=${join(scratch, 'gopath')}:/usr/share/gocode`, `GOCACHE=${join(scratch, 'cache')}`,
      'go', 'build', '-o', `${made}/`, ...PROGRAMS.map((name) => `${IMPORT}/${name}`),
    ], BUILD_TIMEOUT_MS);
    rmSync(folder, { recursive: true, force: true });
    renameSync(made, folder);
  } catch (error) {
    // Another test run may have been faster; its programs are as good.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return folder;
}

/**
 * Without touching the machine's own lists: the same mirrors, asked for sources. A mirror that has
 * none, or cannot be reached, matters only where it is the one.
 */
async function fetchSource(scratch: string, version: string): Promise<string> {
  const sources = join(scratch, 'sources');
  mkdirSync(sources);
  mkdirSync(join(scratch, 'lists', 'partial'), { recursive: true });
  writeSources(sources);
  const options = ['-o', 'Dir::Etc::sourcelist=/dev/null', '-o', `Dir::Etc::sourceparts=${sources}`, '-o', `Dir::State::lists=${join(scratch, 'lists')}`];
  let said = '';
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    await run('apt-get', [...options, 'update'], FETCH_TIMEOUT_MS);
    const fetched = await run('apt-get', [...options, 'source', '--download-only', `${PACKAGE}=${version}`], FETCH_TIMEOUT_MS, scratch);
    said = fetched.stderr;
    const archive = readdirSync(scratch).find((name) => name.includes('.orig.tar.') && !name.endsWith('.asc'));
    if (fetched.code === 0 && archive !== undefined) return join(scratch, archive);
  }
  throw new NoSource(`apt-get has no source of ${PACKAGE} ${version}: ${said.trim().split('\n').at(-1) ?? ''}`);
}

/** Sources in both forms that apt knows (sources.list(5)), with their keys and options. */
function writeSources(folder: string): void {
  const files = [APT_LIST, ...readdirSync(`${APT_LIST}.d`).map((name) => join(`${APT_LIST}.d`, name))].filter((file) => existsSync(file));
  const texts = (ending: string): string => files.filter((file) => file.endsWith(ending)).map((file) => readFileSync(file, 'utf8')).join('\n\n');
  writeFileSync(join(folder, 'argo.sources'), texts('.sources').replace(/^Types:.*$/gmi, 'Types: deb-src'));
  writeFileSync(join(folder, 'argo.list'), texts('.list').replace(/^\s*deb(?=\s)/gm, 'deb-src'));
}

export interface VcsimOptions {
  /** an ESXi alone instead of a vCenter */
  readonly esx?: boolean;
  /** virtual machines of the one host, or of each pool */
  readonly vms?: number;
  /** vApps of each cluster and standalone host, with machines in them; they can only be looked at */
  readonly apps?: number;
}

export interface Vcsim {
  readonly url: string;
  /** of a [providers.NAME] table */
  readonly config: string;
  govc(...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** A vCenter with a cluster of three hosts and one standalone host, or an ESXi. */
export async function startVcsim({ esx = false, vms = 5, apps = 0 }: VcsimOptions = {}): Promise<Vcsim> {
  const folder = await buildPrograms();
  const port = await freePort();
  const model = esx ? ['-esx'] : ['-host', '3', '-standalone-host', '1', '-app', String(apps)];
  const args = ['-l', `${HOST}:${port}`, '-username', USER, '-password', PASSWORD, '-vm', String(vms), ...model];
  const child = spawn(join(folder, 'vcsim'), args, { stdio: ['ignore', 'pipe', 'ignore'] });
  running.add(child);
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      running.delete(child);
      resolve();
    });
  });
  const started = new Promise<void>((resolve) => {
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-1000);
      if (said.includes('GOVC_URL=')) resolve();
    });
  });
  const late = new Promise<never>((_, reject) => { setTimeout(() => reject(new Error('vcsim does not start')), START_TIMEOUT_MS).unref(); });
  await Promise.race([started, late, ended.then(() => { throw new Error('vcsim ended at once'); })]);
  const url = `https://${HOST}:${port}/sdk`;
  return {
    url,
    config: `type = "esxi"\nurl = "${url}"\nuser = "${USER}"\npassword = "${PASSWORD}"\ninsecure = true\n`,
    govc: (...words) => must('env', [`GOVC_URL=${url}`, `GOVC_USERNAME=${USER}`, `GOVC_PASSWORD=${PASSWORD}`, 'GOVC_INSECURE=true', join(folder, 'govc'), ...words]),
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(timer);
    },
  };
}
