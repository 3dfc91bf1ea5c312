import { Slices } from '../kit/slices.js';
import { MACHINE_TYPES, POWER_STATES } from './driver.js';
import type { Driver, DriverHost, DriverModule, Machine, Readings, Sample, Sighting, Sightings } from './driver.js';

/**
 * Drivers of `plugin-path`, which may have been written without types: what they hand over is looked at here, so that what is
 * no state is never told as one, and a name that is no text breaks nobody else's list. The server's own are checked by the
 * compiler, and go without.
 */

const isText = (value: unknown): boolean => typeof value === 'string';
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const isBytes = (value: unknown): boolean => typeof value === 'bigint' && value >= 0n;

function isLoad(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { averages, cpuPercent } = value as { readonly averages?: unknown; readonly cpuPercent?: unknown };
  return averages === undefined ? isNumber(cpuPercent) : Array.isArray(averages) && averages.length === 3 && averages.every(isNumber);
}

function isDisk(value: unknown): boolean {
  const { target, type } = (value ?? {}) as { readonly target?: unknown; readonly type?: unknown };
  return isText(target) && isText(type);
}

const isDisks = (value: unknown): boolean => Array.isArray(value) && value.every(isDisk);

/** What each answer of a machine has to be, in words and by a test. */
const ANSWERS: Readonly<Record<keyof Readings | 'bootMark', readonly [words: string, isRight: (value: unknown) => boolean]>> = {
  status: ['a state', (value) => (POWER_STATES as readonly unknown[]).includes(value)],
  info: ['an object', isObject],
  ip: ['a list of texts', isTexts],
  mac: ['a list of texts', isTexts],
  uptime: ['a number of seconds', isNumber],
  rx: ['a BigInt', isBytes],
  tx: ['a BigInt', isBytes],
  load: ['{ averages: [1, 2, 3] } or { cpuPercent: 1 }', isLoad],
  disk: ['a list of { target, type }', isDisks],
  bootMark: ['a text', isText],
};

/** @throws TypeError which the log tells */
function checked(name: string, value: unknown): unknown {
  if (!Object.hasOwn(ANSWERS, name)) return value;
  const [words, isRight] = ANSWERS[name as keyof typeof ANSWERS];
  if (!isRight(value)) throw new TypeError(`the driver's ${name} is not ${words}`);
  return value;
}

/** A machine of which id, name and type stay what they were when they were looked at. */
class Facade implements ProxyHandler<Machine> {
  readonly machine: Machine;

  constructor(readonly own: Machine, readonly id: string, readonly name: string, readonly type: Machine['type']) {
    // of an object that is frozen, a proxy could give nothing else than what is there
    this.machine = new Proxy({} as Machine, this);
  }

  has(_: Machine, key: string | symbol): boolean {
    return key in this.own;
  }

  get(_: Machine, key: string | symbol): unknown {
    if (key === 'id' || key === 'name' || key === 'type') return this[key];
    const { own } = this;
    const value: unknown = Reflect.get(own, key, own);
    // all methods of a machine are asynchronous; one that is not may be so by mistake
    return typeof value === 'function' ? async (...args: unknown[]) => checked(String(key), await Reflect.apply(value, own, args)) : value;
  }
}

/** A driver whose answers are looked at. */
class Answers implements ProxyHandler<Driver> {
  readonly #driver: Driver;
  readonly #facades = new WeakMap<Machine, Facade>();

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  has(_: Driver, key: string | symbol): boolean {
    return key in this.#driver;
  }

  get(_: Driver, key: string | symbol): unknown {
    const driver = this.#driver;
    const value: unknown = Reflect.get(driver, key, driver);
    if (typeof value !== 'function') return value;
    const call = (...args: unknown[]): unknown => Reflect.apply(value, driver, args);
    if (key === 'destination') return call;
    return async (...args: unknown[]) => this.#looked(key, await call(...args));
  }

  #looked(key: string | symbol, answer: unknown): unknown {
    if (key === 'list') return this.#listed(answer);
    if (key === 'sample') return sampled(answer);
    if (key === 'dmesg' && !isText(answer)) throw new TypeError('the driver\'s dmesg is no text');
    return answer;
  }

  async #listed(listed: unknown): Promise<Sightings> {
    if (!Array.isArray(listed)) throw new TypeError('the driver\'s list is no list');
    const { incomplete, isSilent } = listed as Sightings;
    if (incomplete !== undefined && !isText(incomplete)) throw new TypeError('why the driver\'s list is incomplete is no text');
    const slices = new Slices();
    const sightings: Sighting[] = [];
    for (let at = 0; at < listed.length; at += 1) {
      if (slices.isOver()) await slices.pause();
      sightings.push(this.#sighted(listed[at], at + 1));
    }
    return Object.assign(sightings, incomplete !== undefined && { incomplete }, isSilent === true && { isSilent });
  }

  #sighted(sighting: unknown, place: number): Sighting {
    const { machine, state } = (sighting ?? {}) as Partial<Sighting>;
    const wrong = (what: string): TypeError => new TypeError(`number ${place} of the driver's list: ${what}`);
    if (!isObject(machine)) throw wrong('its machine is no object');
    const { id, name, type } = machine!;
    if (!isText(id) || id === '') throw wrong('the machine\'s id is no text, or an empty one');
    if (!isText(name)) throw wrong('the machine\'s name is no text');
    if (!MACHINE_TYPES.includes(type)) throw wrong(`the machine's type is none of ${MACHINE_TYPES.join(', ')}`);
    if (state === undefined || !POWER_STATES.includes(state)) throw wrong(`its state is none of ${POWER_STATES.join(', ')}`);
    return { machine: this.#facadeOf(machine!, id, name, type).machine, state };
  }

  #facadeOf(machine: Machine, id: string, name: string, type: Machine['type']): Facade {
    const known = this.#facades.get(machine);
    if (known?.id === id && known.name === name && known.type === type) return known;
    const facade = new Facade(machine, id, name, type);
    this.#facades.set(machine, facade);
    return facade;
  }
}

function sampled(samples: unknown): unknown {
  if (!(samples instanceof Map)) throw new TypeError('the driver\'s sample is no Map');
  for (const sample of samples.values() as Iterable<Sample>)
    for (const [name, value] of Object.entries(sample)) if (value !== undefined) checked(name, value);
  return samples;
}

/** What a driver may tell, looked at. What is wrong with it is thrown at the driver. */
function checkedHost(host: DriverHost): DriverHost {
  return {
    name: host.name,
    log: (level, message, facts) => host.log(level, message, facts),
    changed: (id, state) => {
      if (!isText(id)) throw new TypeError('an id is a text');
      checked('status', state);
      host.changed(id, state);
    },
    relist: () => host.relist(),
    lost: (reason) => {
      if (!isText(reason)) throw new TypeError('a reason is a text');
      host.lost(reason);
    },
  };
}

/** One of which nothing can be had, in place of a driver that cannot be opened: it keeps nobody else from starting. */
const unopened = (thrown: unknown): Driver => ({ list: () => Promise.reject(thrown as Error), close: () => Promise.resolve() });

const modules = new WeakMap<object, DriverModule>();

/** The same module gives the same one: by that a reload knows whether it is another. */
export function checkedModule(module: DriverModule): DriverModule {
  const known = modules.get(module);
  if (known !== undefined) return known;
  const { options: entries, defaults } = module;
  const made: DriverModule = {
    kind: 'driver',
    options: entries,
    ...(defaults && { defaults }),
    check: (options) => module.check?.(options) ?? [],
    open: (options, host) => {
      try {
        return opened(module.open(options, checkedHost(host)));
      } catch (thrown) {
        return unopened(thrown);
      }
    },
  };
  modules.set(module, made);
  return made;
}

function opened(driver: unknown): Driver {
  const { list, close } = (driver ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof list !== 'function' || typeof close !== 'function') throw new TypeError('the driver\'s open gives nothing with list and close');
  return new Proxy({} as Driver, new Answers(driver as Driver));
}
