import t from 'tap';
import { timeOfId } from '../../../src/fleet/ids.js';
import type { OrderMessage } from '../../../src/fleet/messages.js';
import { newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import { orderSubject, resultSubject } from '../../../src/fleet/subjects.js';
import { ArgoError } from '../../../src/kit/errors.js';
import { FLEET_ORDERS_PER_FRONT } from '../../../src/kit/fleet-limits.js';
import type { Reply, Said } from '../../support/fleet/scripted-site.js';
import { told } from '../../../src/instances/told.js';
import { until } from '../../support/until.js';
import { soundSite, STOP, TARGET, WITHIN, world } from './world.js';

/** What an order comes to where the site has nothing more to say. */
const DONE: Said = { state: 'ended', result: 'done', before: 'on', after: 'off', verified: true };
const OUTCOME = { result: 'done', before: 'on', after: 'off', verified: true, isRecent: true };

const sent = (hub: Awaited<ReturnType<typeof world>>['hub'], subject: string): number => hub.passed.filter((one) => one.kind === 'message' && one.subject === subject).length;

void t.test('an order says all that the site needs, and its end is told', async (t) => {
  const { site, power, orders } = await world(t);
  const doing: string[] = [];
  site.onOrder = (_order, reply) => {
    reply({ state: 'running', doing: 'verifying' });
    reply(DONE);
  };
  const before = Date.now();
  t.same(await power({ action: 'stop', mode: { softFor: 3000 }, wait: true }, { deadline: 7000, doing: (words) => doing.push(words) }), OUTCOME);
  t.same(doing, ['verifying']);
  t.equal(orders.underWay, 0);
  const order = site.orders[0] as OrderMessage;
  t.match(order, {
    v: 1, site: 'berlin', provider: 'kvm1', machine: 'id of web1', instance: 'web1', do: 'stop', mode: { softFor: 3000 }, wait: true, deadline: 7000,
    principal: { account: 'kim', from: '10.1.2.3:4411', front: 'f1' },
  });
  t.ok(order.at >= before && order.sendBy === order.at + 5000 && order.answerBy > order.sendBy + 60_000, 'its times');
  t.equal(timeOfId(order.id), order.at, 'its id says when it was made');
});

void t.test('answers that are not of this site to this order are as if they had not come', async (t) => {
  const { site, power, refusals } = await world(t);
  const stranger = new NkeySigner(newSeed());
  site.onOrder = (_order, reply) => {
    reply({ ...DONE, id: '0197aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee' });
    reply(DONE, { isSigned: false });
    reply(DONE, { signer: stranger });
    reply(DONE, { from: 'paris' });
    reply(DONE, { purpose: orderSubject('berlin') });
    reply({ ...DONE, front: 'f2' });
    reply({ state: 'failed', phrase: 'NOT ALLOWED', detail: '', front: undefined });
    reply({ state: 'failed', phrase: 'NOT ALLOWED', detail: '' }, { isToStranger: true, isSigned: false });
    reply({ state: 'failed', phrase: 'NOT ALLOWED', detail: '' }, { isToStranger: true, signer: stranger });
    reply(DONE, { isToStranger: true });
    reply({ state: 'value', value: 'off' });
    reply({ state: 'failed', phrase: 'WRONG STATE', detail: 'web1 is paused' });
  };
  await t.rejects(power(), { message: 'WRONG STATE: web1 is paused' });
  t.equal(site.orders.length, 1);
  t.match(refusals[0], { site: 'berlin', reason: 'it is about another id than was asked for' }, 'the first is in the log at once');
});

void t.test('a site that does not know our key says so, and of nothing else than what was sent', async (t) => {
  const { site, power } = await world(t);
  site.onOrder = (_order, reply) => reply({ state: 'failed', phrase: 'NOT ALLOWED', detail: 'site berlin knows no front with that key' }, { isToStranger: true });
  await t.rejects(power(), { message: 'NOT ALLOWED: site berlin knows no front with that key' });
  const other = await world(t, { sendTimeout: 50 });
  other.site.onResult = (_question, reply) => {
    if (other.site.results.length === 1) reply({ state: 'failed', phrase: 'NOT ALLOWED', detail: 'since the order was sent, the key was taken out' }, { isToStranger: true });
    else reply(DONE);
  };
  t.match(await other.power(), { result: 'done' });
});

void t.test('where no keys of sites are known, the site\'s name for the order still counts', async (t) => {
  const { site, power } = await world(t, { isOpen: true });
  site.onOrder = (_order, reply) => {
    reply({ ...DONE, id: '0197aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee' }, { isSigned: false });
    reply({ ...DONE, front: 'f2' }, { isSigned: false });
    reply({ ...DONE, result: 'already' }, { isSigned: false });
  };
  t.match(await power(), { result: 'already' });
});

void t.test('what certainly went nowhere is UNREACHABLE at once', async (t) => {
  await t.test('nobody is connected there', async (t) => {
    const { site, power, hub } = await world(t);
    site.close();
    await t.rejects(told(power(), true), { message: /^UNREACHABLE: site berlin: it is not connected .*; nothing was done$/ });
    t.equal(sent(hub, orderSubject('berlin')), 1);
  });
  await t.test('nothing was heard of it', async (t) => {
    const { power, hub } = await world(t, { isUnheard: true });
    await t.rejects(told(power(), true), { message: 'UNREACHABLE: site berlin: it has not been heard of; nothing was done' });
    t.equal(sent(hub, orderSubject('berlin')), 0, 'nothing is sent');
  });
  await t.test('there is no connection to the bus', async (t) => {
    const { power, bus, hub } = await world(t);
    bus.cut('the cable is out');
    await t.rejects(told(power()), { message: 'UNREACHABLE: site berlin cannot be reached; nothing was done' }, 'the words of the bus are not for everybody');
    await t.rejects(told(power(), true), { message: /^UNREACHABLE: site berlin: the bus cannot be used: the cable is out; nothing was done$/ });
    t.equal(sent(hub, orderSubject('berlin')), 0);
  });
  await t.test('it was cancelled before', async (t) => {
    const { power, cancel, hub } = await world(t);
    cancel.abort(new Error('cancelled'));
    await t.rejects(power(), /cancelled|UNREACHABLE/);
    t.equal(sent(hub, orderSubject('berlin')), 0);
  });
});

void t.test('the bus is cut right behind the order', async (t) => {
  await t.test('and comes back: the same order is sent once more, and the site answers', async (t) => {
    const { site, power, bus, hub } = await world(t);
    let begun = 0;
    site.onOrder = (order, reply) => {
      if (site.orders.length === 1) {
        begun += 1;
        bus.cut();
        reply({ state: 'running' });
        setImmediate(() => bus.restore());
        return;
      }
      t.equal(order.id, site.orders[0]!.id);
      reply({ state: 'running' });
      reply(DONE);
    };
    t.match(await power(), { result: 'done' });
    t.equal(begun, 1);
    const [first, second] = hub.passed.filter((one) => one.kind === 'message' && one.subject === orderSubject('berlin'));
    t.same(first!.data, second!.data, 'byte by byte');
  });
  await t.test('and stays away: nobody knows', async (t) => {
    const { site, power, bus } = await world(t, { sendTimeout: 100, pace: { silenceLongest: 300 } });
    site.onOrder = () => bus.cut();
    await t.rejects(power(), { message: 'UNCERTAIN: the order for web1 was sent to site berlin: it has not answered' });
  });
  await t.test('and is back when nobody listens there: that says nothing of the first copy', async (t) => {
    const { site, power, bus } = await world(t, { pace: { silenceLongest: 300 }, sendTimeout: 100 });
    site.onOrder = () => {
      bus.cut();
      site.close();
      setImmediate(() => bus.restore());
    };
    await t.rejects(power(), { message: /^UNCERTAIN/ });
  });
});

void t.test('that nobody is there, told of a copy that went out late, is not believed', async (t) => {
  // before and after the time in which it would be sent once more
  for (const sendTimeout of [5000, 50]) {
    const { site, power, bus, hub } = await world(t, { pace: { silenceLongest: 600 }, sendTimeout });
    hub.fate = ({ subject, kind }) => (kind === 'message' && subject === orderSubject('berlin') ? 'hold' : 'deliver');
    const told = power(STOP, { actionTimeout: 100 }).catch((thrown: unknown) => thrown);
    await until(() => hub.held === 1 && (sendTimeout > 50 || site.results.length > 0), WITHIN, 'the order');
    bus.cut();
    site.close();
    bus.restore();
    hub.release();
    t.match(await told, { message: /^UNCERTAIN/ });
  }
});

void t.test('an order that was lost on its way', async (t) => {
  await t.test('is sent once more while there is time', async (t) => {
    const { site, power, hub } = await world(t);
    let lost = 0;
    hub.fate = ({ subject, kind }) => (kind === 'message' && subject === orderSubject('berlin') && lost++ === 0 ? 'lose' : 'deliver');
    site.onOrder = (_order, reply) => reply(DONE);
    t.match(await power(), { result: 'done' });
    t.equal(site.orders.length, 1);
    t.equal(site.results.length, 0);
  });
  await t.test('is not sent to another process than the first one', async (t) => {
    const { site, sites, power, hub } = await world(t);
    hub.fate = ({ subject, kind }) => (kind === 'message' && subject === orderSubject('berlin') ? 'lose' : 'deliver');
    const told = power().catch((thrown: unknown) => thrown);
    site.incarnation = '0197dddd-bbbb-7ccc-8ddd-eeeeeeeeeeee';
    site.started = Date.now() + 1;
    site.alive();
    await until(() => sites.info('berlin').alive?.incarnation === site.incarnation, WITHIN, 'the other process');
    site.onResult = (_question, reply) => reply({ state: 'lost', observed: 'on' });
    t.match(await told, { message: /^UNCERTAIN/ });
    t.equal(sent(hub, orderSubject('berlin')), 1);
  });
  await t.test('is asked for when its time is over, and UNREACHABLE where the site says so', async (t) => {
    const { site, power, hub } = await world(t, { sendTimeout: 50 });
    hub.fate = ({ subject, kind }) => (kind === 'message' && subject === orderSubject('berlin') ? 'hold' : 'deliver');
    site.onResult = (_question, reply) => reply({ state: 'none' });
    await t.rejects(power(), { message: 'UNREACHABLE: site berlin: it has not begun the order; nothing was done' });
    t.equal(hub.held, 1, 'the late copy has not been there before');
    t.equal(site.results[0]!.id.length, 36);
  });
});

void t.test('the answer was lost: what came of it is asked for, and the machine may have gone on since', async (t) => {
  const { site, power, hub } = await world(t, { sendTimeout: 50 });
  let answers = 0;
  hub.fate = ({ kind }) => (kind === 'answer' && answers++ === 0 ? 'lose' : 'deliver');
  site.onOrder = (_order, reply) => reply(DONE);
  site.onResult = (question, reply) => {
    t.equal(question.id, site.orders[0]!.id);
    reply(DONE);
  };
  t.same(await power(), { ...OUTCOME, isRecent: false });
  t.equal(site.orders.length, 1);
});

void t.test('one copy is refused while another is under way', async (t) => {
  await t.test('the bus has delivered it twice', async (t) => {
    const { site, power, hub } = await world(t);
    hub.fate = ({ subject, kind }) => (kind === 'message' && subject === orderSubject('berlin') ? 'twice' : 'deliver');
    let first: Reply | undefined;
    site.onOrder = (_order, reply) => {
      if (first === undefined) {
        first = reply;
        return reply({ state: 'running' });
      }
      reply({ state: 'failed', phrase: 'UNREACHABLE', detail: 'it came too late', early: true });
    };
    site.onResult = (_question, reply) => {
      reply({ state: 'running' });
      first!(DONE);
    };
    t.match(await power(), { result: 'done' });
  });
  await t.test('it was sent twice', async (t) => {
    const { site, power } = await world(t);
    site.onOrder = (_order, reply) => { if (site.orders.length > 1) reply({ state: 'failed', phrase: 'BUSY', detail: 'too much at a time; nothing was sent' }); };
    site.onResult = (_question, reply) => reply(DONE);
    t.match(await power(), { result: 'done' }, 'the journal has the last word');
  });
  await t.test('and the question what became of it is refused: that says nothing either', async (t) => {
    const { site, power } = await world(t, { sendTimeout: 50 });
    site.onResult = (_question, reply) => {
      if (site.results.length === 1) reply({ state: 'failed', phrase: 'NOT SUPPORTED', detail: 'version', early: true });
      else reply(DONE);
    };
    t.match(await power(), { result: 'done' });
  });
});

void t.test('that it was never begun is believed of who has the journal', async (t) => {
  const { site, sites, power, hub } = await world(t, { sendTimeout: 50, isUnheard: true });
  site.alive({ interval: 1000 });
  await until(() => sites.info('berlin').trouble === undefined, WITHIN, 'a sound site');
  const first = site.incarnation;
  const began = performance.now();
  site.onOrder = () => {
    site.incarnation = '0197dddd-bbbb-7ccc-8ddd-eeeeeeeeeeee';
    site.started = Date.now() + 1;
    site.alive({ interval: 1000 });
  };
  site.onResult = (_question, reply) => reply({ state: 'none' });
  await t.rejects(power(), { message: /^UNREACHABLE/ });
  t.not(site.incarnation, first);
  t.ok(site.results.length > 1, 'not at once: the one that was there before may have it under way');
  t.ok(performance.now() - began > 1900, 'when that one was silent for two signs of life');
  t.equal(sent(hub, orderSubject('berlin')), 1, 'and it is not sent to another process than the first one');
});

void t.test('as long as the site is at work it is waited for', async (t) => {
  await t.test('also beyond the time that the front knows of', async (t) => {
    const { site, power } = await world(t, { sendTimeout: 50, pace: { silenceLongest: 600 } });
    site.onOrder = (_order, reply) => {
      let told = 0;
      const timer = setInterval(() => {
        reply({ state: 'running' });
        if (++told < 12) return;
        clearInterval(timer);
        reply(DONE);
      }, 100);
    };
    const began = performance.now();
    t.match(await power(STOP, { actionTimeout: 100 }), { result: 'done', isRecent: true });
    t.ok(performance.now() - began > 1000);
  });
  await t.test('but not for ever', async (t) => {
    const { site, power } = await world(t, { sendTimeout: 50, pace: { overtime: 300 } });
    let timer: NodeJS.Timeout | undefined;
    t.teardown(() => clearInterval(timer));
    site.onOrder = (_order, reply) => { timer = setInterval(() => reply({ state: 'running' }), 50); };
    await t.rejects(power(STOP, { actionTimeout: 100 }), { message: /^UNCERTAIN: .*has not said what came of it$/ });
  });
  await t.test('and when it falls silent it is asked, and given up', async (t) => {
    const { site, power } = await world(t, { sendTimeout: 50, pace: { silenceLongest: 1000 } });
    site.onOrder = (_order, reply) => reply({ state: 'running' });
    await t.rejects(power(), { message: /^UNCERTAIN: .*has not said what came of it$/ });
    t.ok(site.results.length > 0);
  });
});

void t.test('a site that is silent is sent nothing while it is waited for', async (t) => {
  const { site, sites, power, hub } = await world(t, { sendTimeout: 50, deadAfter: 50, pace: { silenceLongest: 400, firstWord: 150 } });
  await soundSite(site, sites);
  await t.rejects(power(), { message: /^UNCERTAIN/ });
  t.equal(sent(hub, orderSubject('berlin')), 1);
  t.equal(sent(hub, resultSubject('berlin')), 0);
});

void t.test('the site\'s server ended meanwhile', async (t) => {
  const { site, power } = await world(t, { sendTimeout: 50 });
  site.onOrder = () => { site.incarnation = 'another-process-of-it'; };
  site.onResult = (_question, reply) => reply({ state: 'lost', observed: 'off' });
  await t.rejects(power(), { message: 'UNCERTAIN: the order for web1 was sent to site berlin: its server ended meanwhile; last seen off' });
});

void t.test('the site\'s server has not ended, and does not know', async (t) => {
  const { site, power } = await world(t, { sendTimeout: 50 });
  site.onResult = (_question, reply) => reply({ state: 'lost', observed: 'off' });
  await t.rejects(power(), { message: 'UNCERTAIN: the order for web1 was sent to site berlin: it does not know what came of it; last seen off' });
});

void t.test('who does not wait any longer says so, and the site has the last word', async (t) => {
  const { site, power, cancel } = await world(t);
  let first: Reply | undefined;
  site.onOrder = (_order, reply) => {
    first = reply;
    reply({ state: 'running' });
    setImmediate(() => cancel.abort(new Error('cancelled')));
  };
  site.onResult = (question) => {
    t.equal(question.cancel, true);
    first!({ state: 'failed', phrase: 'BUSY', detail: 'it was cancelled; nothing was sent' });
  };
  await t.rejects(power(), { message: 'BUSY: it was cancelled; nothing was sent' });
  t.equal(site.results.length, 1);
});

void t.test('why it is not waited for is said where nobody cancelled it', async (t) => {
  for (const [phrase, because] of [['NOT ALLOWED', 'forbidden'], ['SHUTTING DOWN', 'ended'], ['BUSY', undefined]] as const) {
    const { site, power, cancel } = await world(t);
    site.onOrder = (_order, reply) => {
      reply({ state: 'running' });
      setImmediate(() => cancel.abort(new ArgoError(phrase)));
    };
    site.onResult = (question, reply) => {
      t.equal(question.because, because);
      reply({ state: 'failed', phrase: 'UNCERTAIN', detail: 'accepted' });
    };
    await t.rejects(power(), { message: 'UNCERTAIN: accepted' });
  }
});

void t.test('a site that does not hear that either is given up', async (t) => {
  const { site, power, cancel } = await world(t);
  site.onOrder = () => setImmediate(() => cancel.abort(new Error('cancelled')));
  await t.rejects(power(), { message: /^UNCERTAIN/ });
  t.equal(site.orders.length, 1, 'and the order is not sent again');
  t.ok(site.results.every((question) => question.cancel));
});

void t.test('what a site says of a failure is harmless here', async (t) => {
  const cases: [Said, string][] = [
    [{ state: 'failed', phrase: 'FAILED', detail: 'no\u001b[2J\nspace' }, 'FAILED: no?[2J space'],
    [{ state: 'failed', phrase: 'SHUTTING DOWN', detail: '' }, 'UNREACHABLE: site berlin: its server is ending; nothing was done'],
    [{ state: 'failed', phrase: 'NOT AUTHENTICATED', detail: 'x' }, 'FAILED: site berlin: NOT AUTHENTICATED: x'],
    [{ state: 'failed', phrase: 'INTERNAL ERROR', detail: '' }, 'INTERNAL ERROR: at site berlin'],
    // as a newer server may have it
    [{ state: 'failed', phrase: 'OUT OF PAPER', detail: 'tray 2; nothing was done' }, 'FAILED: site berlin: OUT OF PAPER: tray 2; nothing was done'],
  ];
  for (const [said, message] of cases) {
    const { site, power } = await world(t);
    site.onOrder = (_order, reply) => reply(said);
    await t.rejects(power(), { message });
  }
  const { site, power } = await world(t);
  site.onOrder = (_order, reply) => reply({ state: 'failed', phrase: 'UNREACHABLE', detail: 'no lease', whole: 'no lease: paris\u001b[2J has it' });
  await t.rejects(told(power()), { message: 'UNREACHABLE: no lease' });
  await t.rejects(told(power(), true), { message: 'UNREACHABLE: no lease: paris?[2J has it' }, 'who may know why is told');
});

void t.test('an end that was to be verified and was not is none', async (t) => {
  const { site, power } = await world(t);
  site.onOrder = (_order, reply) => reply({ ...DONE, verified: false });
  await t.rejects(power(), { message: /^UNCERTAIN/ });
  t.match(await power({ ...STOP, wait: false }), { result: 'done', verified: false });
});

void t.test('a setting goes the same way', async (t) => {
  const { site, orders, call } = await world(t);
  site.onOrder = (_order, reply) => reply({ state: 'ended', result: 'already' });
  t.same(await orders.change(TARGET, { operation: 'autostart', value: true }, call), { result: 'already' });
  t.match(site.orders[0], { set: 'autostart', value: true, machine: 'id of web1', principal: { account: 'kim' } });
});

void t.test('only so many orders are under way at a site, and the others wait', async (t) => {
  // none is sent again meanwhile
  const { site, power, orders, call } = await world(t, { pace: { firstWord: 60_000, runningPatience: 60_000 } });
  const replies: Reply[] = [];
  site.onOrder = (_order, reply) => {
    replies.push(reply);
    reply({ state: 'running' });
  };
  const most = Array.from({ length: FLEET_ORDERS_PER_FRONT }, () => power());
  await until(() => replies.length === FLEET_ORDERS_PER_FRONT, WITHIN, 'all orders');
  const last = orders.power(TARGET, STOP, { ...call, account: 'bob' });
  replies.shift()!(DONE);
  await until(() => replies.length === FLEET_ORDERS_PER_FRONT, WITHIN, 'the next one');
  for (const reply of replies) reply(DONE);
  await Promise.all([...most, last]);
  t.equal(site.orders.length, FLEET_ORDERS_PER_FRONT + 1);
  t.match(site.orders.at(-1), { principal: { account: 'bob' } });
});

void t.test('what is sent at the same time goes in one parcel, and each is told its own answer', async (t) => {
  // none is sent again meanwhile
  const { hub, site, orders, call, refusals } = await world(t, { pace: { firstWord: 60_000 } });
  const replies = new Map<string, Reply>();
  site.onOrder = (order, reply) => { replies.set(order.instance, reply); };
  const power = (instance: string) => orders.power({ ...TARGET, machine: `id of ${instance}`, instance }, STOP, call);
  const [one, two, three] = [power('web1'), power('web2'), power('web3')];
  await until(() => replies.size === 3, WITHIN, 'all orders');
  t.equal(sent(hub, orderSubject('berlin')), 1, 'under one signature, which the site of the test has looked at');
  replies.get('web2')!({ state: 'failed', phrase: 'BUSY', detail: 'another action holds it' });
  await t.rejects(two, { message: /another action holds it/ });
  replies.get('web3')!(DONE);
  t.same(await three, OUTCOME);
  replies.get('web2')!(DONE);
  replies.get('web1')!(DONE, { signer: new NkeySigner(newSeed()) });
  await until(() => refusals.length > 0, WITHIN, 'what is forged to be noticed');
  t.equal(refusals.length, 1, 'a second word on one that has ended is none');
  replies.get('web1')!(DONE);
  t.same(await one, OUTCOME);
});
