import t from 'tap';
import { ArgoError } from '../../src/kit/errors.js';
import { wayOf } from '../../src/instances/actions.js';
import type { PowerAction } from '../../src/instances/operation-table.js';
import type { PowerOrder } from '../../src/instances/order.js';
import { ENDINGS } from '../../src/instances/turn.js';
import type { Instance } from '../../src/instances/instance.js';
import { PowerRun } from '../../src/instances/power-run.js';
import type { Registry } from '../../src/instances/registry.js';
import type { PowerState } from '../../src/drivers/driver.js';
import { PRESS_AGAIN, STATE_COUNTS } from '../../src/kit/limits.js';
import { until } from '../support/until.js';
import { FakeMachine, fakeProvider, lostAfterSending, never } from './fake-driver.js';

/** Default deadline of the actions under test, ms: the waits that are meant to fail are this long. */
const ACTION_TIMEOUT = 300;

/** As the options of a request say it. */
interface Options { readonly force?: boolean; readonly timeout?: number; readonly wait?: number | boolean }

function orderOf(action: PowerAction, { force = false, timeout, wait = false }: Options): { order: PowerOrder; deadline: number | undefined } {
  const softFor = force && action === 'stop' ? timeout : undefined;
  const mode = softFor === undefined ? (force ? 'hard' : 'soft') : { softFor };
  return { order: { action, mode, wait }, deadline: softFor === undefined ? timeout : undefined };
}

function powerRun(instance: Instance, registry: Registry, action: PowerAction, options: Options = {}): PowerRun {
  return new PowerRun({
    instance, registry, ...orderOf(action, options), actionTimeout: ACTION_TIMEOUT, account: 'kim', permit: () => undefined,
  });
}

async function world(state: PowerState, change?: (machine: FakeMachine) => void) {
  const made = await fakeProvider([new FakeMachine('lj', state)]);
  change?.(made.machine);
  const run = async (action: PowerAction, options?: Options) => (await powerRun(made.instance, made.registry, action, options).run()).result;
  return { ...made, run };
}

const isPhrase = (phrase: string, words = /(?:)/) => (error: unknown) => error instanceof ArgoError && error.phrase === phrase && words.test(error.message);
const fails = async (t: { ok(value: unknown, message: string): boolean }, promise: Promise<unknown>, phrase: string, words?: RegExp) => {
  const error = await promise.then((value) => new Error(`resolved with ${String(value)}`), (thrown: unknown) => thrown);
  t.ok(isPhrase(phrase, words)(error), `${phrase} ${words ?? ''}, got: ${String(error)}`);
};

void t.test('what is there already is success and sends nothing', async (t) => {
  const cases: [PowerAction, PowerState][] = [['start', 'on'], ['stop', 'off'], ['pause', 'paused'], ['unpause', 'on'], ['resume', 'on']];
  for (const [action, state] of cases) {
    const { run, machine } = await world(state);
    t.equal(await run(action, { wait: true }), 'already', `${action} from ${state}`);
    t.same(machine.calls, []);
  }
});

void t.test('start does what the state asks for', async (t) => {
  const cases: [PowerState, string][] = [['off', 'start'], ['paused', 'unpause'], ['suspended', 'resume'], ['crashed', 'start'], ['unknown', 'start']];
  for (const [state, step] of cases) {
    const { run, machine } = await world(state);
    t.equal(await run('start', { wait: true }), 'done');
    t.same(machine.calls, [step], state);
  }
});

void t.test('the wrong state is told, and --force helps where it can', async (t) => {
  const { run, machine } = await world('paused');
  await fails(t, run('stop'), 'WRONG STATE', /lj is paused; use --force/);
  t.same(machine.calls, []);
  t.equal(await run('stop', { force: true }), 'done');
  t.same(machine.calls, ['powerOff']);
  await fails(t, run('reboot'), 'WRONG STATE', /lj is off/);
});

void t.test('what a state leaves open is asked of the machine, unless the order is forced', async (t) => {
  const cases: [PowerAction, PowerState][] = [['stop', 'stopping'], ['start', 'stopping'], ['start', 'unknown'], ['start', 'starting'], ['pause', 'stopping']];
  for (const [action, state] of cases) {
    const { run, machine } = await world(state, (lj) => { lj.objection = new ArgoError('BUSY', 'it is being saved'); });
    await fails(t, run(action), 'BUSY', /being saved/);
    t.same(machine.calls, [], `${action} from ${state}`);
  }
  const { run, machine } = await world('unknown', (lj) => { lj.objection = new ArgoError('WRONG STATE', 'it may run elsewhere'); });
  await fails(t, run('stop'), 'WRONG STATE', /elsewhere/);
  t.equal(await run('start', { force: true }), 'done');
  t.same(machine.calls, ['start']);
});

void t.test('a machine that is gone and on elsewhere has not ended', async (t) => {
  const { instance, registry, machine } = await world('on', (lj) => {
    lj.isOffWhenGone = true;
    lj.script = { shutdown: () => { lj.script = { status: () => { throw new ArgoError('NO SUCH INSTANCE', 'lj'); } }; } };
  });
  const run = new PowerRun({
    instance, registry, ...orderOf('stop', { wait: true }), actionTimeout: ACTION_TIMEOUT, account: 'kim', permit: () => undefined,
    placeElsewhere: () => 'is on as kvm2/lj',
  });
  await fails(t, run.run(), 'UNCERTAIN', /gone/);
  t.same(machine.calls, ['shutdown']);
});

void t.test('a step that the machine lacks is not supported', async (t) => {
  const { run } = await world('on');
  await fails(t, run('suspend'), 'NOT SUPPORTED', /lj/);
});

void t.test('a state that cannot be read is no reason to act', async (t) => {
  const { run, machine } = await world('off', (lj) => {
    lj.script = { status: () => { throw new ArgoError('UNREACHABLE', 'no route'); } };
  });
  await fails(t, run('start'), 'UNREACHABLE', /no route/);
  t.same(machine.calls, []);
});

void t.test('a machine that hangs before anything was sent is a timeout', async (t) => {
  const { run, machine } = await world('off', (lj) => { lj.script = { status: never }; });
  await fails(t, run('start', { timeout: 50 }), 'TIMEOUT', /no answer from lj in 50 ms/);
  t.same(machine.calls, []);
});

void t.test('a lost answer: the state decides', async (t) => {
  const done = await world('off', (lj) => {
    lj.script = {
      start: () => {
        lj.state = 'on';
        lostAfterSending();
      },
    };
  });
  t.equal(await done.run('start'), 'done', 'the machine is on: it was carried out');

  const open = await world('off', (lj) => { lj.script = { start: lostAfterSending }; });
  await fails(t, open.run('start'), 'UNCERTAIN', /last seen off/);

  const silent = await world('off', (lj) => {
    lj.script = {
      start: () => {
        lj.script.status = () => {
          throw new ArgoError('UNREACHABLE');
        };
        lostAfterSending();
      },
    };
  });
  await fails(t, silent.run('start'), 'UNCERTAIN');
});

void t.test('a lost answer with --wait: the state is waited for', async (t) => {
  const { run } = await world('on', (lj) => {
    lj.script = {
      shutdown: () => {
        setTimeout(() => {
          lj.state = 'off';
        }, 60);
        lostAfterSending();
      },
    };
  });
  t.equal(await run('stop', { wait: 5000 }), 'done');
});

void t.test('a call that hangs after sending is uncertain, not refused', async (t) => {
  const { run } = await world('off', (lj) => { lj.script = { start: never }; });
  await fails(t, run('start', { timeout: 50 }), 'UNCERTAIN');
});

/** A driver that heeds its signal, and knows that nothing was sent. */
const endsUnsent = (signal: AbortSignal): Promise<never> => new Promise((_, reject) => {
  signal.addEventListener('abort', () => reject(new ArgoError('UNREACHABLE', 'not sent')), { once: true });
});

void t.test('at the deadline, the driver has the last word on whether anything was sent', async (t) => {
  const unsent = await world('off', (lj) => { lj.script = { start: endsUnsent }; });
  await fails(t, unsent.run('start', { timeout: 50 }), 'UNREACHABLE', /not sent/);

  const done = await world('off', (lj) => {
    lj.script = { start: (signal) => new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        lj.state = 'on';
        resolve();
      });
    }) };
  });
  t.equal(await done.run('start', { timeout: 50 }), 'done');

  const clean = await world('on', (lj) => { lj.script = { shutdown: endsUnsent }; });
  t.equal(await clean.run('stop', { timeout: 50, force: true }), 'done');
  t.same(clean.machine.calls, ['shutdown', 'powerOff'], 'a clean stop that found no time to be sent was tried in vain');

  const neither = await world('on', (lj) => { lj.script = { shutdown: endsUnsent, powerOff: () => { throw new ArgoError('UNREACHABLE', 'gone'); } }; });
  await fails(t, neither.run('stop', { timeout: 50, force: true }), 'UNREACHABLE', /gone/);
});

void t.test('a stranger\'s error after sending is uncertain too', async (t) => {
  const { run } = await world('off', (lj) => { lj.script = { start: () => { throw new TypeError('a fault in the driver'); } }; });
  await fails(t, run('start'), 'UNCERTAIN', /^(?!.*driver)/);
});

void t.test('the machine\'s own refusal is passed on', async (t) => {
  const { run } = await world('off', (lj) => { lj.script = { start: () => { throw new ArgoError('FAILED', 'no memory'); } }; });
  await fails(t, run('start'), 'FAILED', /no memory/);
});

void t.test('--wait ends when the state is there, and says so when it does not come', async (t) => {
  const slow = await world('on', (lj) => {
    lj.script = {
      shutdown: () => {
        setTimeout(() => {
          lj.state = 'off';
        }, 80);
      },
    };
  });
  t.equal(await slow.run('stop', { wait: true }), 'done');
  t.equal(slow.machine.state, 'off');

  const deaf = await world('on', (lj) => { lj.script = { shutdown: () => undefined }; });
  await fails(t, deaf.run('stop', { wait: 100 }), 'TIMEOUT', /accepted, but lj is still on/);
});

void t.test('a guest that may miss the button is asked again while we wait', async (t) => {
  const { run, machine } = await world('on', (lj) => {
    lj.mayMissShutdown = true;
    lj.script = { shutdown: () => { if (lj.calls.length === 2) lj.state = 'off'; } };
  });
  t.equal(await run('stop', { wait: 20_000 }), 'done');
  t.same(machine.calls, ['shutdown', 'shutdown']);
});

void t.test('clean first, then the plug', async (t) => {
  const deaf = await world('on', (lj) => { lj.script = { shutdown: () => undefined }; });
  t.equal(await deaf.run('stop', { force: true, timeout: 60 }), 'done');
  t.same(deaf.machine.calls, ['shutdown', 'powerOff']);

  const obedient = await world('on');
  t.equal(await obedient.run('stop', { force: true, timeout: 5000 }), 'done');
  t.same(obedient.machine.calls, ['shutdown']);

  const cutOff = await world('on', (lj) => { lj.script = { shutdown: () => { throw new ArgoError('UNREACHABLE', 'gone'); } }; });
  await fails(t, cutOff.run('stop', { force: true, timeout: 60 }), 'UNREACHABLE');
  t.same(cutOff.machine.calls, ['shutdown'], 'what cannot be reached is not switched off');
});

void t.test('clean first also where it is about to be on, or stops already', async (t) => {
  for (const state of ['starting', 'unknown'] as const) {
    const { run, machine } = await world(state);
    t.equal(await run('stop', { force: true, timeout: 5000 }), 'done');
    t.same(machine.calls, ['shutdown'], state);
  }
  const stopping = await world('stopping', (lj) => { setTimeout(() => { lj.state = 'off'; }, 60); });
  t.equal(await stopping.run('stop', { force: true, timeout: 5000 }), 'done');
  t.same(stopping.machine.calls, [], 'what stops already is left to it');
});

void t.test('after a clean shutdown that was sent, an unreachable machine is uncertain', async (t) => {
  const { run, machine } = await world('on', (lj) => {
    lj.script = { shutdown: () => { lj.script.status = () => { throw new ArgoError('UNREACHABLE', 'gone'); }; } };
  });
  await fails(t, run('stop', { force: true, timeout: 60 }), 'UNCERTAIN');
  t.same(machine.calls, ['shutdown']);
});

void t.test('where the machine refuses the plug, it is told that it was to shut down before', async (t) => {
  const refused = (): never => { throw new ArgoError('FAILED', 'the plug is stuck'); };
  const deaf = await world('on', (lj) => { lj.script = { shutdown: () => undefined, powerOff: refused }; });
  await fails(t, deaf.run('stop', { force: true, timeout: 60 }), 'FAILED', /^FAILED: the plug is stuck; lj was told to shut down before, and may do so yet$/);
  t.equal(deaf.instance.state, 'on');
  const both = await world('on', (lj) => { lj.script = { shutdown: refused, powerOff: refused }; });
  await fails(t, both.run('stop', { force: true, timeout: 60 }), 'FAILED', /^FAILED: the plug is stuck$/);
});

void t.test('and one whose right was taken away, or that was ended otherwise, before the plug was pulled', async (t) => {
  for (const ending of [ENDINGS.forbidden(), ENDINGS.cancelled(), ENDINGS.shutDown()]) {
    const { instance, registry, machine } = await world('on');
    const run = powerRun(instance, registry, 'stop', { force: true, timeout: 60 });
    let looks = 0;
    machine.script = { shutdown: () => {
      // the first look takes all the time that the clean shutdown has, the next is that before the plug is pulled
      machine.script.status = (signal) => {
        looks += 1;
        if (looks === 1) return new Promise<void>((resolve) => { signal.addEventListener('abort', () => resolve()); });
        run.end(ending);
        return never();
      };
    } };
    await fails(t, run.run(), 'UNCERTAIN', new RegExp(`last seen on|when ${ending.event}`));
    t.same(machine.calls, ['shutdown']);
  }
});

void t.test('a dry run says what the action would do', async (t) => {
  const { machine } = await world('on');
  const plan = (state: PowerState, options: Options) => wayOf(orderOf('stop', options).order, 'lj', machine, state);
  t.equal(plan('on', { force: true, timeout: 5000 }), 'shutdown');
  t.equal(plan('on', { force: true }), 'powerOff');
  t.equal(plan('paused', { force: true, timeout: 5000 }), 'powerOff');
  t.equal(plan('off', {}), 'already');
});

void t.test('a run that is given up because the server ends says what is known', async (t) => {
  const abandoned = async (action: PowerAction, change: (machine: FakeMachine) => void, options: Options = {}) => {
    const { instance, registry } = await world('on', change);
    const run = powerRun(instance, registry, action, { timeout: 60_000, wait: true, ...options });
    setTimeout(() => run.end(ENDINGS.shutDown()), 50);
    return run.run();
  };
  await fails(t, abandoned('stop', (lj) => { lj.script = { status: never }; }), 'SHUTTING DOWN');
  await fails(t, abandoned('stop', (lj) => { lj.script = { shutdown: () => undefined }; }), 'UNCERTAIN', /accepted, and last seen on when the server ended/);
  await fails(t, abandoned('pause', (lj) => { lj.script = { pause: never }; }, { wait: false }), 'UNCERTAIN', /without an answer yet when the server ended/);
});

void t.test('a stop that was waited for in vain is not waited for again', async (t) => {
  const { run } = await world('on', (lj) => { lj.script = { shutdown: () => undefined }; });
  await fails(t, run('stop', { wait: 60 }), 'TIMEOUT');
  t.equal(await run('start'), 'already');
  t.equal(await run('stop'), 'done', 'accepted, nothing more');
  await fails(t, run('start', { timeout: 60 }), 'TIMEOUT', /was told to stop and is still on/);
});

void t.test('what a machine said against an order is told with it', async (t) => {
  const { run, machine } = await world('on');
  machine.script = { shutdown: () => { machine.complaint = 'Operation inhibited by "kim"'; } };
  await fails(t, run('stop', { wait: 60 }), 'TIMEOUT', /is still on after .*; it complained: Operation inhibited by "kim"$/);
});

void t.test('start after a stop whose answer was lost waits for the stop', async (t) => {
  const startWhileItGoesDown = ({ run, machine }: Awaited<ReturnType<typeof world>>) => {
    setTimeout(() => { machine.state = 'off'; }, 50);
    return run('start', { timeout: 5000, wait: true });
  };
  const lost = await world('on', (lj) => { lj.script = { shutdown: lostAfterSending }; });
  await fails(t, lost.run('stop'), 'UNCERTAIN', /last seen on/);
  t.equal(await startWhileItGoesDown(lost), 'done');
  t.same(lost.machine.calls, ['shutdown', 'start'], 'it did not count as started while it was going down');

  const dim = await world('on', (lj) => { lj.script = { shutdown: lostAfterSending }; });
  await fails(t, dim.run('stop'), 'UNCERTAIN', /last seen on/);
  dim.registry.see(dim.instance, 'unknown');
  t.equal(await startWhileItGoesDown(dim), 'done');
  t.same(dim.machine.calls, ['shutdown', 'start'], 'a state that could not be read in between ends no stop');

  const unplugged = await world('on', (lj) => {
    lj.script = { shutdown: lostAfterSending, powerOff: () => { throw new ArgoError('UNREACHABLE', 'no connection'); } };
  });
  await fails(t, unplugged.run('stop', { force: true, timeout: 50 }), 'UNCERTAIN', /last seen on/);
  t.equal(await startWhileItGoesDown(unplugged), 'done');
  t.same(unplugged.machine.calls, ['shutdown', 'powerOff', 'start']);
});

void t.test('a reboot is told by the boot mark', async (t) => {
  const good = await world('on');
  t.equal(await good.run('reboot', { wait: true }), 'done');

  const deaf = await world('on', (lj) => { lj.script = { reboot: () => undefined }; });
  await fails(t, deaf.run('reboot', { wait: 80 }), 'TIMEOUT', /accepted/);

  const lost = await world('on', (lj) => { lj.script = { reboot: lostAfterSending }; });
  await fails(t, lost.run('reboot'), 'UNCERTAIN', /last seen on/);

  const lostButDone = await world('on', (lj) => {
    lj.script = {
      reboot: () => {
        lj.boots += 1;
        lostAfterSending();
      },
    };
  });
  t.equal(await lostButDone.run('reboot'), 'done');

  const unmarked = await world('on', (lj) => { Object.assign(lj, { bootMark: undefined }); });
  await fails(t, unmarked.run('reboot', { wait: true }), 'NOT SUPPORTED', /cannot be verified/);
  t.equal(await unmarked.run('reboot'), 'done');

  const untold = await world('on', (lj) => {
    Object.assign(lj, { bootMark: () => Promise.reject(new ArgoError('FAILED', 'the host does not tell its boot id')) });
  });
  await fails(t, untold.run('reboot', { wait: true }), 'FAILED', /boot id/);
  t.equal(await untold.run('reboot'), 'done', 'nobody waits for it');
});

void t.test('start after an accepted stop waits for the stop', async (t) => {
  const { run, machine } = await world('on', (lj) => {
    lj.script = {
      shutdown: () => {
        setTimeout(() => {
          lj.state = 'off';
        }, 100);
      },
    };
  });
  t.equal(await run('stop'), 'done', 'accepted, still on');
  t.equal(machine.state, 'on');
  t.equal(await run('start', { timeout: 5000 }), 'done');
  t.same(machine.calls, ['shutdown', 'start']);
  t.equal(machine.state, 'on');
});

void t.test('two actions take turns, and the one that waits too long is told', async (t) => {
  let finish: (() => void) | undefined;
  const { run, machine } = await world('on', (lj) => {
    lj.script = {
      pause: () =>
        new Promise<void>((resolve) => {
          finish = () => {
            lj.state = 'paused';
            resolve();
          };
        }),
    };
  });
  const first = run('pause', { timeout: 5000 });
  await fails(t, run('start', { timeout: 50 }), 'BUSY', /lj/);
  const third = run('start', { timeout: 5000 });
  finish!();
  t.equal(await first, 'done');
  t.equal(await third, 'done');
  t.same(machine.calls, ['pause', 'unpause'], 'the third saw what the first had done');
});

void t.test('an already reached goal seen as a wrong state by the machine is success', async (t) => {
  const { run } = await world('off', (lj) => {
    lj.script = {
      start: () => {
        lj.state = 'on';
        throw new ArgoError('WRONG STATE', 'already running');
      },
    };
  });
  t.equal(await run('start'), 'done');
});

void t.test('a provider that is closed while an order is being sent does not make it one that was not sent', async (t) => {
  const obeysLate = (signal: AbortSignal) => new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  const cases: [PowerAction, Options, keyof FakeMachine][] = [
    ['stop', { force: true, timeout: undefined }, 'powerOff'], ['start', {}, 'start'], ['reboot', {}, 'reboot'],
    ['stop', { force: true, timeout: 60_000 }, 'shutdown'], ['stop', { wait: true, timeout: 60_000 }, 'shutdown'],
  ] as never;
  for (const [action, options, step] of cases) {
    const { run, machine, provider } = await world(action === 'start' ? 'off' : 'on', (lj) => { lj.script = { [step]: obeysLate }; });
    const running = run(action, { timeout: 60_000, ...options });
    await until(() => machine.calls.includes(step), 5000, 'the order to be sent');
    await provider.close(0);
    await fails(t, running, 'UNCERTAIN', /lj/);
  }
});

const gone = (): never => { throw new ArgoError('NO SUCH INSTANCE'); };

void t.test('a machine that is gone after the order to stop is off, where its driver says so', async (t) => {
  const vanishing = (isOffWhenGone: boolean) => world('on', (lj) => {
    lj.isOffWhenGone = isOffWhenGone;
    lj.script = { shutdown: () => { lj.script.status = gone; }, powerOff: () => { lj.script.status = gone; } };
  });
  for (const options of [{ wait: true }, { force: true, wait: true }, { force: true, timeout: 200 }]) {
    const { run, instance } = await vanishing(true);
    t.equal(await run('stop', options), 'done');
    t.equal(instance.state, 'off');
    const elsewhere = await vanishing(false);
    await fails(t, elsewhere.run('stop', options), 'UNCERTAIN', /last seen on/);
  }
  const lost = await world('on', (lj) => {
    lj.isOffWhenGone = true;
    lj.script = { shutdown: () => { lj.script.status = gone; lostAfterSending(); } };
  });
  t.equal(await lost.run('stop'), 'done', 'also where the answer to the order was lost');
  const never = await world('on', (lj) => { lj.isOffWhenGone = true; lj.script = { status: gone }; });
  await fails(t, never.run('stop', { wait: true }), 'NO SUCH INSTANCE', /(?:)/);
  t.same(never.machine.calls, [], 'one that was not there is not said to have been stopped');
  const started = await world('off', (lj) => {
    lj.isOffWhenGone = true;
    lj.script = {
      start: () => {
        lj.script.status = gone;
      },
    };
  });
  await fails(t, started.run('start', { wait: true }), 'UNCERTAIN', /accepted, and lj is gone since; last seen off/);
});

void t.test('one whose state cannot be had is not said to be on still', async (t) => {
  const silent = await world('on', (lj) => {
    lj.script = {
      shutdown: () => {
        lj.script.status = () => {
          throw new ArgoError('UNREACHABLE', 'silent');
        };
      },
    };
  });
  await fails(t, silent.run('stop', { wait: STATE_COUNTS + 200 }), 'UNCERTAIN', /accepted, and the state of lj cannot be had; last seen on/);
  const unknown = await world('on', (lj) => { lj.script = { shutdown: () => { lj.state = 'unknown'; } }; });
  await fails(t, unknown.run('stop', { wait: STATE_COUNTS + 200 }), 'UNCERTAIN', /accepted, and the state of lj cannot be had; last seen on/);
});

void t.test('a guest that starts anew when it is told to shut down is not told again and again', async (t) => {
  const { run, machine } = await world('on', (lj) => {
    lj.mayMissShutdown = true;
    lj.script = { shutdown: () => { lj.boots += 1; } };
  });
  await fails(t, run('stop', { wait: 20_000 }), 'FAILED', /lj was told to shut down and has started again/);
  t.same(machine.calls, ['shutdown']);
});

void t.test('a reboot that the guest may have missed is asked for again', async (t) => {
  const { run, machine } = await world('on', (lj) => {
    lj.mayMissShutdown = true;
    lj.script = { reboot: () => { if (lj.calls.length > 1) lj.boots += 1; } };
  });
  t.equal(await run('reboot', { wait: 20_000 }), 'done');
  t.same(machine.calls, ['reboot', 'reboot']);
});

/** As a process that is stopped for so many milliseconds, together with all its clocks' timers. */
const standStill = (ms: number): void => { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms); };

void t.test('a reboot is not asked for again by what was seen before this process stood still', async (t) => {
  for (const still of ['before it is decided', 'before it is sent']) {
    const { run, machine } = await world('on', (lj) => {
      let [asked, stood] = [0, false];
      lj.mayMissShutdown = true;
      lj.script = { reboot: () => { asked ||= performance.now(); } };
      lj.bootMark = async () => {
        const passed = asked === 0 ? 0 : performance.now() - asked;
        const told = String(lj.boots);
        // the guest has restarted meanwhile, and this answer does not say so
        if (!stood && passed > (still === 'before it is decided' ? PRESS_AGAIN - 500 : PRESS_AGAIN)) {
          stood = true;
          lj.boots += 1;
          standStill(PRESS_AGAIN);
        }
        return told;
      };
    });
    t.equal(await run('reboot', { wait: 30_000 }), 'done', still);
    t.same(machine.calls, ['reboot'], still);
  }
});

void t.test('a machine that is on elsewhere is started by force only', async (t) => {
  const elsewhere = (action: PowerAction, state: PowerState, options: Options = {}) => world(state).then(async ({ instance, registry, machine }) => {
    const run = new PowerRun({
      instance, registry, ...orderOf(action, options), actionTimeout: ACTION_TIMEOUT, account: 'kim', permit: () => undefined, placeElsewhere: () => 'is on as kvm2/lj',
    });
    return { result: run.run().then(({ result }) => result), machine };
  });
  for (const [action, state] of [['start', 'off'], ['start', 'suspended'], ['resume', 'suspended']] as const) {
    const refused = await elsewhere(action, state);
    await fails(t, refused.result, 'WRONG STATE', /lj is on as kvm2\/lj; --force starts it here all the same/);
    t.same(refused.machine.calls, []);
    t.equal(await (await elsewhere(action, state, { force: true })).result, 'done');
  }
  for (const [action, state] of [['start', 'on'], ['stop', 'on'], ['unpause', 'paused']] as const) t.match(await (await elsewhere(action, state)).result, /done|already/, action);
});
