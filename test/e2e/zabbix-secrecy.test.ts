import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { lacksZabbix } from '../peers/zabbix.js';
import { INTERFACE, ITEM, VALUE, type Secrecy } from '../peers/zabbix/api.js';
import { lowPort } from '../peers/zabbix/confined.js';
import { Authority, type Signed } from '../support/authority.js';
import { ACCOUNTS, active, firstValue, isSeen, passive, SIM, startArgo, startWorld, type World } from './support/zabbix.js';

/** Both modes, each without TLS, with a pre-shared key and with certificates. */

const KEY = randomBytes(32).toString('hex');
const SUBJECT = { server: '/O=Argo tests/CN=zabbix server', proxy: '/O=Argo tests/CN=argo proxy' };

/** An authority, and certificates of it for both sides. */
async function certificates(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'argo-zabbix-tls-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  // others' keys are none to the ciphers of a Zabbix server
  const authority = await Authority.make(folder, '/O=Argo tests/CN=authority', 'rsa');
  const sign = async (name: keyof typeof SUBJECT): Promise<Signed> => {
    const signed = await authority.sign(name, undefined, SUBJECT[name]);
    // for the server's own user, too
    chmodSync(signed.key, 0o644);
    return signed;
  };
  const psk = join(folder, 'proxy.psk');
  writeFileSync(psk, `${KEY}\n`);
  return { ca: authority.cert, ...await sign('server'), proxy: await sign('proxy'), psk };
}

await t.test('secrecy', { skip: lacksZabbix('openssl', 'fping'), timeout: 170_000 }, async (t) => {
  const files = await certificates(t);
  const world = await startWorld(t, { tls: files });
  const WAYS: readonly { readonly name: string; readonly secrecy: Secrecy; readonly keys: string; readonly wrong?: string }[] = [
    { name: 'none', secrecy: { kind: 'none' }, keys: '' },
    { name: 'psk', secrecy: { kind: 'psk', identity: 'argo key', key: KEY }, keys: `tls = "psk"\npsk-identity = "argo key"\npsk-file = "${files.psk}"` },
    {
      name: 'certificate', secrecy: { kind: 'certificate', issuer: 'CN=authority,O=Argo tests', subject: 'CN=argo proxy,O=Argo tests' },
      keys: `tls = "certificate"\nca-file = "${files.ca}"\ntls-cert = "${files.proxy.cert}"\ntls-key = "${files.proxy.key}"\nserver-issuer = "CN=authority,O=Argo tests"\nserver-subject = "CN=zabbix server,O=Argo tests"`,
    },
  ];
  for (const { name, secrecy, keys } of WAYS) {
    await t.test(`active, ${name}`, async (t) => {
      const itemid = await anItem(world, await world.zabbix.api.proxy({ name: `a-${name}`, secrecy }), `a-${name}`);
      const daemon = await startArgo(t, { config: `${ACCOUNTS}${SIM}${active(`a-${name}`, world.zabbix.port, keys)}` });
      t.equal(await firstValue(world, itemid, VALUE.unsigned), '1');
      t.notMatch(daemon.stderr(), new RegExp(KEY));
    });
    await t.test(`passive, ${name}`, async (t) => {
      const port = await lowPort();
      // the server calls the proxy by its own key
      const of = secrecy.kind === 'psk' ? { ...secrecy, identity: 'argo key passive' } : secrecy;
      const proxyid = await world.zabbix.api.proxy({ name: `p-${name}`, port, secrecy: of });
      const itemid = await anItem(world, proxyid, `p-${name}`);
      await startArgo(t, { config: `${ACCOUNTS}${SIM}${passive(`p-${name}`, port, keys.replace('argo key', 'argo key passive'))}` });
      t.equal(await firstValue(world, itemid, VALUE.unsigned), '1');
      await isSeen(world, proxyid);
      if (name === 'none') t.match(await world.zabbix.api.execute(await world.zabbix.api.script('stop by a passive one', 'stop lj'), String(await world.zabbix.database.value(`select hostid from items where itemid = ${itemid}`))), /^lj: done, off/);
    });
  }

  await t.test('a wrong subject of the server is refused', async (t) => {
    await anItem(world, await world.zabbix.api.proxy({ name: 'wrong', secrecy: WAYS[2]!.secrecy }), 'wrong');
    const daemon = await startArgo(t, { config: `${ACCOUNTS}${SIM}${active('wrong', world.zabbix.port, WAYS[2]!.keys.replace('CN=zabbix server', 'CN=somebody else'))}` });
    await daemon.logs(/subject/);
    t.notMatch(daemon.stderr(), new RegExp(readFileSync(files.proxy.key, 'utf8').split('\n')[1]!.replace(/[+/]/g, '.')));
  });
});

/** @returns an item about `lj` that is asked once a second */
async function anItem({ zabbix: { api }, groupid }: World, proxyid: string, name: string): Promise<string> {
  const hostid = await api.host(`host ${name}`, groupid, proxyid, { interfaces: [INTERFACE.agent] });
  return api.item(hostid, { key: 'argo.status[lj]', valueType: VALUE.unsigned, type: ITEM.simple, delay: '1s', interfaceid: await api.interfaceOf(hostid, INTERFACE.agent) });
}
