import { Slices } from '../kit/slices.js';
import {
  ABILITY_ANSWERS, ANSWERS, DESTINATION, DRIVER_MEMBERS, DRIVER_METHODS, isObject, isText, MACHINE_MEMBERS, MACHINE_METHODS, MEMBER_ANSWERS, type Answers,
} from './answer-forms.js';
import { MACHINE_TYPES, POWER_STATES } from './driver.js';
import type { Driver, DriverHost, DriverModule, Machine, Sample, Sighting, Sightings } from './driver.js';

/**
 * Drivers of `plugin-path`, which may have been written without types: what they hand over is looked at here, so that what is
 * no state is never told as one, and a name that is no text breaks nobody else's list. The server's own are checked by the
 * compiler, and go without.
 */

/** @throws TypeError which the log tells */
function checked(answers: Answers, name: string, value: unknown, of = ''): unknown {
  if (!Object.hasOwn(answers, name)) return value;
  const [words, isRight] = answers[name]!;
  if (!isRight(value)) throw new TypeError(`the driver's ${of}${name} is not ${words}`);
  return value;
}

/** One of an object's methods, of which null means as little as undefined does. @throws TypeError */
function methodOf(own: object, key: string | symbol, answers: Answers, of = ''): ((...args: unknown[]) => Promise<unknown>) | undefined {
  const value = (Reflect.get(own, key, own) ?? undefined) as unknown;
  if (value === undefined) return undefined;
  if (typeof value !== 'function') throw new TypeError(`the driver's ${of}${String(key)} is no function`);
  // all of them are asynchronous; one that is not may be so by mistake
  return async (...args) => checked(answers, String(key), await Reflect.apply(value, own, args), of);
}

/** A member that is no method. @throws TypeError */
function memberOf(own: object, key: string, members: Answers): unknown {
  const value = (Reflect.get(own, key, own) ?? undefined) as unknown;
  return value === undefined ? undefined : checked(members, key, value);
}

/** An object of methods whose answers are looked at. */
const looked = (own: object, answers: Answers, of: string): object =>
  new Proxy({}, { has: (_, key) => key in own, get: (_, key) => methodOf(own, key, answers, `${of}.`) });

/** Groups of methods. */
const lookedGroups = (own: object): object => new Proxy({}, {
  has: (_, key) => key in own,
  get: (_, key) => {
    const group = memberOf(own, String(key), { [String(key)]: ['a group of methods', isObject] });
    return group === undefined ? undefined : looked(group as object, ABILITY_ANSWERS[String(key)] ?? {}, String(key));
  },
});

/** @throws TypeError */
function lookedMember(own: object, key: string, members: Answers): unknown {
  const value = memberOf(own, key, members);
  if (!isObject(value)) return value;
  if (key === 'abilities') return lookedGroups(value as object);
  return key === 'far' ? value : looked(value as object, MEMBER_ANSWERS[key] ?? {}, key);
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
    try {
      if (MACHINE_METHODS.has(key)) return methodOf(own, key, ANSWERS);
      return Object.hasOwn(MACHINE_MEMBERS, key) ? lookedMember(own, String(key), MACHINE_MEMBERS) : Reflect.get(own, key, own);
    } catch (thrown) {
      // to look at a machine breaks no list of others: what is wrong by now is told to who uses it
      const failing = (): Promise<never> => Promise.reject(thrown as Error);
      if (MACHINE_METHODS.has(key)) return failing;
      if (key === 'abilities') throw thrown;
      return key === 'autostart' ? { read: failing, set: failing } : undefined;
    }
  }
}

/** A driver whose answers are looked at. */
class LookedDriver implements ProxyHandler<Driver> {
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
    if (Object.hasOwn(DRIVER_MEMBERS, key)) return lookedMember(driver, String(key), DRIVER_MEMBERS);
    const value = (Reflect.get(driver, key, driver) ?? undefined) as unknown;
    if (typeof value !== 'function') return value;
    const call = (...args: unknown[]): unknown => Reflect.apply(value, driver, args);
    if (key === 'destination') return () => checked(DESTINATION, 'destination', call());
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
    if (lookThrough(machine!, wrong) === undefined) throw wrong('the machine has no status');
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

/** Looks at all that a machine has, before anybody relies on it. @returns its `status` */
function lookThrough(machine: Machine, wrong: (what: string) => TypeError): unknown {
  try {
    for (const key of MACHINE_METHODS) methodOf(machine, key, ANSWERS);
    for (const key of Object.keys(MACHINE_MEMBERS)) memberOf(machine, key, MACHINE_MEMBERS);
    return methodOf(machine, 'status', ANSWERS);
  } catch (thrown) {
    throw thrown instanceof TypeError ? wrong(thrown.message) : thrown;
  }
}

function sampled(samples: unknown): unknown {
  if (!(samples instanceof Map)) throw new TypeError('the driver\'s sample is no Map');
  for (const sample of samples.values() as Iterable<Sample>)
    for (const [name, value] of Object.entries(sample)) if (value !== undefined) checked(ANSWERS, name, value);
  return samples;
}

/** What a driver may tell, looked at. What is wrong with it is thrown at the driver. */
function checkedHost(host: DriverHost): DriverHost {
  return {
    name: host.name,
    log: (level, message, facts) => host.log(level, message, facts),
    changed: (id, state) => {
      if (!isText(id)) throw new TypeError('an id is a text');
      checked(ANSWERS, 'status', state);
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
  for (const key of DRIVER_METHODS) methodOf(driver as object, key, {});
  for (const key of Object.keys(DRIVER_MEMBERS)) memberOf(driver as object, key, DRIVER_MEMBERS);
  return new Proxy({} as Driver, new LookedDriver(driver as Driver));
}
