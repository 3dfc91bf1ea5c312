import t from 'tap';
import { PODMAN_PROGRAMS } from '../peers/podman.js';
import { fromRoot } from '../support/paths.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { CONTAINER_STEPS, podmanWithBase } from './support/images.js';

/** A container of the image, built and used as the document says. */

const PASSWORD = 'correct horse';
const READY_WITHIN_MS = 60_000;
/** The check of a server that hangs takes 8 s, three in a row are needed, and those at the beginning do not count. */
const UNHEALTHY_WITHIN_MS = 120_000;
const CONF = '/etc/argo-server/argo-server.conf';
const AS_STEVE = `--env ARGO_ACCOUNT=steve --env 'ARGO_PASSWORD=${PASSWORD}'`;

const { build, start, addAccount, reload, list } = CONTAINER_STEPS;

await t.test('a container of it', { skip: lacksRoot(...PODMAN_PROGRAMS) }, async (t) => {
  const podman = await podmanWithBase(t);
  await podman.must(build);
  const inside = (command: string): Promise<string> => podman.must(`podman exec ${AS_STEVE} argo ${command}`);
  const health = async (): Promise<string> => (await podman.must("podman inspect --format '{{.State.Health.Status}}' argo")).trim();
  /** Nothing here runs the check by a clock, as systemd or docker do. */
  const becomes = (wanted: string, withinMs: number): Promise<void> => until(async () => {
    await podman.run('podman healthcheck run argo');
    return await health() === wanted;
  }, withinMs, `the container to be ${wanted}`);

  await t.test('a newcomer comes to the first list', async (t) => {
    await podman.must(start);
    await becomes('healthy', READY_WITHIN_MS);
    const adding = podman.terminal(t, addAccount);
    await adding.answer('Password: ', `${PASSWORD}\r`);
    await adding.answer('Again: ', `${PASSWORD}\r`);
    t.equal((await adding.ended).code, 0, adding.shown());
    await podman.must(reload);
    await until(async () => (await podman.must('podman logs argo 2>&1')).includes('"msg":"reloaded"'), READY_WITHIN_MS, 'the new configuration');
    const listing = podman.terminal(t, list);
    await listing.answer('password of steve', `${PASSWORD}\r`);
    t.match(await listing.ended, { code: 0, stdout: /\blj\r\nbuilder\r\ntest\r\ndev\r\n$/ });
    t.equal(await podman.must(`ARGO_PASSWORD='${PASSWORD}' '${process.execPath}' '${fromRoot('bin', 'argo.js')}' --account steve list`), 'lj\nbuilder\ntest\ndev\n', 'from outside');
    t.equal(await inside('argo stop lj --wait'), '');
    t.match(await inside('argo-mqtt --version'), /^\d/);
  });

  await t.test('it is nobody, and has no rights', async (t) => {
    t.match(await inside(`cat ${CONF}`), /^listen = \["0\.0\.0\.0:20203"\]$/m);
    const status = await inside('cat /proc/1/status');
    t.match(status, /^Uid:\t10001\t10001\t10001\t10001$/m);
    t.match(status, /^CapEff:\t0+$/m);
    t.match(await podman.run("podman exec argo sh -c '> /usr/lib/argo-server/package.json'"), { code: 2, stderr: /Permission denied/ });
    t.match(await podman.run('podman exec argo cat /usr/lib/argo-server/node_modules/typescript/package.json'), { code: 1, stderr: /No such file/ }, 'what only compiles is not there');
  });

  await t.test('a configuration that is to be run is looked at; a folder without one is an error', async (t) => {
    t.match(await podman.must('podman run --rm --volume argo-etc:/etc/argo-server argo-server check'), /is good/);
    const empty = await podman.run('folder=$(mktemp -d); chown 10001 "$folder"; podman run --rm --volume "$folder:/etc/argo-server" argo-server; code=$?; rmdir "$folder"; exit $code');
    t.match(empty, { code: 1, stdout: '', stderr: `${CONF}: cannot be read: there is no such file` });
  });

  await t.test('a server that hangs is unhealthy, and healthy when it goes on', async (t) => {
    const pid = (await podman.must("pgrep --oldest --uid 10001 --full '^node .*argo-server'")).trim();
    await podman.must(`kill -STOP ${pid}`);
    await becomes('unhealthy', UNHEALTHY_WITHIN_MS);
    await podman.must(`kill -CONT ${pid}`);
    await becomes('healthy', READY_WITHIN_MS);
    t.equal(await inside('argo status builder'), 'on\n');
  });

  await t.test('it ends as it is told to, and another goes on where it was', async (t) => {
    await podman.must('podman stop --time 60 argo');
    t.equal((await podman.must("podman inspect --format '{{.State.ExitCode}}' argo")).trim(), '0');
    await podman.must('podman rm argo');
    await podman.must(start);
    await becomes('healthy', READY_WITHIN_MS);
    t.match(await inside('argo-server audit'), / steve .* stop .*demo\/lj: done/);
    t.equal(await inside('argo status builder'), 'on\n');
    t.equal(await podman.must('podman volume ls --quiet'), 'argo-etc\nargo-state\n', 'and none without a name');
  });
});
