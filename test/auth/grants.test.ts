import t from 'tap';
import { Account } from '../../src/auth/account.js';
import type { AccountSettings } from '../../src/config/config.js';
import type { Permission } from '../../src/instances/principal.js';

/** Decisions compared with the model. */
const DECISIONS = 120_000;
/** Decisions an account: making one costs more than asking it. */
const DECISIONS_AN_ACCOUNT = 40;

/** A small generator with a fixed seed, so that a failure can be looked at again (Park and Miller, 1988). */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

const random = generator(20_203);
const pick = <T>(values: readonly T[]): T => values[random(values.length)]!;
const some = <T>(most: number, make: () => T): T[] => Array.from({ length: random(most + 1) }, make);

const PROVIDERS = ['lab', 'lab2', 'kvm1', 'xen'];
const NAMES = ['lj', 'web', 'web1', 'web2', 'web10', 'web02', 'db.my.flat', 'one.my.flat', 'lab', 'a b', 'WEB1', 'w', ''];
const PATTERNS = [
  '*', '*/*', 'lj', 'web*', '*1', '*.my.flat', 'lab/*', 'lab*/web1', 'lab?/*', 'web[1-9]', 'web[01-09]', 'web[1-2,10]', '?', 'w*b*',
  'kvm1/lj', 'xen/web[1-3]', '[lw]*', '[!w]*', '@web', '@all', '@none', 'lab', '*/lj', 'web?', '*b*b*',
];
const COMMANDS: readonly Permission[] = [
  ...['list', 'status', 'info', 'ip', 'hello'].map((word) => ({ word, right: 'read' as const })),
  ...['start', 'stop', 'reboot', 'pause', 'unpause', 'blink'].map((word) => ({ word, right: 'power' as const })),
];
const HELD = ['*', 'read', 'power', 'start', 'stop', 'STATUS', 'list', 'hello', 'blink', 'nonsense'];
const GROUPS = new Map<string, readonly string[]>([
  ['web', ['web[1-20]', 'lab/lj']],
  ['all', ['@web', '@loop', 'db*']],
  ['loop', ['@all', 'xen/*']],
  ['none', []],
]);

/**
 * The model: grants as sentences of the specification, written without the code's patterns. A name
 * part is turned into a regular expression, numbers are compared as numbers.
 */
function modelPartMatches(pattern: string, name: string): boolean {
  let source = '';
  for (let rest = pattern; rest !== '';) {
    const bracket = /^\[([^\]]+)\]/.exec(rest);
    if (bracket && /^[\d,-]+$/.test(bracket[1]!)) {
      const numbers = bracket[1]!.split(',').flatMap((part) => {
        const [first, last = first] = part.split('-') as [string, string?];
        return Array.from({ length: Number(last) - Number(first) + 1 }, (_, step) => String(Number(first) + step).padStart(first.startsWith('0') ? first.length : 0, '0'));
      });
      source += `(?:${numbers.join('|')})`;
    } else if (bracket) {
      source += bracket[0].replace('[!', '[^');
    } else {
      source += rest[0] === '*' ? '.*' : rest[0] === '?' ? '.' : rest[0]!.replace(/[.\\+^$(){}|]/, '\\$&');
    }
    rest = rest.slice(bracket ? bracket[0].length : 1);
  }
  return new RegExp(`^${source}$`, 's').test(name);
}

function modelMatches(pattern: string, provider: string, name: string, seen: readonly string[] = []): boolean {
  if (pattern.startsWith('@')) {
    if (seen.includes(pattern)) return false;
    return (GROUPS.get(pattern.slice(1)) ?? []).some((inner) => modelMatches(inner, provider, name, [...seen, pattern]));
  }
  const slash = pattern.indexOf('/');
  if (slash === -1) return modelPartMatches(pattern, name);
  return modelPartMatches(pattern.slice(0, slash), provider) && modelPartMatches(pattern.slice(slash + 1), name);
}

function modelDecides(settings: AccountSettings, provider: string, name: string, { word, right }: Permission): { sees: boolean; allows: boolean } {
  const covering = settings.grants.filter(({ instances }) => instances.some((pattern) => modelMatches(pattern, provider, name)));
  const allows = covering.some(({ commands }) => commands.some((held) => ['*', word, right].includes(held.toLowerCase())));
  return { sees: covering.length > 0, allows };
}

void t.test('random decisions agree with an independent model', async (t) => {
  let allowed = 0;
  let seen = 0;
  const differences: unknown[] = [];
  for (let done = 0; done < DECISIONS; done += DECISIONS_AN_ACCOUNT) {
    const settings: AccountSettings = {
      name: 'someone',
      passwordHash: '',
      from: undefined,
      grants: some(3, () => ({ instances: some(3, () => pick(PATTERNS)), commands: some(3, () => pick(HELD)) })),
    };
    const account = new Account(settings, GROUPS);
    for (let count = 0; count < DECISIONS_AN_ACCOUNT; count += 1) {
      const instance = { provider: pick(PROVIDERS), name: pick(NAMES) };
      const permission = pick(COMMANDS);
      const expected = modelDecides(settings, instance.provider, instance.name, permission);
      const decided = { sees: account.sees(instance), allows: account.allows(instance, permission) };
      if (decided.sees !== expected.sees || decided.allows !== expected.allows) differences.push({ settings, instance, permission, expected, decided });
      allowed += Number(decided.allows);
      seen += Number(decided.sees);
    }
  }
  t.same(differences.slice(0, 3), []);
  t.ok(allowed > DECISIONS / 50 && allowed < seen && seen < DECISIONS, 'the sample holds all three kinds of decision');
});

void t.test('a pattern does not reach from one provider into another', async (t) => {
  const account = new Account({ name: 'a', passwordHash: '', from: undefined, grants: [{ instances: ['lab/*', 'lab*'], commands: ['*'] }] }, new Map());
  t.equal(account.sees({ provider: 'lab', name: 'x' }), true);
  t.equal(account.sees({ provider: 'lab2', name: 'x' }), false);
  t.equal(account.sees({ provider: 'other', name: 'lab-x' }), true);
});

void t.test('a provider as a whole needs a grant that covers all of it', async (t) => {
  const dmesg: Permission = { word: 'dmesg', right: 'read' };
  const account = (instances: string[], commands: string[]) =>
    new Account({ name: 'a', passwordHash: '', from: undefined, grants: [{ instances, commands }] }, new Map());
  t.equal(account(['lj', 'web*'], ['*']).allowsProvider('lab', dmesg), false);
  t.equal(account(['lab/*'], ['read']).allowsProvider('lab', dmesg), true);
  t.equal(account(['lab/*'], ['read']).allowsProvider('lab2', dmesg), false);
  t.equal(account(['*'], ['power']).allowsProvider('lab', dmesg), false);
  t.equal(account(['*'], ['dmesg']).allowsProvider('lab', dmesg), true);
});
