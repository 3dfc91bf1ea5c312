import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { startDaemon, type Daemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { fromRoot } from '../support/paths.js';
import { lacksRoot } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { until } from '../support/until.js';
import { ask, WebUser } from '../support/web/client.js';

/** A start without a configuration file: what the daemon finds on its machine, and what it says. */

const WITHIN = 60_000;

const kept = ({ state }: Daemon, name: 'admin-password' | 'page-link'): string => readFileSync(join(state, name), 'utf8').trim();
/** Of the page's link. */
const linkOf = (daemon: Daemon): string[] => /^(http:\/\/127\.0\.0\.1:\d+)\/#login=(\S+)$/.exec(kept(daemon, 'page-link'))?.slice(1) ?? [];

/** What the first test expects not to be found. */
const ownLibvirt = existsSync('/run/libvirt/libvirt-sock') && 'this machine has a libvirt of its own';

void t.test('a machine without anything gets the simulated machines', { skip: ownLibvirt }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-start-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const env = { ARGO_STATE_DIR: join(folder, 'state') };
  const first = await startDaemon({ args: ['--listen', '127.0.0.1:0'], env, folder });
  await until(() => first.stdout().includes('exit'), WITHIN, 'the greeting');
  const greeting = first.stdout();
  t.match(greeting, /for this machine only/);
  t.match(greeting, /local Xen: no, there is no \/proc\/xen\/capabilities/);
  t.match(greeting, /simulated machines: 4 instances/);
  t.match(greeting, `telnet 127.0.0.1 ${first.port}`);
  const password = kept(first, 'admin-password');
  t.match(password, /^\w{20}$/);
  const client = await connect(first.port);
  t.same((await client.ask('list')).body, ['lj', 'builder', 'test', 'dev']);
  t.equal((await client.ask(`auth admin ${password}`)).code, 300);
  t.same((await client.ask('status test')).body, ['off']);
  t.equal((await client.ask('start test --wait')).code, 300);
  client.destroy();
  const [url = '', code = ''] = linkOf(first);
  const [page, other] = [new WebUser(url), new WebUser(url)];
  t.match(JSON.parse((await page.login({ code })).text), { account: 'admin' }, 'the link logs in');
  t.equal((await other.login({ code })).status, 401, 'once');
  t.match(JSON.parse((await page.get('view')).text), { columns: { name: ['lj', 'builder', 'test', 'dev'] } });
  t.match((await ask(`${url}/`)).text, '<!doctype html>');
  t.notMatch(first.stderr(), password);
  t.notMatch(first.stderr(), code);
  t.equal((await first.stop()).code, 0);

  const second = await startDaemon({ args: ['--listen', '127.0.0.1:0'], env, folder });
  await until(() => second.stdout().includes('exit'), WITHIN, 'the greeting');
  t.match(second.stdout(), /was made at an earlier start\. Its password is in \S+admin-password,/);
  const again = await connect(second.port);
  t.equal((await again.ask(`auth admin ${password}`)).code, 300, 'and still holds');
  again.destroy();
  t.equal((await second.stop()).code, 0);
});

void t.test('several that start at one moment all have a page', { skip: ownLibvirt }, async (t) => {
  const daemons = await Promise.all([1, 2, 3].map(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'argo-start-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const daemon = await startDaemon({ args: ['--listen', `127.0.0.1:${await freePort()}`], env: { ARGO_STATE_DIR: join(folder, 'state') }, folder });
    t.teardown(() => daemon.stop());
    await until(() => daemon.stdout().includes('exit'), WITHIN, 'the greeting');
    return daemon;
  }));
  for (const daemon of daemons) {
    const [url = '', code = ''] = linkOf(daemon);
    t.equal((await new WebUser(url).login({ code })).status, 200, url);
    daemon.signal('SIGHUP');
    await daemon.logs('"reloaded"');
  }
});

void t.test('a machine with libvirt shows its guests and containers', { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 170_000 }, async (t) => {
  const peer = await startLibvirt();
  t.teardown(() => peer.stop());
  await peer.defineTiny('tiny');
  await peer.defineContainer('box');
  const script = `
    export HOME="$(mktemp -d)"; export ARGO_STATE_DIR="$HOME/state"
    cd "$HOME"; "$0" "$1" --listen 127.0.0.1:20777 >out 2>err & daemon=$!
    for i in $(seq 600); do grep -q exit out && break; sleep 0.1; done
    cat out
    { printf 'list\\nauth admin %s\\nstart tiny --wait\\nstatus tiny box\\nstop --force tiny --wait\\nexit\\n' "$(cat state/admin-password)"; } | nc -N 127.0.0.1 20777
    kill "$daemon"; wait "$daemon"; rm -rf "$HOME"`;
  const { stdout } = await peer.inside('sh', '-c', script, process.execPath, fromRoot('bin', 'argo-server.js'));
  t.match(stdout, /kvm +KVM through libvirt: 1 instance\n/);
  t.match(stdout, /lxc +LXC through libvirt: 1 instance\n/);
  t.notMatch(stdout, /simulated/);
  t.equal(stdout.slice(stdout.indexOf('200 OK')).replace('box: off\ntiny: on\n', 'tiny: on\nbox: off\n'),
    '200 OK\ntiny\nbox\n300 DONE\n200 OK\n300 DONE\n200 OK\n300 DONE\n200 OK\ntiny: on\nbox: off\n300 DONE\n200 OK\n300 DONE\n200 OK\n300 DONE\n');
});

void t.test('a port that is taken is said plainly', async (t) => {
  const daemon = await startDaemon({ config: '' });
  t.teardown(() => daemon.stop());
  const child = spawn(process.execPath, [fromRoot('bin', 'argo-server.js'), '--listen', `127.0.0.1:${daemon.port}`], {
    env: { ...process.env, ARGO_STATE_DIR: join(daemon.folder, 'other') }, stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said += text; });
  t.equal(await new Promise((resolve) => { child.on('close', resolve); }), 1);
  t.match(said, `cannot listen on 127.0.0.1:${daemon.port}: another program listens there already`);
});
