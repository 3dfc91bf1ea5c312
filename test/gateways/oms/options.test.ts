import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { fromRoot } from '../../support/paths.js';

/** What `argo-server check` says of a table. */

const folder = mkdtempSync(join(tmpdir(), 'argo-oms-options-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

function check(keys: string): { readonly status: number | null; readonly said: string } {
  const file = join(folder, 'argo.conf');
  writeFileSync(file, `[providers.kvm1]\ntype = "sim"\n[providers.lxc1]\ntype = "sim"\n[gateways.oms]\ntype = "oms"\nlisten = ["127.0.0.1:8000"]\n${keys}\n`);
  chmodSync(file, 0o600);
  const { status, stdout, stderr } = spawnSync(process.execPath, [fromRoot('bin', 'argo-server.js'), 'check', '--config', file], { encoding: 'utf8' });
  return { status, said: stdout + stderr };
}

await t.test('names of hosts that are no provider', (t) => {
  const { status, said } = check('hosts = { node1 = "kvm1", node2 = "kvm2", node3 = { kvm = "kvm1", ovz = "elsewhere" } }');
  t.equal(status, 0, said);
  t.match(said, /argo\.conf:8:\d+: the host "node2" is the provider "kvm2", which there is not; is "kvm1" meant\?/);
  t.match(said, /argo\.conf:8:\d+: the host "node3" is the provider "elsewhere", which there is not\n/);
  t.equal(said.split('which there is not').length, 3, 'each once');
  t.notMatch(check('hosts = { node1 = { kvm = "kvm1", ovz = "lxc1" } }').said, 'which there is not');
  t.end();
});

await t.test('what no table can have', (t) => {
  for (const [keys, words] of [
    ['vnc-ports = "6849-6800"', 'the first before the last'], ['vnc-ports = 6800', 'ports are expected'], ['ssh-ports = "1-70000"', '1 to 65535'], ['path = "oms"', 'a path is expected'],
    ['hosts = "kvm1"', 'a table is expected'], ['hosts = { node1 = { kvm = "kvm1" } }', 'a provider is expected'], ['jsonp = "yes"', 'jsonp'], ['stop-timeout = "0s"', 'stop-timeout'],
  ] as const) {
    const { status, said } = check(keys);
    t.equal(status, 1, keys);
    t.match(said, /argo\.conf:8:\d+: /);
    t.match(said, words);
  }
  t.end();
});
