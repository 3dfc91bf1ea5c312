import { join } from 'node:path';
import t from 'tap';
import type { Outcome } from '../peers/enclosure.js';
import { Fenced, FENCED_PROGRAMS } from '../peers/fenced.js';
import { lacksRoot } from '../support/peers.js';
import { FENCE_AGENT, FENCED, FENCER, lacksFencing, statesOf } from './support/fencing.js';
import { startIntegrated } from './support/integrations.js';

const skip = lacksRoot(...FENCED_PROGRAMS) || lacksFencing();

await t.test('a real pacemaker-fenced', { skip, timeout: 120_000 }, async (t) => {
  const daemon = await startIntegrated(t, FENCER, FENCED);
  const state = await statesOf(t, daemon);
  const fenced = await Fenced.start(FENCE_AGENT);
  t.teardown(() => fenced.stop());
  const register = (name: string, options: readonly string[]): Promise<Outcome> => fenced.admin('--register', name, '--agent', 'fence_argo', ...[
    'ip=127.0.0.1', `ipport=${daemon.port}`, 'username=fencer', 'pcmk_host_list=lj builder dev hung', ...options,
  ].flatMap((option) => ['--option', option]));
  const does = async (name: string, ...args: string[]): Promise<void> => {
    const { code, stdout, stderr } = await fenced.admin(...args, '--timeout', '30');
    t.equal(code, 0, `${name}: ${stdout}${stderr}`);
  };
  t.match((await fenced.admin('--list-installed')).stdout, /^\s*fence_argo$/m);
  t.match((await fenced.admin('--metadata', '--agent', 'fence_argo')).stdout, /<resource-agent name="fence_argo"/);

  t.equal((await register('wrong', ['password=wrong-one'])).code, 0);
  t.not((await fenced.admin('--fence', 'lj', '--timeout', '30')).code, 0, 'a wrong password is no success');
  t.equal(await state('lj'), 'on');
  t.equal((await fenced.admin('--deregister', 'wrong')).code, 0);

  t.equal((await register('argo', [`password_script=cat ${join(daemon.etc, 'fencer')}`])).code, 0);
  t.match((await fenced.admin('--list', 'lj')).stdout, /argo/);
  t.equal((await fenced.admin('--query', 'argo')).code, 0, 'monitor');
  await does('off', '--fence', 'lj');
  t.equal(await state('lj'), 'off');
  await does('on', '--unfence', 'lj');
  t.equal(await state('lj'), 'on');
  await does('reboot', '--reboot', 'builder');
  t.equal(await state('builder'), 'on');
  await does('a hung guest', '--fence', 'dev');
  t.equal(await state('dev'), 'off');
  t.not((await fenced.admin('--fence', 'hung', '--timeout', '30')).code, 0, 'what is not known is not off');
});
