import { join } from 'node:path';
import t from 'tap';
import { LAYOUT, storeLayout } from '../../src/fleet/store-layout.js';
import { EVENTS_STREAM } from '../../src/fleet/subjects.js';
import { NATS_PROGRAMS } from '../peers/nats.js';
import { LONG } from '../support/faults.js';
import { fromRoot } from '../support/paths.js';
import { lacks } from '../support/peers.js';
import { runNode } from '../support/programs.js';
import { until } from '../support/until.js';
import { Fleet } from './support/fleet.js';

/** What the bus keeps is of another layout than a server knows. */

if (lacks(...NATS_PROGRAMS) !== false) {
  t.plan(0, 'needs nats-server');
  process.exit(0);
}

const fleet = await Fleet.start(t, {
  sites: { munich: { counted: { names: ['mail'] }, tables: '[providers.san1]\ntype = "sim"\ninstances = ["disk"]\nlease = "san1"\n' } }, fronts: { f1: {} },
});
const [f1, munich] = [fleet.front('f1'), fleet.site('munich')];

await t.test('buckets and streams of an older layout: that is said, nothing is written there, and what needs a lease does not act', async (t) => {
  const config = join(munich.folder, 'argo-server.conf');
  const check = () => runNode([fromRoot('bin', 'argo-server.js'), '--config', config, 'fleet', 'check'], { env: { ...process.env, HOME: munich.folder } });
  const lastOf = async (stream: string, subject: string): Promise<number> =>
    (await fleet.nats.ask(`STREAM.MSG.GET.${stream}`, { last_by_subj: subject }) as { readonly message: { readonly seq: number } }).message.seq;
  const places = (): Promise<number[]> => Promise.all([
    lastOf('KV_argo-inventory', '$KV.argo-inventory.munich.kvm1.0'), lastOf('KV_argo-leases', '$KV.argo-leases.san1'), lastOf(EVENTS_STREAM, 'argo.v1.event.munich.action'),
  ]);
  /** Has all of them say that they are of that layout. */
  const become = async (layout: number): Promise<void> => {
    for (const { stream, settings: { description } } of storeLayout()) {
      const { config: before } = await fleet.nats.ask(`STREAM.INFO.${stream}`) as { readonly config: object };
      await fleet.nats.ask(`STREAM.UPDATE.${stream}`, { ...before, description: description.replace(/layout \d+/, `layout ${layout}`) });
    }
  };
  await until(async () => await f1.ask('reboot munich.san1/disk') === '', LONG, 'the lease to be had');
  t.equal((await check()).code, 0);

  await munich.stop();
  const before = await places();
  await become(0);
  await munich.start();
  await fleet.isUp('f1', 'munich');
  await until(async () => /no lease san1: KV_argo-leases is of layout 0, and this argo-server needs 1/.test(await f1.ask('reboot munich.san1/disk')), LONG, 'the reason why nothing is ordered there');
  t.match(await munich.ask('stop san1/disk'), /^400 UNREACHABLE: no lease san1: /, 'nor by its own people');
  t.equal(await f1.ask('reboot munich.kvm1/mail'), '', 'what needs nothing of the store goes on');
  const log = (): string => munich.daemon.stderr();
  await until(() => ['argo-inventory', 'argo-leases', EVENTS_STREAM].every((title) => new RegExp(`"store":"${title}","reason":"is of layout 0`).test(log())), LONG, 'the log to name them');
  await until(() => /layout 0.*inventory cannot be told/.test(log()) && /layout 0.*events do not arrive/.test(log()), LONG, 'that nothing is told');
  const looked = await check();
  t.equal(looked.code, 1);
  for (const title of ['argo-inventory', 'argo-leases', 'ARGO_EVENTS']) t.match(looked.stderr, new RegExp(`${title}:? is of layout 0, and this argo-server needs 1`));
  t.same(await places(), before, 'nothing was written');

  await become(LAYOUT);
  await munich.stop();
  await munich.start();
  await fleet.isUp('f1', 'munich');
  await until(async () => await f1.ask('reboot munich.san1/disk') === '', LONG, 'the lease to be had again');
  await until(async () => /^munich .* outbox=0 /m.test(await f1.ask('fleet')), LONG, 'what was kept to be delivered');
});
