import { connect, nkeyAuthenticator } from '@nats-io/transport-node';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import t from 'tap';
import { permissionBlock } from '../../src/fleet/admin/rights.js';
import type { NatsBus } from '../../src/fleet/bus.js';
import { aliveSubject, askSubject, inboxPrefix, orderSubject } from '../../src/fleet/subjects.js';
import { BUS_CONNECT_TIMEOUT, BUS_FORBIDDEN_PAUSE, BUS_PAYLOAD } from '../../src/kit/fleet-limits.js';
import { Nats, natsUser, NATS_PROGRAMS } from '../peers/nats.js';
import { bytes, failure, LONG_MS, words } from '../support/fleet/bus-helpers.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { connected, join } from './support/fleet-bus.js';

/** The bus over a real nats-server: what is told when it is there, when it is not, and when it is half there. */

const options = { skip: lacks(...NATS_PROGRAMS) };
const front = natsUser('f1', 'front');
const berlin = natsUser('berlin', 'site');
const paris = natsUser('paris', 'site');

/** Answers by the question's own words, as soon as the bus knows that somebody is there. */
async function serve(bus: NatsBus, subject: string, asker: NatsBus): Promise<string[]> {
  const heard: string[] = [];
  bus.subscribe(subject, (message) => {
    heard.push(words(message));
    message.respond(bytes(`heard ${words(message)}`), { Word: 'answered' });
  }, 'site');
  await until(async () => asker.request(subject, bytes('?'), {}, 1000).then(() => true, () => false), LONG_MS, 'somebody to listen');
  heard.length = 0;
  return heard;
}

await t.test('one server', options, async (t) => {
  const nats = await Nats.start({ users: [front, berlin, paris] });
  t.teardown(() => nats.stop());
  const { bus: asking, log } = join(t, nats, front);
  const { bus: site } = join(t, nats, berlin);
  t.match(asking.trouble, /not been reached yet/, 'it does not wait for the bus');
  await connected(asking, site);
  const heard = await serve(site, orderSubject('berlin'), asking);

  await t.test('is asked over TLS, and answers', async (t) => {
    const answer = await asking.request(orderSubject('berlin'), bytes('start web1'), { 'Argo-From': 'f1' }, 1000);
    t.equal(words(answer), 'heard start web1');
    t.equal(answer.header('Word'), 'answered');
    t.equal(answer.header('Other'), undefined);
    t.match(log, [/^info connected to the bus/]);
    const { connections } = await nats.servers[0]!.monitor('connz') as { connections: { name: string; tls_version?: string }[] };
    t.ok(connections.filter(({ name }) => ['f1', 'berlin'].includes(name)).every(({ tls_version: version }) => version !== undefined), 'no way to it is unencrypted');
  });

  await t.test('is not made to write where its asker may not', async (t) => {
    const thief = await connect({
      servers: [...nats.urls], tls: { ca: readFileSync(nats.caFile!, 'utf8') }, inboxPrefix: inboxPrefix('f1'), reconnect: false,
      authenticator: nkeyAuthenticator(new TextEncoder().encode(front.seed)),
    });
    t.teardown(() => thief.close());
    const written: string[] = [];
    t.teardown(asking.subscribe(aliveSubject('paris'), (message) => { written.push(words(message)); }));
    for (const reply of [aliveSubject('paris'), '$JS.API.STREAM.PURGE.ARGO_AUDIT', '$KV.argo-leases.san1']) thief.publish(orderSubject('berlin'), bytes(`answer to ${reply}`), { reply });
    await until(() => heard.some((one) => one.includes('argo-leases')), LONG_MS, 'the questions');
    // what it would have sent elsewhere comes before this
    t.equal(words(await asking.request(orderSubject('berlin'), bytes('here'), {}, LONG_MS)), 'heard here');
    t.same(written, []);
  });

  await t.test('says at once that nobody listens', async (t) => {
    const began = performance.now();
    t.match(await failure(asking.request(orderSubject('paris'), bytes('x'), {}, 60_000)), { reason: 'no responders', message: /nobody listens at argo\.v1\.site\.paris\.op/ });
    t.ok(performance.now() - began < 10_000, 'long before its time was over');
  });

  await t.test('what is more than the bus takes is not sent, and that is told', async (t) => {
    const large = Buffer.alloc(2 * 1024 * 1024);
    t.match(await failure(asking.request(orderSubject('berlin'), large, {}, 60_000)), { reason: 'down', message: /max_payload/ });
    asking.publish(aliveSubject('f1'), large);
    t.ok(log.some((line) => /could not be sent.*max_payload/.test(line)));
    t.equal(asking.trouble, undefined);
  });

  await t.test('what is forbidden is told as nobody there, is logged, and a subscription is tried again', async (t) => {
    const { bus: stranger, log: said } = join(t, nats, paris);
    await connected(stranger);
    t.match(await failure(stranger.request(orderSubject('berlin'), bytes('x'), {}, 60_000)), { reason: 'no responders', message: /does not let us send/ });
    t.ok(said.some((line) => /does not let us send.*argo\.v1\.site\.berlin\.op/.test(line)));
    const stolen: string[] = [];
    stranger.subscribe(orderSubject('berlin'), (message) => { stolen.push(words(message)); });
    await until(() => said.some((line) => /does not let us listen.*argo\.v1\.site\.berlin\.op/.test(line)), LONG_MS, 'the refusal');
    heard.length = 0;
    await asking.request(orderSubject('berlin'), bytes('secret'), {}, 1000);
    t.same(stolen, []);
    // the operator lets it: without a word to us
    const more = paris;
    await nats.setUsers([front, berlin, more], (user) => {
      const block = permissionBlock(user.member, user.signer.publicKey);
      return user !== more ? block : block.replace('imports: [', `imports: [ { stream: { account: FLEET, subject: "${orderSubject('berlin')}" } }`).replace('subscribe: { allow: [', `subscribe: { allow: [ "${orderSubject('berlin')}"`);
    });
    await until(async () => {
      await asking.request(orderSubject('berlin'), bytes('shared'), {}, 1000).catch(() => undefined);
      return stolen.includes('shared');
    }, BUS_FORBIDDEN_PAUSE + LONG_MS, 'it to be let listen');
    await nats.setUsers([front, berlin, paris]);
  });

  await t.test('a key that is taken out is let in again when it is put back', async (t) => {
    await connected(asking, site);
    const changes: (string | undefined)[] = [];
    const end = site.onChange(() => { changes.push(site.trouble); });
    t.teardown(end);
    await nats.setUsers([front, paris]);
    await until(() => /does not admit the key U/.test(site.trouble ?? ''), LONG_MS, 'it to be refused');
    t.match(site.trouble, new RegExp(berlin.signer.publicKey));
    t.equal(asking.trouble, undefined, 'nobody else notices');
    t.match(await failure(asking.request(orderSubject('berlin'), bytes('x'), {}, LONG_MS)), { reason: 'no responders' });
    t.match(await failure(site.request(orderSubject('berlin'), bytes('x'), {}, LONG_MS)), { reason: 'down', message: /does not admit/ });
    const refusals = (): number => nats.servers[0]!.log.split('authentication error').length - 1;
    await until(() => refusals() > 2, LONG_MS, 'more than the two refusals after which the client itself would give up for good');
    await nats.setUsers([front, berlin, paris]);
    await connected(site);
    heard.length = 0;
    // the server may take the question before it has taken up again what the site listens to
    const answers: string[] = [];
    await until(async () => {
      await asking.request(orderSubject('berlin'), bytes('again'), {}, LONG_MS).then((answer) => answers.push(words(answer)), () => undefined);
      return answers.length > 0;
    }, LONG_MS, 'it to listen');
    t.same(answers, ['heard again'], 'it listens as before');
    t.equal(changes.length, 2, 'told once that it was lost, and once that it is back');
  });

  await t.test('a server that dies and comes back: nothing is sent late', async (t) => {
    await connected(asking, site);
    await nats.servers[0]!.kill();
    await until(() => asking.trouble !== undefined && site.trouble !== undefined, LONG_MS, 'the loss to be noticed');
    t.match(asking.trouble, /localhost:\d+: /);
    heard.length = 0;
    t.match(await failure(asking.request(orderSubject('berlin'), bytes('late order'), {}, LONG_MS)), { reason: 'down' });
    site.publish(aliveSubject('berlin'), bytes('late word'));
    const alive: string[] = [];
    asking.subscribe(aliveSubject('*'), (message) => { alive.push(words(message)); });
    await nats.servers[0]!.start();
    await connected(asking, site);
    await until(async () => asking.request(orderSubject('berlin'), bytes('new order'), {}, 1000).then(() => true, () => false), LONG_MS, 'the site to listen again');
    t.same(heard.filter((one) => one !== 'new order'), [], 'what could not be sent then is not sent now');
    await until(() => {
      site.publish(aliveSubject('berlin'), bytes('word'));
      return alive.length > 0;
    }, LONG_MS, 'a word of the site');
    t.notOk(alive.includes('late word'));
  });

  await t.test('a server that hangs is given up, though much is written to it', async (t) => {
    await connected(asking, site);
    const [server] = nats.servers;
    server!.hang(true);
    t.teardown(() => { server!.hang(false); });
    // more than the kernel takes: what waits to be written must not keep the connection from being given up
    for (let sent = 0; sent < 300; sent += 1) asking.publish(aliveSubject('f1'), Buffer.alloc(60_000));
    const asked = failure(asking.request(orderSubject('berlin'), bytes('x'), {}, 500));
    t.match(await asked, { reason: 'late' }, 'nobody knows what became of it');
    await until(() => asking.trouble !== undefined && site.trouble !== undefined, LONG_MS, 'it to be given up');
    t.match(await failure(asking.request(orderSubject('berlin'), bytes('x'), {}, LONG_MS)), { reason: 'down' });
    server!.hang(false);
    await connected(asking, site);
    t.equal(words(await until(async () => asking.request(orderSubject('berlin'), bytes('x'), {}, 1000).then(() => true, () => false), LONG_MS, 'an answer')
      .then(() => asking.request(orderSubject('berlin'), bytes('after'), {}, LONG_MS))), 'heard after');
  });

  await t.test('closed, it lets out what was written, and is gone', async (t) => {
    const { bus: leaving } = join(t, nats, paris);
    await connected(leaving, asking);
    const alive: string[] = [];
    asking.subscribe(aliveSubject('*'), (message) => { alive.push(words(message)); });
    await asking.request(orderSubject('berlin'), bytes('x'), {}, LONG_MS);
    leaving.publish(aliveSubject('paris'), bytes('leaving'));
    const waiting = failure(leaving.request(askSubject('berlin'), bytes('x'), {}, LONG_MS));
    await leaving.close();
    t.match(await waiting, { reason: /late|no responders/ });
    await until(() => alive.includes('leaving'), LONG_MS, 'its last word');
    await until(async () => !(await nats.servers[0]!.clients()).includes('paris'), LONG_MS, 'it to be gone');
    t.match(await failure(leaving.request(askSubject('berlin'), bytes('x'), {}, LONG_MS)), { reason: /down|late/ });
  });
});

await t.test('who is no server of the bus is told as that', options, async (t) => {
  const nats = await Nats.start({ users: [front], store: false });
  t.teardown(() => nats.stop());

  await t.test('a certificate of somebody else, or for another name', async (t) => {
    const { bus, log } = join(t, nats, front, { ...nats.link(front), caFile: undefined });
    await until(() => /certificate/.test(bus.trouble ?? ''), LONG_MS, 'the certificate to be refused');
    t.match(log, [/warn the bus is not reached .*its certificate is not signed by the authority of ca-file/], 'and once only');
    const other = await Nats.start({ users: [front], subject: 'DNS:bus.example', store: false });
    t.teardown(() => other.stop());
    const { bus: misnamed } = join(t, other, front);
    await until(() => /its certificate is not for this name .*altnames.*localhost/.test(misnamed.trouble ?? ''), LONG_MS, 'the name to be refused');
  });

  await t.test('a server without TLS is not spoken to where TLS is wanted', async (t) => {
    const plain = await Nats.start({ users: [front], tls: false, store: false });
    t.teardown(() => plain.stop());
    const { bus } = join(t, plain, front, { ...plain.link(front), servers: plain.urls.map((url) => url.replace('nats:', 'tls:')), caFile: nats.caFile });
    await until(() => /does not support 'tls'/.test(bus.trouble ?? ''), LONG_MS, 'it to be refused');
    const { bus: open } = join(t, plain, front);
    await connected(open);
  });

  await t.test('one that greets and then says nothing is given up, with its sockets', async (t) => {
    const sockets = new Set<Socket>();
    let greeted = 0;
    const server = createServer((socket) => {
      sockets.add(socket);
      greeted += 1;
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket)).resume();
      socket.write('INFO {"server_id":"x","version":"2.9.10","proto":1,"headers":true,"max_payload":1048576,"tls_required":true,"nonce":"w3VnCU9gsw7EzA4"}\r\n');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => { server.close(); sockets.forEach((socket) => socket.destroy()); });
    const { bus } = join(t, nats, front, { ...nats.link(front), servers: [`tls://localhost:${(server.address() as AddressInfo).port}`] });
    // Each attempt takes two: one to see whether it greets, one for the client.
    await until(() => greeted >= 6, 3 * BUS_CONNECT_TIMEOUT + LONG_MS, 'three attempts');
    t.match(bus.trouble, /timeout|not answer/);
    t.ok(sockets.size <= 2, `${sockets.size} sockets of ${greeted} are open`);
  });

  await t.test('one that says something else, or nothing, or nobody: the one that answers is taken meanwhile', async (t) => {
    const sockets = new Set<Socket>();
    const servers = await Promise.all(['HTTP/1.1 400 Bad Request\r\n\r\n', ''].map(async (says) => {
      const server = createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
        if (says !== '') socket.write(says);
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      t.teardown(() => { server.close(); sockets.forEach((socket) => socket.destroy()); });
      return `tls://127.0.0.1:${(server.address() as AddressInfo).port}`;
    }));
    const { bus: lost } = join(t, nats, front, { ...nats.link(front), servers: [servers[0]!, 'tls://127.0.0.1:1'] });
    await until(() => /no server of NATS answers there/.test(lost.trouble ?? ''), LONG_MS, 'the reasons');
    t.match(lost.trouble, /127\.0\.0\.1:1: .*nobody listens there/, 'of each');
    // whichever of them is asked first
    for (let round = 0; round < 5; round += 1) {
      const { bus } = join(t, nats, front, { ...nats.link(front), servers: [...servers, ...nats.urls] });
      const began = performance.now();
      await connected(bus);
      t.ok(performance.now() - began < 9000, 'a server that says nothing holds nobody up');
      await bus.close();
    }
    await until(() => sockets.size <= 2, LONG_MS, 'no sockets to be left behind');
  });
});

await t.test('one that takes no messages as large as some are says so, and is used for these as soon as it takes them', options, async (t) => {
  const nats = await Nats.start({ users: [front], store: false, settings: 'max_payload: 8KB' });
  t.teardown(() => nats.stop());
  const { bus, log } = join(t, nats, front);
  await connected(bus);
  t.ok(log.some((line) => /^warn the bus takes no messages as large.*max_payload.*"bytes":8192/.test(line)));
  const large = Buffer.alloc(BUS_PAYLOAD - 1024);
  t.match(await failure(bus.request(orderSubject('berlin'), large, {}, 60_000)), { message: /max_payload/ });
  const file = `${nats.folder}/n1.conf`;
  writeFileSync(file, readFileSync(file, 'utf8').replace('max_payload: 8KB', ''));
  await nats.servers[0]!.reload();
  await until(async () => (await failure(bus.request(orderSubject('berlin'), large, {}, 60_000))).reason === 'no responders', LONG_MS, 'what is large to be sent');
});
