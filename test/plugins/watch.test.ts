import { createConnection, type Socket } from 'node:net';
import { hash } from 'bcrypt';
import t, { type Test } from 'tap';
import { BCRYPT_COST } from '../../src/kit/limits.js';
import { startDaemon, type Daemon } from '../support/daemon.js';
import { until } from '../support/until.js';

const hashed = await hash('steve', BCRYPT_COST);
const grants = (kim: string): string => `
[accounts.steve]
password = "${hashed}"
grants = [{ instances = ["*"], commands = ["*"] }]
[accounts.kim]
password = "${hashed}"
grants = [${kim}]
[providers.demo]
type = "sim"
instances = ["lj", "web1", { name = "test", state = "off" }]
`;
const LJ = '{ instances = ["lj"], commands = ["read"] }';

/** A client that only gathers what it gets. */
class Watcher {
  text = '';
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (chunk: string) => { this.text += chunk; }).on('error', () => undefined);
  }

  static async connect(t: Test, { port }: Daemon, account: string): Promise<Watcher> {
    const watcher = new Watcher(createConnection(port, '127.0.0.1'));
    t.teardown(() => watcher.#socket.destroy());
    watcher.send(`auth ${account} steve`);
    await watcher.until(/^200 OK\r?\n300 DONE\r?\n$/);
    watcher.text = '';
    return watcher;
  }

  send(line: string): void {
    this.#socket.write(`${line}\n`);
  }

  end(): void {
    this.#socket.end();
  }

  pause(): void {
    this.#socket.pause();
  }

  async until(expected: RegExp): Promise<string> {
    await until(() => expected.test(this.text), 10_000, `${expected} in ${JSON.stringify(this.text)}`);
    return this.text;
  }
}

/** Lines of the body without cursor and time. */
const words = (text: string): string[] => [...text.matchAll(/^[0-9a-f]{6}-\d+ \d{4}-\S+Z (.*)$/gm)].map(([, rest = '']) => rest);

async function start(t: Test, kim = LJ, server = ''): Promise<Daemon> {
  const daemon = await startDaemon({ config: `${server}${grants(kim)}` });
  t.teardown(() => daemon.stop());
  return daemon;
}

await t.test('watch tells what happens, and ends with the next line', async (t) => {
  const daemon = await start(t);
  const [watcher, actor, tenant] = [await Watcher.connect(t, daemon, 'steve'), await Watcher.connect(t, daemon, 'steve'), await Watcher.connect(t, daemon, 'kim')];
  watcher.send('watch --state');
  await watcher.until(/ synced\n/);
  t.same(words(watcher.text), ['is demo/lj on', 'is demo/web1 on', 'is demo/test off', 'synced']);
  t.match(watcher.text, /^200 OK\n/);
  tenant.send('watch l* --types=action,state');
  await tenant.until(/^200 OK\n/);
  watcher.text = '';
  actor.send('stop lj web1 --wait');
  await watcher.until(/action demo\/lj stop done.*\n(.*\n)*.*action demo\/web1 stop done|action demo\/web1 stop done.*\n(.*\n)*.*action demo\/lj stop done/);
  const ofLj = words(watcher.text).filter((line) => line.includes('demo/lj'));
  t.match(ofLj[0], /^action demo\/lj stop begun account=steve audit=\d+ options=--wait$/);
  t.ok(ofLj.includes('state demo/lj stopping on') || ofLj.includes('state demo/lj off on'), ofLj.join('\n'));
  t.match(ofLj.at(-1), /^action demo\/lj stop done account=steve audit=\d+ options=--wait ms=\d+$/);
  await tenant.until(/stop done/);
  t.ok(words(tenant.text).every((line) => line.includes('demo/lj') && !line.includes('steve')), tenant.text);
  const [, cursor] = /^(\S+) \S+ action demo\/lj stop begun/m.exec(watcher.text) ?? [];
  watcher.text = '';
  watcher.send('status lj');
  t.equal(await watcher.until(/300 DONE\n200 OK\noff\n300 DONE\n$/), '300 DONE\n200 OK\noff\n300 DONE\n');
  watcher.text = '';
  watcher.send(`watch lj --since=${cursor} --types=action`);
  t.match(words(await watcher.until(/stop done/)), [/^action demo\/lj stop done/], 'what came after that cursor');
});

await t.test('what was told of a provider that does not answer may be out of date', async (t) => {
  const gone = '[providers.gone]\ntype = "xenserver"\nurl = "http://127.0.0.1:9"\nuser = "root"\npassword = "pw"\n';
  const daemon = await start(t, `${LJ}, { instances = ["gone/*"], commands = ["read"] }`, gone);
  const [watcher, tenant] = [await Watcher.connect(t, daemon, 'steve'), await Watcher.connect(t, daemon, 'kim')];
  for (const one of [watcher, tenant]) one.send('watch --state');
  await watcher.until(/ synced.*\n/);
  t.match(words(watcher.text).at(-1), /^synced stale="gone \(.+\)"$/);
  await tenant.until(/ synced.*\n/);
  t.match(words(tenant.text).at(-1), /^synced stale=/);
});

await t.test('a line that is there already ends it at once; an end of the input does not', async (t) => {
  const daemon = await start(t);
  const [hasty, piped, actor] = [await Watcher.connect(t, daemon, 'steve'), await Watcher.connect(t, daemon, 'steve'), await Watcher.connect(t, daemon, 'steve')];
  hasty.send('watch\nstatus lj');
  t.equal(await hasty.until(/on\n300 DONE\n$/), '200 OK\n300 DONE\n200 OK\non\n300 DONE\n');
  piped.send('watch lj --types=state');
  piped.end();
  await piped.until(/^200 OK\n/);
  actor.send('pause lj');
  t.match(words(await piped.until(/paused/)), ['state demo/lj paused on']);
});

await t.test('what is wrong is said', async (t) => {
  const daemon = await start(t, LJ, '[server]\nmax-watchers-per-account = 1\n');
  const watcher = await Watcher.connect(t, daemon, 'kim');
  for (const [request, reply] of [
    ['watch --types=state,weather', /^400 USAGE: watch .*, each TYPE one of state, /], ['watch --since=x', /^400 USAGE/], ['watch --since=000000-5', /^400 CURSOR EXPIRED: list, then watch again\n$/],
    ['watch web1', /^400 NOT ALLOWED\n$/], ['watch --what', /^400 USAGE/],
  ] as const) {
    watcher.text = '';
    watcher.send(request);
    t.match(await watcher.until(/\n$/), reply, request);
  }
  watcher.send('watch');
  await watcher.until(/200 OK\n$/);
  const second = await Watcher.connect(t, daemon, 'kim');
  second.send('watch');
  t.match(await second.until(/400 .*\n/), /400 BUSY: too many watch already\n/);
});

await t.test('a group that a reload changes chooses by what it is then', async (t) => {
  const group = (name: string): string => `[groups]\nchosen = ["${name}"]\n`;
  const daemon = await start(t, LJ, group('lj'));
  const [watcher, actor] = [await Watcher.connect(t, daemon, 'steve'), await Watcher.connect(t, daemon, 'steve')];
  watcher.send('watch @chosen --types=action');
  await watcher.until(/^200 OK\n/);
  daemon.reconfigure(`${group('web1')}${grants(LJ)}`);
  daemon.signal('SIGHUP');
  await daemon.logs('"reloaded"');
  actor.send('stop lj web1 --wait');
  await watcher.until(/action demo\/web1 stop done/);
  t.notMatch(watcher.text, /demo\/lj/);
});

await t.test('a grant that is taken away, and an account, take effect at once', async (t) => {
  const daemon = await start(t, '{ instances = ["*"], commands = ["read"] }');
  const [watcher, actor] = [await Watcher.connect(t, daemon, 'kim'), await Watcher.connect(t, daemon, 'steve')];
  watcher.send('watch');
  await watcher.until(/^200 OK\n/);
  daemon.reconfigure(grants(LJ));
  daemon.signal('SIGHUP');
  await watcher.until(/server reloaded/);
  actor.send('pause web1\npause lj');
  t.notMatch(await watcher.until(/state demo\/lj paused/), 'web1');
  daemon.reconfigure(grants(LJ).replace('accounts.kim', 'accounts.jim'));
  daemon.signal('SIGHUP');
  t.match(await watcher.until(/400 .*\n/), /400 NOT ALLOWED: the account was taken away\n/);
});

await t.test('the end of the server is told', async (t) => {
  const daemon = await start(t);
  const watcher = await Watcher.connect(t, daemon, 'steve');
  watcher.send('watch');
  await watcher.until(/^200 OK\n/);
  daemon.signal('SIGTERM');
  t.match(await watcher.until(/400 /), /server stopping\n400 SHUTTING DOWN\n/);
});

await t.test('who reads too slowly is told so, and costs nothing meanwhile', async (t) => {
  const daemon = await start(t, LJ, '[server]\nevent-history = 16\n');
  const [watcher, actor] = [await Watcher.connect(t, daemon, 'steve'), await Watcher.connect(t, daemon, 'steve')];
  watcher.send('watch --types=state --state');
  const [, cursor = ''] = /^(\S+) \S+ synced$/m.exec(await watcher.until(/synced\n/)) ?? [];
  watcher.send('nop');
  for (let count = 0; count < 10; count += 1) actor.send('pause lj\nunpause lj');
  await until(() => actor.text.split('300 DONE').length > 20, 10_000, 'all done');
  watcher.text = '';
  watcher.send(`watch --since=${cursor}`);
  t.match(await watcher.until(/400/), /^400 CURSOR EXPIRED: list, then watch again\n$/m);
});
