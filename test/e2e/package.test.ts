import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';
import { AUDIT, CONF, PackageRoot, STARTED_WITH_MACHINE } from './support/package-installed.js';
import { buildDebian, packageFolder } from './support/packages.js';

/**
 * The Debian package, as who installs it meets it: by dpkg, on this machine with a layer over all of its files, so
 * that it stays as it was, and what an installation leaves behind can be told.
 */

/** Where each shell looks. */
const COMPLETIONS = {
  bash: '/usr/share/bash-completion/completions/argo', zsh: '/usr/share/zsh/vendor-completions/_argo', fish: '/usr/share/fish/vendor_completions.d/argo.fish',
};
/** A unit that is not the package's, of the same name. */
const OWN_UNIT = '/etc/systemd/system/argo-mqtt.service';
/** A systemd that seems to run, and writes down what it is to do. */
const SEEMING_SYSTEMD = `mkdir -p /run/systemd/system /tmp/bin && for name in deb-systemd-invoke systemctl; do
printf '#!/bin/sh\\necho "\${0##*/} $*" >> /tmp/switched\\n' > /tmp/bin/$name && chmod 755 /tmp/bin/$name
done`;
/** How long what the server has told may take to be kept, on a busy machine, ms. */
const KEPT_WITHIN_MS = 60_000;

const folder = packageFolder(t);
const first = await buildDebian(join(folder, 'first'), '0.1.0');
const second = await buildDebian(join(folder, 'second'), '0.1.1');

await t.test('installed, used, upgraded, removed and purged', async (t) => {
  const root = await PackageRoot.start(t, folder);
  const inside = (command: string, ...args: string[]): Promise<string> => root.inside(command, ...args);

  await t.test('a newcomer comes to the first list', async (t) => {
    // a user without the group, as useradd makes it where it is told to
    await inside('useradd --system --no-user-group --home-dir /var/lib/argo-server --shell /usr/sbin/nologin argo');
    await root.dpkg('--install', first);
    t.equal(await inside(`stat -c '%U:%G %a' ${CONF} /var/lib/argo-server`), 'root:argo 640\nargo:argo 700\n');
    t.match(await inside('getent passwd argo'), /:\/var\/lib\/argo-server:\/usr\/sbin\/nologin$/m);
    t.ok(await root.exists(`${STARTED_WITH_MACHINE}/argo-server.service`), 'the service begins with the machine');
    await root.addAccount();
    t.equal(await inside(`stat -c '%U:%G %a' ${CONF}`), 'root:argo 640\n');
    await inside('argo-server check');
    const end = await root.serve();
    t.equal(await inside('argo list'), 'lj\nbuilder\ntest\ndev\n');
    t.equal(await inside('argo stop lj --wait && argo status lj'), 'off\n');
    t.match(await inside('argo-server audit'), / steve .* stop .*demo\/lj: done/);

    // the first Tab waits for a second only
    await until(async () => await inside("printf '%s\\0' argo status l | argo --complete zsh") === 'lj\n', KEPT_WITHIN_MS, 'completion');
    t.equal(await inside(`bash -c '. /usr/share/bash-completion/completions/argo; COMP_LINE="argo status l" COMP_POINT=13; _argo argo l status; echo "\${COMPREPLY[@]}"'`), 'lj\n', 'bash');
    if (existsSync('/usr/bin/fish')) t.equal(await inside(`fish -c 'complete -C "argo status l"'`), 'lj\n', 'fish');
    for (const [shell, path] of Object.entries(COMPLETIONS)) t.equal(await root.read(path), await inside(`argo --completion ${shell}`), shell);
    const checked = await inside('/usr/lib/nagios/plugins/check_argo --account steve --password-file ~/.config/argo/password builder --ok on');
    t.match(checked, /^\w* *OK\b/, 'check_argo');
    await end();
  });

  await t.test('what other programs use is where they look', async (t) => {
    t.match(await inside("cd / && /usr/bin/python3 -c 'import argo; print(argo.__file__)'"), '/usr/lib/python3/dist-packages/argo/__init__.py');
    if (existsSync('/usr/share/fence/fencing.py')) t.match(await inside('fence_argo --action metadata'), /<resource-agent name="fence_argo"/);
    t.ok(await root.exists('/usr/share/argo-server/powerman/argo.dev'));
    t.match(await inside('argo-mqtt --version'), /^0\.1\.0\n$/);
    t.ok(await root.exists('/lib/systemd/system/argo-mqtt.service'));
    t.notOk(await root.exists(`${STARTED_WITH_MACHINE}/argo-mqtt.service`), 'who wants it enables it');
    if (existsSync('/usr/bin/ansible-galaxy')) t.match(await inside('ansible-galaxy collection verify --offline argo.power && ansible-doc -t inventory argo.power.argo'), /Successfully verified[^]*ARGO\.POWER\.ARGO/);
  });

  await t.test('all that it is built on came along whole', async (t) => {
    const { dependencies, optionalDependencies } = JSON.parse(readFileSync(fromRoot('package.json'), 'utf8')) as Record<string, Record<string, string>>;
    const names = Object.keys({ ...dependencies, ...optionalDependencies });
    const script = `Promise.allSettled(${JSON.stringify(names)}.map((name) => import(name))).then((all) => { for (const one of all) if (one.reason) console.log(one.reason.message); new (require('better-sqlite3'))(':memory:').close(); process.exit(); })`;
    t.equal(await inside('cd /usr/lib/argo-server && node -e "$1"', script), '');
    const docs = await inside('cd /usr/share/doc/argo-server && ls drivers/libvirt.md configuration.md copyright && ls /usr/share/man/man?/argo*');
    t.match(docs, 'argo-server.conf.5.gz');
    t.match(docs, 'argo-protocol.7.gz');
  });

  await t.test('an upgrade keeps what was configured, and what was done', async (t) => {
    const before = await root.read(CONF);
    await root.dpkg('--install', second);
    t.equal(await root.read(CONF), before);
    t.equal(await inside('ls /etc/argo-server'), 'argo-server.conf\n', 'and nothing was asked');
    t.ok(await root.exists('/usr/share/argo-server/argo-server.conf'), 'what it was at first');
    t.equal(await inside(`stat -c '%U:%G %a' ${CONF}`), 'root:argo 640\n');
    t.match(await inside('argo-server --version'), '0.1.1');
    const end = await root.serve();
    t.equal(await inside('argo list running | wc -l'), '3\n');
    t.match(await inside('argo-server audit'), /demo\/lj: done/);
    await end();
  });

  await t.test('removed, its configuration stays; purged, the audit alone, and what others have put there', async (t) => {
    await inside(`printf '[Service]\\nExecStart=/opt/argo-server/bin/argo-mqtt.js\\n[Install]\\nWantedBy=multi-user.target\\n' > ${OWN_UNIT} && ln -s ${OWN_UNIT} ${STARTED_WITH_MACHINE}/ && touch /etc/argo-server/key.pem`);
    await inside(SEEMING_SYSTEMD);
    await inside('PATH="/tmp/bin:$PATH" dpkg --force-unsafe-io --remove argo-server && rm -r /run/systemd');
    const switched = await root.read('/tmp/switched');
    t.match(switched, /^deb-systemd-invoke stop argo-server\.service$/m);
    t.notMatch(switched, 'argo-mqtt', 'the unit that is not the package\'s');
    t.ok(await root.exists(CONF));
    t.notOk(await root.exists('/usr/lib/argo-server'));
    t.match(await root.dpkg('--purge', 'argo-server'), '/var/lib/argo-server is kept');
    const left = await root.left();
    t.same(left.filter((path) => !path.startsWith('/var/lib/argo-server')), ['/etc/argo-server', '/etc/argo-server/key.pem', OWN_UNIT, `${STARTED_WITH_MACHINE}/argo-mqtt.service`]);
    t.match(await root.read(OWN_UNIT), '/opt/argo-server');
    t.ok(left.includes(AUDIT), 'the audit');
  });
});
