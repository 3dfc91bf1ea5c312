import t from 'tap';
import { PODMAN_PROGRAMS } from '../peers/podman.js';
import { lacksRoot } from '../support/peers.js';
import { CONTAINER_STEPS, podmanWithBase } from './support/images.js';

/** What the image says of itself, and that it is made the same again. */

/** When it is said to be made, s since 1970: before what was compiled, as a commit is. */
const TIMESTAMP = 1_600_000_000;

interface Inspected {
  readonly Config: {
    readonly User: string;
    readonly StopSignal: string;
    readonly Volumes: object;
    readonly ExposedPorts: object;
    readonly Entrypoint: readonly string[];
    readonly Cmd?: readonly string[];
  };
  readonly Healthcheck: { readonly Test: readonly string[] };
  readonly RootFS: { readonly Layers: readonly string[] };
}

await t.test('the image', { skip: lacksRoot(...PODMAN_PROGRAMS) }, async (t) => {
  const podman = await podmanWithBase(t);
  const inspect = async (): Promise<Inspected> => (JSON.parse(await podman.must('podman image inspect argo-server')) as readonly Inspected[])[0]!;
  const build = `${CONTAINER_STEPS.build} --no-cache --timestamp ${TIMESTAMP}`;
  await podman.must(build);
  const first = await inspect();

  await t.test('says how it is run', (t) => {
    t.match(first.Config, {
      User: '10001:10001', StopSignal: 'SIGTERM', Volumes: { '/var/lib/argo-server': {} }, ExposedPorts: { '20203/tcp': {} }, Entrypoint: ['argo-server', '--config', '/etc/argo-server/argo-server.conf'],
    });
    t.same(first.Config.Cmd ?? [], [], 'nothing of the base is run');
    t.same(first.Healthcheck.Test, ['CMD', 'timeout', '8', 'argo', 'nop']);
    t.end();
  });

  await t.test('has the same layers when it is built again', async (t) => {
    await podman.must(build);
    t.same((await inspect()).RootFS, first.RootFS);
    t.equal(first.RootFS.Layers.length, 3, 'of the base, of the program, of its folders');
  });
});
