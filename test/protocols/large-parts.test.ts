import t from 'tap';
import { fromRoot } from '../support/paths.js';
import { runNode } from '../support/programs.js';

/** Which files of packages a fresh process has loaded after it imported something of ours and used it. */
async function packagesAfter(module: string, use: string): Promise<string> {
  const script = `
    const { createRequire } = await import('node:module');
    const ours = await import(${JSON.stringify(fromRoot('dist', 'src', 'protocols', ...module.split('/')))});
    ${use}
    console.log(Object.keys(createRequire(import.meta.url).cache).join('\\n'));`;
  const { code, stdout, stderr } = await runNode(['--input-type=module', '-e', script]);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

await t.test('the SOAP library comes without its HTTP client', async (t) => {
  const packages = await packagesAfter('vim/soap-client.js', 'await ours.loadLibrary();');
  t.match(packages, /\/soap\/lib\/client\.js/);
  t.notMatch(packages, /\/(axios|axios-ntlm|undici|formidable|xml-crypto)\//);
});
