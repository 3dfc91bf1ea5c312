import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { run } from '../peers/enclosure.js';
import { OverlaidRoot } from '../peers/overlaid-root.js';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';
import { buildDebian } from './support/packages.js';

/**
 * The Debian package, as who installs it meets it: by dpkg, on this machine with a layer over all of its files, so
 * that it stays as it was, and what an installation leaves behind can be told.
 */

const PASSWORD = 'correct horse';
const CONF = '/etc/argo-server/argo-server.conf';
const AUDIT = '/var/lib/argo-server/audit.sqlite';
/** How long a server may take to answer on a busy machine, ms. */
const READY_WITHIN_MS = 60_000;
/** What dpkg, adduser and systemd's helpers write down of any package. */
const BOOKKEEPING = /^\/(?:var\/(?:lib\/(?:dpkg|systemd|man-db)|log|cache)\/|etc\/(?:passwd|group|shadow|gshadow|subuid|subgid)-?$|etc\/\.pwd\.lock$|root\/|tmp\/)/;

const folder = mkdtempSync(join(tmpdir(), 'argo-package-test-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

const first = await buildDebian(join(folder, 'first'), '0.1.0');
const second = await buildDebian(join(folder, 'second'), '0.1.1');

await t.test('installed, used, upgraded, removed and purged', async (t) => {
  const root = await OverlaidRoot.start(folder);
  t.teardown(() => root.stop());
  const inside = async (command: string): Promise<string> => root.must('sh', '-c', command);
  /** dpkg, which has to be told of a Node that is no package of the machine. */
  const isPackage = (await run('dpkg-query', ['-W', '-f', '${Version}', 'nodejs'])).stdout.startsWith(`${process.versions.node}-`);
  const dpkg = (...args: string[]): Promise<string> => root.must('dpkg', '--force-unsafe-io', ...(isPackage ? [] : ['--ignore-depends=nodejs']), ...args);
  const login = `mkdir -p ~/.config/argo && printf 'account = "steve"\\npassword-file = "~/.config/argo/password"\\n' > ~/.config/argo/config.toml && (umask 077; printf '%s\\n' '${PASSWORD}' > ~/.config/argo/password)`;

  /** Starts the server as the unit does. @returns what ends it, as the unit does too */
  async function serve(): Promise<() => Promise<void>> {
    const unit = await root.read('/lib/systemd/system/argo-server.service');
    const [, command = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
    const [, user = ''] = /^User=(.*)$/m.exec(unit) ?? [];
    const daemon = root.daemon(join(folder, 'daemon.log'), 'setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', ...command.split(' '));
    await until(async () => (await root.run('argo', 'nop')).code === 0, READY_WITHIN_MS, 'a server that answers').catch((error: unknown) => {
      throw new Error(`${String(error)}: ${readFileSync(join(folder, 'daemon.log'), 'utf8')}`);
    });
    return async () => {
      await inside(`pkill --uid ${user} --signal TERM`);
      await root.ended(daemon);
    };
  }

  await t.test('a newcomer comes to the first list', async (t) => {
    // else the index of all man pages of the machine is made anew, each time
    await inside('rm -f /var/lib/man-db/auto-update');
    await dpkg('--install', first);
    t.equal(await inside(`stat -c '%U:%G %a' ${CONF} /var/lib/argo-server`), 'root:argo 640\nargo:argo 700\n');
    t.match(await inside('getent passwd argo'), /:\/var\/lib\/argo-server:\/usr\/sbin\/nologin$/m);
    t.ok(await root.exists('/etc/systemd/system/multi-user.target.wants/argo-server.service'), 'the service begins with the machine');
    await inside(`printf '%s\\n' '${PASSWORD}' | argo-server account add steve --instances '*'`);
    t.equal(await inside(`stat -c '%U:%G %a' ${CONF}`), 'root:argo 640\n');
    await inside('argo-server check');
    await inside(login);
    const end = await serve();
    t.equal(await inside('argo list'), 'lj\nbuilder\ntest\ndev\n');
    t.equal(await inside('argo stop lj --wait && argo status lj'), 'off\n');
    t.match(await inside('argo-server audit'), / steve .* stop .*demo\/lj: done/);

    t.equal(await inside(`bash -c '. /usr/share/bash-completion/completions/argo; COMP_WORDS=(argo status l); COMP_CWORD=2; _argo_yargs_completions; echo "\${COMPREPLY[@]}"'`), 'lj\n', 'bash');
    if (existsSync('/usr/bin/fish')) t.equal(await inside(`fish -c 'complete -C "argo status l"'`), 'lj\n', 'fish');
    t.equal(await inside('head -1 /usr/share/zsh/vendor-completions/_argo'), '#compdef argo\n', 'zsh');
    const checked = await inside("/usr/lib/nagios/plugins/check_argo --account steve --password-file ~/.config/argo/password builder --ok on");
    t.match(checked, /^\w* *OK\b/, 'check_argo');
    await end();
  });

  await t.test('what other programs use is where they look', async (t) => {
    t.match(await inside("cd / && /usr/bin/python3 -c 'import argo; print(argo.__file__)'"), '/usr/lib/python3/dist-packages/argo/__init__.py');
    if (existsSync('/usr/share/fence/fencing.py')) t.match(await inside('fence_argo --action metadata'), /<resource-agent name="fence_argo"/);
    t.ok(await root.exists('/usr/share/argo-server/powerman/argo.dev'));
    t.match(await inside('argo-mqtt --version'), /^0\.1\.0\n$/);
    t.ok(await root.exists('/lib/systemd/system/argo-mqtt.service'));
    t.notOk(await root.exists('/etc/systemd/system/multi-user.target.wants/argo-mqtt.service'), 'who wants it enables it');
    if (existsSync('/usr/bin/ansible-galaxy')) t.match(await inside('ansible-galaxy collection verify --offline argo.power && ansible-doc -t inventory argo.power.argo'), /Successfully verified[^]*ARGO\.POWER\.ARGO/);
  });

  await t.test('all that it is built on came along whole', async (t) => {
    const { dependencies, optionalDependencies } = JSON.parse(readFileSync(fromRoot('package.json'), 'utf8')) as Record<string, Record<string, string>>;
    const names = Object.keys({ ...dependencies, ...optionalDependencies });
    const script = `Promise.allSettled(${JSON.stringify(names)}.map((name) => import(name))).then((all) => { for (const one of all) if (one.reason) console.log(one.reason.message); new (require('better-sqlite3'))(':memory:').close(); process.exit(); })`;
    t.equal(await root.must('sh', '-c', `cd /usr/lib/argo-server && node -e "$1"`, 'sh', script), '');
    const docs = await inside('cd /usr/share/doc/argo-server && ls drivers/libvirt.md configuration.md copyright && ls /usr/share/man/man?/argo*');
    t.match(docs, 'argo-server.conf.5.gz');
    t.match(docs, 'argo-protocol.7.gz');
  });

  await t.test('an upgrade keeps what was configured, and what was done', async (t) => {
    const before = await root.read(CONF);
    await dpkg('--install', second);
    t.equal(await root.read(CONF), before);
    t.equal(await inside(`stat -c '%U:%G %a' ${CONF}`), 'root:argo 640\n');
    t.match(await inside('argo-server --version'), '0.1.1');
    const end = await serve();
    t.equal(await inside('argo list running | wc -l'), '3\n');
    t.match(await inside('argo-server audit'), /demo\/lj: done/);
    await end();
  });

  await t.test('removed, its configuration stays; purged, the audit alone', async (t) => {
    await dpkg('--remove', 'argo-server');
    t.ok(await root.exists(CONF));
    t.notOk(await root.exists('/usr/lib/argo-server'));
    t.match(await dpkg('--purge', 'argo-server'), '/var/lib/argo-server is kept');
    const left = (await root.changed()).filter((path) => !BOOKKEEPING.test(path));
    t.same(left.filter((path) => !path.startsWith('/var/lib/argo-server')), []);
    t.ok(left.includes(AUDIT), 'the audit');
  });
});
