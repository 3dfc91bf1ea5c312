import { getEventListeners } from 'node:events';
import t, { type Test } from 'tap';
import { ArgoError, type Phrase } from '../../../src/kit/errors.js';
import type { Log } from '../../../src/kit/log.js';
import type { Machine, PowerState } from '../../../src/drivers/driver.js';
import { withBoard, type Board, type BoardOrder } from '../../../src/drivers/host/board.js';

const signal = new AbortController().signal;

/** A board in memory. */
class FakeBoard implements Board {
  readonly title = 'ipmi bmc1';
  state: PowerState = 'on';
  looks = 0;
  /** what it fails by */
  phrase: Phrase | undefined;
  held: Promise<void> | undefined;
  isClosed = false;
  readonly orders: BoardOrder[] = [];

  async power(): Promise<PowerState> {
    this.looks += 1;
    await this.held;
    if (this.phrase) throw new ArgoError(this.phrase, 'ipmi bmc1: so it is');
    return this.state;
  }

  order(order: BoardOrder): Promise<void> {
    if (this.phrase) return Promise.reject(new ArgoError(this.phrase, 'ipmi bmc1: so it is'));
    this.orders.push(order);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

/** A host as a driver makes it, with private fields as drivers' machines have. */
class OwnHost implements Machine {
  readonly id = 'web1';
  readonly name = 'web1';
  readonly type = 'host';
  readonly #calls: string[] = [];
  seen: PowerState | ArgoError = 'on';
  mark: string | ArgoError = 'boot 1';
  isDeaf = false;
  isClosed = false;
  readonly look: (signal: AbortSignal, isBackground: true) => Promise<PowerState> = () => this.status();
  readonly start?: () => Promise<void> = () => this.#call('start');

  get calls(): readonly string[] {
    return this.#calls;
  }

  status(): Promise<PowerState> {
    return this.seen instanceof ArgoError ? Promise.reject(this.seen) : Promise.resolve(this.seen);
  }

  shutdown(): Promise<void> {
    return this.isDeaf ? Promise.reject(new ArgoError('UNREACHABLE', 'SSH: no route')) : this.#call('shutdown');
  }

  bootMark(): Promise<string> {
    return this.mark instanceof ArgoError ? Promise.reject(this.mark) : Promise.resolve(this.mark);
  }

  info() {
    return this.isDeaf ? Promise.reject(new ArgoError('UNREACHABLE', 'SSH: no route')) : Promise.resolve({ more: { kernel: '6.1' } });
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  #call(what: string): Promise<void> {
    this.#calls.push(what);
    return Promise.resolve();
  }
}

function boarded(_: Test, mayPressButton = true) {
  const board = new FakeBoard();
  const own = new OwnHost();
  const lines: string[] = [];
  const log: Log = (level, message, facts) => { lines.push(`${level}: ${message} ${JSON.stringify(facts)}`); };
  const forgotten = { times: 0 };
  const machine: Machine & OwnHost = withBoard(own, { board, log, mayPressButton, forgetWake: () => { forgotten.times += 1; } });
  return { board, own, machine, lines, forgotten };
}

await t.test('a host without a board stays as it is', (t) => {
  const own = new OwnHost();
  t.equal(withBoard(own, undefined), own);
  t.end();
});

await t.test('the board\'s word is the power', async (t) => {
  const { board, own, machine } = boarded(t);
  own.seen = 'off';
  t.equal(await machine.status(signal), 'on', 'whoever is silent');
  board.state = 'off';
  own.seen = 'on';
  t.equal(await machine.status(signal), 'off', 'and whoever answers in its name');
  board.state = 'stopping';
  t.equal(await machine.look(signal, true), 'stopping');
});

await t.test('without the board, a sign of life counts, and silence is not off', async (t) => {
  const { board, own, machine, lines } = boarded(t);
  board.phrase = 'UNREACHABLE';
  t.equal(await machine.status(signal), 'on');
  own.seen = 'off';
  t.equal(await machine.status(signal), 'unknown');
  own.seen = new ArgoError('UNREACHABLE', 'no route');
  t.equal(await machine.status(signal), 'unknown');
  own.seen = 'stopping';
  t.equal(await machine.status(signal), 'stopping');
  t.equal(lines.length, 1, 'it is logged once');
  t.match((await machine.info!(signal)).more, { kernel: '6.1', board: /^(?!.*bmc1.*bmc1).*bmc1.*/ }, 'which is named once');
  own.isDeaf = true;
  t.match((await machine.info!(signal)).more, { error: 'UNREACHABLE: SSH: no route', board: /UNREACHABLE/ }, 'also of a host that cannot be asked');
  own.isDeaf = false;
  board.phrase = 'ACCESS DENIED';
  own.seen = 'off';
  await t.rejects(machine.status(signal), { name: 'ArgoError', phrase: 'ACCESS DENIED' }, 'people are told what they can mend');
  own.seen = 'on';
  t.equal(await machine.status(signal), 'on');
  board.phrase = undefined;
  t.equal(await machine.status(signal), 'on');
  t.same((await machine.info!(signal)).more, { kernel: '6.1', board: 'ipmi bmc1' });
});

await t.test('hard orders go to the board, the clean one to the system', async (t) => {
  const { board, own, machine, forgotten } = boarded(t);
  await machine.start!(signal);
  await machine.powerOff!(signal);
  await machine.reset!(signal);
  await machine.shutdown(signal);
  t.same(board.orders, ['on', 'off', 'reset']);
  t.same(own.calls, ['shutdown']);
  t.equal(forgotten.times, 2, 'packets that would wake it again are ended');
  board.phrase = 'UNCERTAIN';
  await t.rejects(machine.powerOff!(signal), { name: 'ArgoError', phrase: 'UNCERTAIN' });
  await t.rejects(machine.start!(signal), { name: 'ArgoError', phrase: 'UNCERTAIN' });
  t.same(own.calls, ['shutdown'], 'what may have been done is not done again in another way');
  board.phrase = 'UNREACHABLE';
  await machine.start!(signal);
  await t.rejects(machine.powerOff!(signal), { name: 'ArgoError', phrase: 'UNREACHABLE' });
  t.same(own.calls, ['shutdown', 'start'], 'what was certainly not sent may be done by the host\'s own way');
});

await t.test('the power button, where the system cannot be asked', async (t) => {
  const { board, own, machine } = boarded(t);
  own.isDeaf = true;
  await machine.shutdown(signal);
  t.same(board.orders, ['soft']);
  board.phrase = 'UNREACHABLE';
  await t.rejects(machine.shutdown(signal), { name: 'ArgoError', phrase: 'UNREACHABLE', detail: /^SSH: no route; nor can its power button be pressed: ./ });
  board.phrase = 'UNCERTAIN';
  await t.rejects(machine.shutdown(signal), { name: 'ArgoError', phrase: 'UNCERTAIN' });
  const manager = boarded(t, false);
  manager.own.isDeaf = true;
  await t.rejects(manager.machine.shutdown(signal), { name: 'ArgoError', phrase: 'UNREACHABLE' }, 'nobody knows what runs on it');
  t.same(manager.board.orders, []);
});

await t.test('after a start it is starting until its system is seen', async (t) => {
  const { board, own, machine } = boarded(t);
  own.seen = 'off';
  board.state = 'off';
  await machine.start!(signal);
  t.equal(await machine.status(signal), 'off', 'as long as the board says so');
  board.state = 'on';
  t.equal(await machine.status(signal), 'starting');
  own.seen = 'on';
  t.equal(await machine.status(signal), 'on');
  own.seen = 'off';
  t.equal(await machine.status(signal), 'on', 'from then on the board\'s word alone counts');
});

await t.test('a hung system keeps nobody from a reset', async (t) => {
  const { own, machine } = boarded(t);
  t.equal(await machine.bootMark(signal), 'boot 1');
  own.mark = new ArgoError('UNREACHABLE', 'SSH: silent');
  await t.rejects(machine.bootMark(signal), { name: 'ArgoError', phrase: 'FAILED', detail: /cannot be verified; leave out --wait/ });
});

await t.test('looks are shared, but people do not wait for a listing\'s', async (t) => {
  const { board, machine } = boarded(t);
  let go = (): void => undefined;
  board.held = new Promise((resolve) => { go = resolve; });
  const looks = [machine.look(signal, true), machine.look(signal, true), machine.status(signal), machine.status(signal), machine.look(signal, true)];
  const impatient = new AbortController();
  const left = machine.status(impatient.signal);
  impatient.abort(new Error('enough'));
  await t.rejects(left, { message: 'enough' });
  t.equal(board.looks, 2);
  board.state = 'on';
  await machine.reset!(signal);
  board.state = 'off';
  const after = machine.status(signal);
  t.equal(board.looks, 3, 'what was asked before an order says nothing of what came of it');
  go();
  await Promise.all([...looks, after]);
});

await t.test('a whole fleet under one signal does not burden it', async (t) => {
  const fleet = Array.from({ length: 20 }, () => boarded(t));
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => { release = resolve; });
  for (const { board } of fleet) board.held = held;
  const leaving = new AbortController();
  const looks = fleet.map(({ machine }) => machine.look(leaving.signal, true));
  t.ok(getEventListeners(leaving.signal, 'abort').length <= 1);
  leaving.abort(new Error('enough'));
  for (const look of looks) await t.rejects(look, { message: 'enough' });
  release();
});

await t.test('everything else is the driver\'s own', async (t) => {
  const { board, own, machine } = boarded(t);
  t.same(machine.calls, []);
  t.equal(machine.name, 'web1');
  t.equal(machine.reboot, undefined);
  await machine.close();
  t.ok(board.isClosed && own.isClosed);
});
