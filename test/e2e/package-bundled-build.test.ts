import t from 'tap';
import { must } from '../peers/enclosure.js';
import { buildDebian, lintian, packageFolder } from './support/packages.js';

/** What is in the Debian package with Node.js, and what lintian has to say of it. */

await t.test('the one with Node needs none, and lintian knows why it is as it is', async (t) => {
  const bundled = await buildDebian(packageFolder(t), '0.1.0', {}, 'bundled');
  const field = (name: string): Promise<string> => must('dpkg-deb', ['--field', bundled, name]);
  t.notMatch(await field('Depends'), 'nodejs');
  t.match(await field('Depends'), /\blibstdc\+\+6 \(>= /, 'what Node itself needs');
  t.equal(await field('Provides'), 'argo-server (= 0.1.0-1)\n');
  t.match(await must('dpkg-deb', ['--contents', bundled]), /^-rwxr-xr-x root\/root .*\.\/usr\/lib\/argo-server\/node$/m);
  await lintian(t, bundled);
});
