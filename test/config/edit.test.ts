import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AccountSettings } from '../../src/config/config.js';
import { replaceFile, withAccount, withoutAccount, withoutProvider, withPassword, withProvider } from '../../src/config/edit.js';
import { parseConfig } from '../support/configuration.js';

const OLD = '$2b$12$NputH3vRqBIdT3Fcq5GCFOmeRf0Z.6rUOcz6VRBiuKunt6qCHPKGO';
const NEW = '$2b$12$......................C6lFTKEst94GxZLWSWGLyqdu/B8RfUq';
const GRANTS = [{ instances: ['lj', 'a "b"\\', '@web'], commands: ['*'] }, { instances: ['ü'], commands: ['read', 'start'] }];

const accountsOf = async (text: string): Promise<Record<string, AccountSettings>> => Object.fromEntries((await parseConfig('f', text, '/s')).accounts);

/** Layouts in which a file may hold the accounts steve and bob, and a group that grants name. */
const LAYOUTS: Readonly<Record<string, string>> = {
  'tables with comments': `# top\n[server] # here\nmax-line = 100\n\n# about steve\n[accounts.steve] # x\n# inside\npassword = "${OLD}" # y\nfrom = ["::1"]\n[[accounts.steve.grants]]\ninstances = ["*"]\ncommands = [\n  "*", # all\n]\n\n# about bob\n[accounts.bob]\npassword = "${OLD}"\n[groups]\nweb = []\n`,
  'tables apart': `[[accounts.steve.grants]]\ninstances = []\ncommands = []\n[groups]\nweb = []\n[accounts.bob]\npassword = "${OLD}"\n[accounts.steve]\npassword = "${OLD}"\n`,
  'no line end at the end': `[groups]\nweb = []\n[accounts.bob]\npassword = "${OLD}"\n[accounts.steve]\npassword = "${OLD}"`,
  'one table': `[accounts] # all\nsteve = { password = "${OLD}", grants = [ { instances = [\n "*"], commands = ["*"] } ] } # s\nbob.password = "${OLD}" # b\n[groups]\nweb = []\n`,
  'dotted keys': `accounts.steve.password = "${OLD}"\naccounts.bob.password = "${OLD}"\naccounts.steve.from = ["::1"]\ngroups.web = []\n`,
  'one inline table, first': `groups = { web = [] }\naccounts = { steve = { password = "${OLD}" }, bob = { password = "${OLD}" } } # c\n`,
  'one inline table, last': `groups.web = []\naccounts = { bob = { password = "${OLD}" }, steve = { password = "${OLD}", grants = [] } }\n[server]\n`,
  'one inline table, dotted': `groups.web = []\naccounts = {steve.password = "${OLD}",bob.password = "${OLD}",steve.grants = []}\n`,
  'quoted names': `[groups]\nweb = []\n["accounts".'steve']\n"password" = '''${OLD}''' # c\n['accounts'."bob"]\n'password' = '${OLD}'\n`,
  'other line ends': `[groups]\r\nweb = []\r\n\r\n# s\r\n[accounts.steve]\r\npassword = "${OLD}" # c\r\n[accounts.bob]\r\npassword = "${OLD}"\r\n`,
  'a byte order mark': `\ufeff[groups]\nweb = []\n[accounts.steve]\npassword = "${OLD}"\n[accounts.bob]\npassword = "${OLD}"\n`,
};

const commentsOf = (text: string): string[] => text.split('\n').flatMap((line) => /#.*$/.exec(line)?.[0].trimEnd() ?? []);
const lineEnds = (text: string): Set<string> => new Set(text.match(/\r?\n/g));

for (const [layout, source] of Object.entries(LAYOUTS)) {
  await t.test(`in ${layout}`, async (t) => {
    const before = await accountsOf(source);

    const changed = withPassword('f', source, 'steve', NEW) ?? '';
    const [head = '', tail = ''] = changed.split(`"${NEW}"`);
    t.ok(source.startsWith(head) && source.endsWith(tail), 'nothing else changes');
    t.equal(source.slice(head.length, source.length - tail.length).replace(/^["']+|["']+$/g, ''), OLD);
    t.same(await accountsOf(changed), { ...before, steve: { ...before.steve, passwordHash: NEW } });
    t.same(commentsOf(changed), commentsOf(source));

    const more = withAccount('f', source, 'new@x', NEW, GRANTS);
    t.same(await accountsOf(more), { ...before, 'new@x': { name: 'new@x', passwordHash: NEW, from: undefined, grants: GRANTS } });
    t.same(commentsOf(more), commentsOf(source));
    t.same([...lineEnds(more)], [source.includes('\r\n') ? '\r\n' : '\n'], 'one kind of line ends');

    for (const name of ['steve', 'bob']) {
      const { [name]: gone, ...others } = before;
      const less = withoutAccount('f', source, name) ?? '';
      t.not(gone, undefined);
      t.same(await accountsOf(less), others, `without ${name}`);
      t.match(less, /web/, 'what is not the account stays');
      t.equal(less.startsWith('\ufeff'), source.startsWith('\ufeff'));
    }
    t.same(await accountsOf(withoutAccount('f', withoutAccount('f', source, 'bob') ?? '', 'steve') ?? ''), {});

    t.equal(withPassword('f', source, 'nobody', NEW), undefined);
    t.equal(withoutAccount('f', source, 'nobody'), undefined);
  });
}

await t.test('comments above an account stay, those on its own lines go', async (t) => {
  const source = LAYOUTS['tables with comments'] ?? '';
  t.equal(withoutAccount('f', source, 'steve'), `# top\n[server] # here\nmax-line = 100\n\n# about steve\n\n# about bob\n[accounts.bob]\npassword = "${OLD}"\n[groups]\nweb = []\n`);
});

await t.test('the first account of an empty file', async (t) => {
  for (const source of ['', '\n', 'accounts = {}\n', 'accounts = { }', '[accounts]\n', '\ufeff']) {
    t.same(Object.keys(await accountsOf(withAccount('f', source, 'steve', NEW, [...GRANTS.slice(1)]))), ['steve'], JSON.stringify(source));
  }
  t.equal(withAccount('f', '', 'steve', NEW, []), `[accounts.steve]\npassword = "${NEW}"\n`);
});

/** A folder that goes with its test. */
function scratch(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'argo-edit-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

await t.test('a file is replaced as a whole, with its mode', async (t) => {
  const folder = scratch(t);
  const file = join(folder, 'argo-server.conf');
  replaceFile(file, 'new');
  t.equal(statSync(file).mode & 0o137, 0, 'a new file is closed to others');
  for (const mode of [0o600, 0o644]) {
    chmodSync(file, mode);
    const { ino } = statSync(file);
    replaceFile(file, `text ${mode}`);
    t.equal(readFileSync(file, 'utf8'), `text ${mode}`);
    t.equal(statSync(file).mode & 0o777, mode);
    t.not(statSync(file).ino, ino, 'who has the old file open goes on reading it');
  }
  t.same(readdirSync(folder), ['argo-server.conf'], 'nothing else is left there');
});

await t.test('a link stays a link', async (t) => {
  const folder = scratch(t);
  mkdirSync(join(folder, 'real'));
  writeFileSync(join(folder, 'real', 'file'), 'old');
  symlinkSync(join('real', 'file'), join(folder, 'link'));
  replaceFile(join(folder, 'link'), 'new');
  t.equal(lstatSync(join(folder, 'link')).isSymbolicLink(), true);
  t.equal(readFileSync(join(folder, 'real', 'file'), 'utf8'), 'new');
});

await t.test('a file that cannot be replaced is left as it was', async (t) => {
  const folder = scratch(t);
  mkdirSync(join(folder, 'in the way', 'full'), { recursive: true });
  t.throws(() => replaceFile(join(folder, 'in the way'), 'new'));
  t.throws(() => replaceFile(join(folder, 'absent', 'file'), 'new'), { code: 'ENOENT' });
  t.same(readdirSync(folder), ['in the way'], 'no half-written file is left');
});

await t.test('a provider comes and goes, and nothing else changes', async (t) => {
  const keys = { type: 'linux', user: 'argo', hosts: [{ name: 'h 1', address: '192.0.2.1', 'ssh-port': 2222 }] };
  for (const [layout, source] of Object.entries(LAYOUTS)) {
    const text = withProvider('f', source, 'kvm9.example', keys, 'enrolled 2026-11-29') ?? '';
    t.ok(text.startsWith(source.replace(/[\r\n]*$/, '')), layout);
    t.equal(lineEnds(text).size, 1, `${layout}: line ends`);
    const { providers } = await parseConfig('f', text, '/s');
    t.match(providers.get('kvm9.example'), { type: 'linux', options: { user: 'argo', hosts: [{ name: 'h 1', address: '192.0.2.1', 'ssh-port': 2222 }] } }, layout);
    const without = withoutProvider('f', text, 'kvm9.example') ?? '';
    t.equal(without.trimEnd(), source.trimEnd(), `${layout}: and back`);
    t.equal(withoutProvider('f', without, 'kvm9.example'), undefined);
  }
  t.equal(withProvider('f', 'providers = { demo = { type = "sim" } }\n', 'x', keys, 'y'), undefined, 'tables cannot be added to one line');
  const [first, second] = ['[providers.a]\ntype = "sim"\n', '[providers.b] # kept\ntype = "sim"\n'];
  t.equal(withoutProvider('f', `${first}\n# about b\n${second}`, 'a')?.trimStart(), `# about b\n${second}`);
});
