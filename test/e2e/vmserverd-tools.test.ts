import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { lacks } from '../support/peers.js';
import { runProgram } from '../support/programs.js';
import { accountTables, EVERYTHING, gatewayTable, HOSTS, PASSWORD, startVmserverd } from '../support/vmserverd/world.js';

/** Programs that know vmware-authd from servers of VMware's: nmap, hydra and medusa of Debian. They must take this for one, and find only passwords that are right. */

const USER = 'operator';
const WRONG = ['wrong1', 'wrong2'];

async function start(t: Test) {
  const world = await startVmserverd(t, await accountTables({ [USER]: EVERYTHING }) + HOSTS + gatewayTable());
  const folder = mkdtempSync(join(tmpdir(), 'argo-tools-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = (name: string, words: readonly string[]): string => {
    writeFileSync(join(folder, name), `${words.join('\n')}\n`);
    return join(folder, name);
  };
  return { ...world, users: file('users', [USER]), good: file('good', [WRONG[0]!, PASSWORD]), bad: file('bad', WRONG) };
}

const places = ({ port, tlsPort }: { readonly port: number; readonly tlsPort: number }) => [['127.0.0.1', port, 'in the clear'], ['127.0.0.2', tlsPort, 'with TLS']] as const;

const world = await start(t);

await t.test('nmap', { skip: lacks('nmap') }, async (t) => {
  for (const [address, port, how] of places(world)) {
    const nmap = (...args: string[]) => runProgram('nmap', ['-Pn', '-n', '-sT', '-p', String(port), ...args, address]);
    const seen = await nmap('-sV');
    t.match(seen.stdout, how === 'with TLS' ? /open {2}ssl\/vmware-auth\s+VMware Authentication Daemon 1\.10/ : /open {2}vmware-auth\s+VMware Authentication Daemon 1\.00/, how);
    const brute = (words: string) => nmap('--script', '+vmauthd-brute', '--script-args', `userdb=${world.users},passdb=${words},brute.useraspass=false,brute.threads=1`);
    t.match((await brute(world.good)).stdout, `${USER}:${PASSWORD} - Valid credentials`, how);
    const found = await brute(world.bad);
    t.match(found.stdout, 'No valid accounts found', how);
    t.notMatch(found.stdout, 'Valid credentials', how);
  }
});

await t.test('hydra', { skip: lacks('hydra') }, async (t) => {
  for (const [address, port, how] of places(world)) {
    const hydra = (words: string) => runProgram('hydra', ['-I', '-t', '1', '-s', String(port), '-l', USER, '-P', words, `vmauthd://${address}`]);
    t.match((await hydra(world.good)).stdout, new RegExp(`login: ${USER} {3}password: ${PASSWORD}\n`), how);
    const found = await hydra(world.bad);
    t.match(found.stdout, '0 valid password', how);
  }
});

await t.test('medusa', { skip: lacks('medusa') }, async (t) => {
  for (const [address, port, how] of places(world)) {
    const medusa = (words: string) => runProgram('medusa', ['-h', address, '-n', String(port), '-u', USER, '-P', words, '-M', 'vmauthd', '-t', '1']);
    t.match((await medusa(world.good)).stdout, `ACCOUNT FOUND: [vmauthd] Host: ${address} User: ${USER} Password: ${PASSWORD} [SUCCESS]`, how);
    t.notMatch((await medusa(world.bad)).stdout, 'ACCOUNT FOUND', how);
  }
});
