import t, { type Test } from 'tap';
import { XdrReader, XdrWriter } from '../../../src/protocols/libvirt/xdr.js';
import { readDomain } from '../../../src/protocols/libvirt/types.js';
import { findMachine, outcome, soon } from '../driving.js';
import { until } from '../../support/until.js';
import { FakeDaemon, fakeDomain } from './fake-daemon.js';
import { FakePool } from './fake-pool.js';
import { openDriver } from './open-driver.js';
import { imagesOf, machinesOf, newMachine, workCall } from './works.js';

/** Images and machines over a libvirtd that can be cut off at any call. */

const Procedure = {
  XML: 14,
  REFRESH: 83,
  CREATE: 93,
  DELETE: 94,
  DEFINE: 11,
  START: 9,
  CAPABILITIES: 342,
  NODE: 6,
  LOOKUP_NAME: 23,
  NETWORKS: 283,
  UNDEFINE: 231,
  BLOCK_INFO: 194,
} as const;
const NOT_FOUND = 42;
const CANNOT_OPEN = 38;

async function setUp(t: Test) {
  const daemon = new FakeDaemon();
  const pool = new FakePool('default');
  daemon.override = (call, peer) => pool.answer(call, peer);
  await daemon.start();
  const { driver, told } = openDriver(`qemu:///system?socket=${daemon.socket}`);
  t.teardown(async () => {
    await driver.close(soon());
    await daemon.remove();
  });
  return { daemon, pool, driver, told, images: imagesOf(driver) };
}

await t.test('which machines have an image costs one call, where nothing has changed', async (t) => {
  const { daemon, pool, images, driver } = await setUp(t);
  daemon.domains = Array.from({ length: 500 }, (_, index) => fakeDomain(`d${index}`, index + 1));
  daemon.override = (call, peer) => {
    if (call.procedure === Procedure.BLOCK_INFO) {
      peer.fail(call, CANNOT_OPEN, 'No such file');
      return true;
    }
    if (call.procedure !== Procedure.XML) return pool.answer(call, peer);
    const { name } = readDomain(new XdrReader(call.body));
    peer.reply(call, new XdrWriter().string(`<domain><devices><disk><source file='/default/${name}.img'/></disk></devices></domain>`).bytes());
    return true;
  };
  pool.add('d7.img', 1);
  pool.add('free.img', 1);
  await driver.list(soon());
  const usedBy = async () => Object.fromEntries((await images.list({}, workCall())).map((each) => [each.name, each.usedBy]));
  t.same(await usedBy(), { 'd7.img': ['d7'], 'free.img': [] });
  t.equal(daemon.count(Procedure.XML), 500);
  const [asked, lists] = [daemon.count(Procedure.XML), daemon.count(273)];
  t.same(await usedBy(), { 'd7.img': ['d7'], 'free.img': [] });
  t.same([daemon.count(Procedure.XML) - asked, daemon.count(273) - lists], [0, 1], 'one call for 500');
  daemon.tellLifecycle(daemon.domains[7]!, 0, 1);
  await until(async () => {
    await usedBy();
    return daemon.count(Procedure.XML) === asked + 1;
  }, 20_000, 'one that an event told of');
  await images.delete({ name: 'free.img' }, workCall());
  t.ok(daemon.count(Procedure.XML) >= asked + 501, 'a decision asks for all');
  t.match(await outcome(images.delete({ name: 'd7.img' }, workCall())), { phrase: 'WRONG STATE', detail: 'it is in use by d7' });
});

await t.test('a making that is cut off', async (t) => {
  const { daemon, pool, images } = await setUp(t);
  const image = { name: 'a.img', size: 4096n, format: 'raw' } as const;
  const cutAt = (procedure: number, isDone: boolean): void => {
    daemon.override = (call, peer) => {
      if (call.procedure !== procedure) return pool.answer(call, peer);
      if (isDone) pool.answer(call, { reply: () => undefined, fail: () => undefined } as never);
      daemon.override = (further, again) => pool.answer(further, again);
      peer.stream.destroy();
      return true;
    };
  };
  cutAt(Procedure.CREATE, false);
  t.match(await outcome(images.create(image, workCall())), { phrase: 'UNCERTAIN' }, 'it was not done, and may be yet');
  cutAt(Procedure.CREATE, true);
  t.same(await outcome(images.create(image, workCall())), { value: undefined }, 'it was done');
  cutAt(Procedure.DELETE, false);
  t.match(await outcome(images.delete({ name: 'a.img' }, workCall())), { phrase: 'UNCERTAIN' });
  cutAt(Procedure.DELETE, true);
  t.same(await outcome(images.delete({ name: 'a.img' }, workCall())), { value: undefined });
  t.equal(pool.volumes.size, 0);
});

await t.test('a making that is told to end while libvirt makes it', async (t) => {
  const { daemon, pool, images } = await setUp(t);
  const stop = new AbortController();
  daemon.override = (call, peer) => {
    if (call.procedure === Procedure.CREATE) stop.abort(new Error('told to end'));
    return pool.answer(call, peer);
  };
  t.match(await outcome(images.create({ name: 'a.img', size: 4096n, format: 'raw' }, workCall({ signal: stop.signal }))), { phrase: 'UNREACHABLE', detail: /told to end/ });
  t.equal(daemon.count(Procedure.DELETE), 1);
  t.equal(pool.volumes.size, 0);
});

await t.test('a pool that does not answer holds up nobody else', async (t) => {
  const { daemon, pool, images, driver } = await setUp(t);
  daemon.domains = [fakeDomain('web', 1, 1)];
  const web = await findMachine(driver, 'web');
  daemon.override = (call, peer) => call.procedure === Procedure.REFRESH || pool.answer(call, peer);
  const stop = new AbortController();
  const hanging = Array.from({ length: 20 }, () => outcome(images.list({}, workCall({ signal: stop.signal }))));
  await until(() => daemon.count(Procedure.REFRESH) > 0, 20_000, 'the question');
  t.equal(await web.status(soon()), 'on');
  await web.pause!(soon());
  t.equal(daemon.count(Procedure.REFRESH), 1, 'the others wait behind it');
  stop.abort(new Error('given up'));
  await Promise.all(hanging);
});

const CAPABILITIES = '<domainCapabilities><path>/usr/bin/qemu-system-x86_64</path><domain>qemu</domain><machine>pc-q35-7.2</machine><arch>x86_64</arch></domainCapabilities>';

/** What an installation asks of a host with 2 CPUs and 1 GiB. */
function hostAnswers(daemon: FakeDaemon): FakeDaemon['override'] {
  return (call, peer) => {
    switch (call.procedure) {
      case Procedure.CAPABILITIES:
        peer.reply(call, new XdrWriter().string(CAPABILITIES).bytes());
        break;
      case Procedure.NODE:
        peer.reply(
          call,
          new XdrWriter()
            .fixed(Buffer.alloc(128))
            .hyper(1n << 20n)
            .int(2)
            .int(3000)
            .int(1)
            .int(1)
            .int(2)
            .int(1)
            .bytes(),
        );
        break;
      case Procedure.LOOKUP_NAME:
        peer.fail(call, NOT_FOUND, 'Domain not found');
        break;
      case Procedure.NETWORKS:
        peer.reply(call, new XdrWriter().int(0).int(0).bytes());
        break;
      case Procedure.DEFINE: {
        const xml = new XdrReader(call.body).string();
        const uuid = Buffer.from(/<uuid>([^<]*)</.exec(xml)![1]!.replaceAll('-', ''), 'hex');
        daemon.domains.push({ ...fakeDomain(/<name>([^<]*)</.exec(xml)![1]!, 1), uuid });
        peer.reply(call, new XdrWriter().string('x').fixed(uuid).int(-1).bytes());
        break;
      }
      case Procedure.START: {
        const { uuid } = readDomain(new XdrReader(call.body));
        daemon.domains
          .filter((each) => each.uuid.equals(uuid))
          .forEach((each) => {
            each.state = 1;
          });
        peer.reply(call);
        break;
      }
      case Procedure.UNDEFINE: {
        const { uuid } = readDomain(new XdrReader(call.body));
        daemon.domains = daemon.domains.filter((each) => !each.uuid.equals(uuid));
        peer.reply(call);
        break;
      }
      default:
        return false;
    }
    return true;
  };
}

await t.test('an installation that is cut off at any of its calls', async (t) => {
  for (const procedure of [Procedure.CREATE, Procedure.DEFINE, Procedure.START, Procedure.DELETE]) {
    for (const isDone of [false, true]) {
      const { daemon, pool, driver } = await setUp(t);
      pool.add('boot.iso', 2048);
      const answers = hostAnswers(daemon);
      const answer: FakeDaemon['override'] = (call, peer) => answers(call, peer) || pool.answer(call, peer);
      // the second image that is made is the machine's, after its mark
      let before = procedure === Procedure.CREATE ? 1 : 0;
      daemon.override = (call, peer) => {
        if (call.procedure !== procedure || before-- !== 0) return answer(call, peer);
        if (isDone) answer(call, { reply: () => undefined, fail: () => undefined } as never);
        peer.stream.destroy();
        return true;
      };
      const end = await outcome(machinesOf(driver).install(newMachine('new1'), workCall()));
      const what = `procedure ${procedure}, ${isDone ? 'done' : 'not done'}: ${end.phrase ?? 'made'} ${end.detail ?? ''}`;
      const isMade = end.phrase === undefined;
      t.equal(isMade, procedure === Procedure.DELETE || (isDone && procedure !== Procedure.CREATE), what);
      t.same(daemon.domains.map(({ name, state }) => [name, state]), isMade ? [['new1', 1]] : [], what);
      const left = [...pool.volumes.keys()].filter((name) => name !== 'boot.iso');
      const mayCome = procedure === Procedure.CREATE && !isDone;
      t.same(left, isMade ? ['new1.qcow2'] : mayCome ? ['new1.qcow2.argo-task-1'] : [], what);
      t.equal(end.phrase, isMade ? undefined : mayCome ? 'UNCERTAIN' : 'UNREACHABLE', what);
    }
  }
});
