import { join } from 'node:path';
import t from 'tap';
import { AUDIT, CONF, PackageRoot, STARTED_WITH_MACHINE } from './support/package-installed.js';
import { buildDebian, packageFolder } from './support/packages.js';

/** The Debian package with Node.js, as who installs it meets it where there is none; and the two packages in each other's place. */

const NODE = '/usr/lib/argo-server/node';

const folder = packageFolder(t);
const bundled = await buildDebian(join(folder, 'bundled'), '0.1.0', {}, 'bundled');
const other = await buildDebian(join(folder, 'other'), '0.1.1');

await t.test('installed where there is no Node, used, and purged', async (t) => {
  const root = await PackageRoot.start(t, folder);
  const inside = (command: string): Promise<string> => root.inside(command);
  const isEnabled = (): Promise<boolean> => root.exists(`${STARTED_WITH_MACHINE}/argo-server.service`);
  /** The machine's own Node is a file that cannot be run. */
  const hideNode = (): Promise<string> => inside(`mount --bind /dev/null '${process.execPath}' && ! node --version 2> /dev/null`);

  await t.test('a newcomer comes to the first list', async (t) => {
    await hideNode();
    await root.dpkg('--install', bundled);
    await root.addAccount();
    await inside('argo-server check');
    const end = await root.serve();
    t.equal(await inside('argo list'), 'lj\nbuilder\ntest\ndev\n');
    t.equal(await inside('argo stop lj --wait && argo status lj'), 'off\n');
    t.match(await inside('argo-server audit'), / steve .* stop .*demo\/lj: done/);
    t.match(await inside('argo-mqtt --version'), '0.1.0');
    await end();
    t.equal(await inside(`${NODE} --version`), `${process.version}\n`);
    t.match(await inside('cd /usr/share/doc && cat argo-server-bundled/copyright && zcat argo-server-bundled/node.LICENSE.gz && ls argo-server'), /^Node\.js v[^]*"Software"[^]*operating\.md/m);
    await inside(`umount '${process.execPath}'`);
  });

  for (const { is, deb, was, version } of [{ is: 'argo-server', deb: other, was: 'argo-server-bundled', version: '0.1.1' }, { is: 'argo-server-bundled', deb: bundled, was: 'argo-server', version: '0.1.0' }]) {
    await t.test(`${is} takes the place of ${was}`, async (t) => {
      const before = await root.read(CONF);
      await root.dpkg('--install', deb);
      t.equal(await inside(`dpkg-query -W -f '\${db:Status-Status}' ${was}`), 'config-files');
      await root.dpkg('--purge', was);
      t.equal(await root.read(CONF), before);
      t.equal(await inside(`stat -c '%U:%G %a' ${CONF}`), 'root:argo 640\n');
      t.ok(await isEnabled(), 'the service still begins with the machine');
      t.equal(await inside('argo --version'), `${version}\n`);
      const end = await root.serve();
      t.equal(await inside('argo list running | wc -l'), '3\n');
      t.match(await inside('argo-server audit'), /demo\/lj: done/);
      await end();
      t.equal(await root.exists(NODE), is === 'argo-server-bundled');
    });
  }

  await t.test('purged, the audit alone stays', async (t) => {
    t.match(await root.dpkg('--purge', 'argo-server-bundled'), '/var/lib/argo-server is kept');
    const left = await root.left();
    t.same(left.filter((path) => !path.startsWith('/var/lib/argo-server')), []);
    t.ok(left.includes(AUDIT), 'the audit');
  });
});
