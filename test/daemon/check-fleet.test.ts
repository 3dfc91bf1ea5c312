import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { NkeySigner, newSeed } from '../../src/fleet/signer.js';
import { makeCertificate } from '../peers/xapi.js';
import { argoServer, scratch } from './cli.js';

const other = new NkeySigner(newSeed()).publicKey;

/** A configuration with a key that is there, checked. @returns what was said, without the file's name */
async function check(t: Parameters<typeof scratch>[0], text: string): Promise<{ code: number | null; verdict: string; warnings: string[] }> {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  const seed = newSeed();
  writeFileSync(join(folder, 'own.nk'), `${seed}\n`, { mode: 0o600 });
  writeFileSync(file, text.replaceAll('OWN', new NkeySigner(seed).publicKey), { mode: 0o600 });
  const { code, stdout, stderr } = await argoServer(folder, ['check', '--config', file]);
  return { code, verdict: stdout.replace(file, ''), warnings: stderr.trimEnd().split('\n').filter(Boolean).map((line) => line.replace(`argo-server: warning: ${file}:`, '')) };
}

const FLEET = 'name = "berlin"\nservers = ["tls://bus1.example"]\nnkey-file = "own.nk"\n';

await t.test('a good site', async (t) => {
  t.match(await check(t, `[fleet]\nrole = ["site"]\n${FLEET}[[fleet.fronts]]\nname = "f1"\npublic-key = "${other}"\ngrants = [{ instances = ["lab/*"], commands = ["read", "power"] }]\n[providers.lab]\ntype = "sim"\nlease = "lab"\n`),
    { code: 0, verdict: ' is good: 0 accounts, 1 provider, site berlin of a fleet\n', warnings: [] });
});

await t.test('what means nothing, and what gives nothing', async (t) => {
  const { code, warnings } = await check(t, `[fleet]
role = ["site"]
${FLEET}share = ["kvm*", "lab"]
[[fleet.fronts]]
name = "f1"
public-key = "OWN"
[[fleet.fronts]]
name = "f2"
public-key = "${other}"
grants = [{ instances = ["laab/*"], commands = ["reed"] }]
[[fleet.sites]]
name = "paris"
public-key = "${other}"
[providers.lab]
type = "sim"
[providers."paris.kvm1"]
type = "sim"
`);
  t.equal(code, 0);
  t.same(warnings, [
    '13:49: a grant of the front f2 names the command "reed", which there is not; is "read" meant?',
    '13:26: a grant of the front f2 names "laab/*", and there is no provider "laab"; is "lab" meant?',
    '14:1: fleet.sites means something to a front alone, and the role of this server is site',
    '7:1: the front f1 has no grants: it may do nothing here',
    '9:1: the front f1 has this server\'s own key, which no other may have',
    '6:10: share names "kvm*", and no provider is called so',
    '19:1: paris.kvm1 is named as the providers of the site paris are shown',
  ]);
  t.match((await check(t, `[fleet]\nrole = ["site"]\n${FLEET}`)).warnings, ['1:1: this site has no [[fleet.fronts]]: what it has is shown to fronts, and none may ask or order anything']);
  t.match((await check(t, `[fleet]\nrole = ["front"]\n${FLEET}share = ["x"]\n[[fleet.fronts]]\nname = "f1"\npublic-key = "${other}"\n`)).warnings, [/^7:1: fleet\.fronts means something to a site alone/, /^6:1: fleet\.share means something to a site alone/]);
});

await t.test('at a front, what is at sites is named', async (t) => {
  const { code, warnings } = await check(t, `[fleet]
role = ["front"]
name = "f1"
servers = ["tls://bus1.example"]
nkey-file = "own.nk"
[[fleet.sites]]
name = "berlin"
public-key = "${other}"
[accounts.ups]
password = "$2b$12$${'a'.repeat(53)}"
[[accounts.ups.grants]]
instances = ["berlin.*/*", "berlin.kvm1/web*", "*.kvm1/*", "berlin.*", "lab/*", "munich.kvm1/*"]
commands = ["read", "power"]
[groups]
web = ["berlin.kvm1/web*", "munich.*/web*", "berlin.kvm1"]
[plans.off]
account = "ups"
[[plans.off.stages]]
name = "all"
stop = ["berlin.kvm1/*", "berlin.*/web*"]
[providers.lab]
type = "sim"
`);
  t.equal(code, 0, warnings.join());
  t.same(warnings.filter((line) => !line.includes('plan off')), [
    '15:28: the group web names "munich.*/web*", and there is no provider "munich.*"',
    '12:81: a grant of ups names "munich.kvm1/*", and there is no provider "munich.kvm1"',
    '12:60: "berlin.*" is on machines that are called so, wherever they are; those of the site berlin are "berlin.*/*"',
    '15:45: "berlin.kvm1" is on machines that are called so, wherever they are; those of the site berlin are "berlin.*/*"',
  ]);
  t.notOk(warnings.some((line) => line.includes('no such provider')), warnings.join());
});

await t.test('a key that others can use', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  const key = join(folder, 'own.nk');
  writeFileSync(key, newSeed());
  writeFileSync(file, `[fleet]\nrole = ["front"]\nname = "f1"\nservers = ["tls://bus1.example"]\nnkey-file = "${key}"\n`, { mode: 0o600 });
  for (const [mode, isTold] of [[0o600, false], [0o400, false], [0o640, true], [0o604, true], [0o620, true]] as const) {
    chmodSync(key, mode);
    const { stderr } = await argoServer(folder, ['check', '--config', file]);
    if (isTold) t.match(stderr, /:5:1: .*own\.nk can be used by others than its owner.*chmod 600 it/, mode.toString(8));
    else t.equal(stderr, '', mode.toString(8));
  }
});

await t.test('authorities that nobody can be checked with', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  const authorities = join(folder, 'bus-ca.pem');
  writeFileSync(join(folder, 'own.nk'), newSeed(), { mode: 0o600 });
  writeFileSync(file, `[fleet]\nrole = ["front"]\nname = "f1"\nservers = ["tls://bus1.example"]\nca-file = "bus-ca.pem"\nnkey-file = "own.nk"\n`, { mode: 0o600 });
  const warned = async (): Promise<string> => (await argoServer(folder, ['check', '--config', file])).stderr;
  t.match(await warned(), /:5:1: .*bus-ca\.pem/, 'there are none');
  writeFileSync(authorities, 'not a certificate\n');
  t.match(await warned(), /:5:1: .*bus-ca\.pem: holds no certificate/);
  writeFileSync(authorities, makeCertificate().cert);
  t.equal(await warned(), '');
});

await t.test('a key that is not there is a fault, and the check says how it is made', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  writeFileSync(file, `[fleet]\nrole = ["front"]\n${FLEET}`, { mode: 0o600 });
  t.match(await argoServer(folder, ['check', '--config', file]), { code: 1, stderr: /:5:1: own\.nk cannot be read: there is no such file; `argo-server fleet key` makes it/ });
});
