import * as v from 'valibot';
import type { NameForm } from './reader.js';
import { BCRYPT_COST, BCRYPT_COST_MOST } from '../kit/limits.js';
import { InstancePattern, PatternError } from '../kit/patterns.js';
import { duration, endpoints, flag, longDuration, networks, positiveDuration, size, text, texts, whole } from './values.js';

/** The tables of argo-server.conf that belong to no driver and no gateway. */

const DEFAULT_PORT_ENDPOINT = '127.0.0.1:20203';

/** Why a text is no pattern, or undefined. @param make makes the pattern of it */
export function patternFault(make: () => unknown): string | undefined {
  try {
    make();
    return undefined;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}

const instancePatternFault = (pattern: string): string | undefined => (pattern.startsWith('@') ? undefined : patternFault(() => new InstancePattern(pattern)));

export const instancePattern = v.pipe(
  text,
  v.check((pattern) => instancePatternFault(pattern) === undefined, (issue) => instancePatternFault(String(issue.input)) ?? 'not a pattern'),
);

export const serverTable = v.strictObject({
  listen: v.optional(endpoints, [DEFAULT_PORT_ENDPOINT]),
  'tls-listen': v.optional(endpoints, []),
  'tls-cert': v.optional(text),
  'tls-key': v.optional(text),
  'tls-client-ca': v.optional(text),
  'state-dir': v.optional(text),
  'audit-sync': v.optional(v.picklist(['full', 'normal'], 'one of "full", "normal" is expected'), 'full'),
  'audit-keep': v.optional(longDuration, '400d'),
  'audit-max-size': v.optional(size),
  'plugin-path': v.optional(texts, []),
  'max-line': v.optional(whole(64, 1_048_576), 4096),
  'max-connections': v.optional(whole(1, 1_000_000), 1024),
  'max-connections-per-address': v.optional(whole(1, 1_000_000), 64),
  'idle-timeout': v.optional(positiveDuration, '10m'),
  'anonymous-list': v.optional(flag, true),
  'action-timeout': v.optional(positiveDuration, '120s'),
  'event-history': v.optional(whole(16, 1_048_576), 65_536),
  'max-watchers-per-account': v.optional(whole(0, 1024), 64),
  'own-host': v.optional(v.array(instancePattern, 'a list of patterns is expected, such as ["kvm1/argo"]'), []),
  'log-level': v.optional(v.picklist(['debug', 'info', 'warn', 'error'], 'one of "debug", "info", "warn", "error" is expected'), 'info'),
});

export const groupsTable = v.record(v.string(), v.array(instancePattern, 'a list of patterns is expected, such as ["web[1-20]"]'));

const BCRYPT_HASH = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;

const passwordHash = v.pipe(
  text,
  v.regex(BCRYPT_HASH, 'must be a bcrypt hash; `argo-server account passwd` writes one'),
  v.check((hash) => Number(BCRYPT_HASH.exec(hash)?.[1] ?? BCRYPT_COST) >= BCRYPT_COST,
    `the cost of the bcrypt hash must be at least ${BCRYPT_COST}`),
  v.check((hash) => Number(BCRYPT_HASH.exec(hash)?.[1] ?? BCRYPT_COST) <= BCRYPT_COST_MOST,
    `the cost of the bcrypt hash must be at most ${BCRYPT_COST_MOST}: no login would end in time`),
);

/** Names of tokens stand in log and audit, between brackets. */
export const TOKEN_NAME: NameForm = { form: /^[A-Za-z0-9_.-]{1,64}$/, rule: 'a-z, A-Z, 0-9 and . _ - can be, up to 64 of them' };

const TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/;

const tokenTable = v.strictObject({
  name: v.pipe(text, v.regex(TOKEN_NAME.form, `cannot be used: ${TOKEN_NAME.rule}`)),
  hash: v.pipe(text, v.regex(/^sha256:[0-9a-f]{64}$/, 'must be the hash of a token; `argo-server account token` makes one and writes it')),
  expires: v.optional(v.pipe(
    v.string('a time in quotes is expected, such as "2027-01-31" or "2027-01-31T12:00:00Z"'),
    v.check((time) => TIME.test(time) && !Number.isNaN(Date.parse(time)), 'not a time; write "2027-01-31" or "2027-01-31T12:00:00Z"'),
    v.transform(Date.parse),
  )),
  instances: v.optional(v.array(instancePattern, 'a list of patterns is expected, such as ["lj", "lab/*"]'), ['*']),
  commands: v.optional(v.array(text, 'a list of command words is expected, such as ["read", "start"]'), ['*']),
});

/** Which commands on which instances: of an account, and of a front at a site. */
export const grantTable = v.strictObject({
  instances: v.array(instancePattern, 'a list of patterns is expected, such as ["lj", "lab/*"]'),
  commands: v.array(text, 'a list of command words is expected, such as ["read", "start"]'),
});

export const accountTable = v.strictObject({
  password: passwordHash,
  from: v.optional(networks),
  grants: v.optional(v.array(grantTable, 'write [[accounts.NAME.grants]], with two brackets on each side: an account may have several'), []),
  tokens: v.optional(v.array(tokenTable, 'write [[accounts.NAME.tokens]], with two brackets on each side: an account may have several'), []),
});

/** Names that are typed as words and printed in logs. */
export const ACCOUNT_NAME: NameForm = { form: /^[\p{L}\p{N}_.@+\\-]{1,64}$/u, rule: 'letters, digits and . _ - @ + \\ can be, up to 64 of them' };
export const PROVIDER_NAME: NameForm = { form: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, rule: 'it begins with one of a-z, A-Z and 0-9, and goes on with those and . _ -, up to 64 in all' };
export const GATEWAY_NAME = PROVIDER_NAME;
export const TRIGGER_NAME = PROVIDER_NAME;
/** Not what the word `plan` takes for something else: its own words, and the ids of runs. */
export const PLAN_NAME: NameForm = {
  form: /^(?!(?:run|status|cancel|resume|hold|release|triggers|list|undo|[0-9a-f]{8})$)[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/i,
  rule: `${PROVIDER_NAME.rule}; words of the command plan, such as run, and eight digits of a run's id are taken`,
};
const GROUP = /^[\p{L}\p{N}_.-]{1,64}$/u;
export const GROUP_NAME: NameForm = { form: GROUP, rule: 'letters, digits and . _ - can be, up to 64 of them' };
export const STAGE_NAME = GROUP;

/** As whom somebody logs in on a host. It stands in URIs, too. */
export const LOGIN_NAME: NameForm = { form: /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/, rule: 'it begins with one of a-z, A-Z and _, and goes on with those, 0-9 and . -, up to 32 in all' };

/** Hosts that ask to be managed, and how the server comes to log in on them. */
export const enrolmentTable = v.strictObject({
  user: v.optional(v.pipe(text, v.regex(LOGIN_NAME.form, `cannot be used: ${LOGIN_NAME.rule}`)), 'root'),
  'private-key-file': v.optional(text),
  'private-key-env': v.optional(text),
});

/** The keys that every provider's table takes beside those of its driver. */
export const providerEntries = {
  type: text,
  'action-timeout': v.optional(positiveDuration),
  'poll-interval': v.optional(v.pipe(duration, v.minValue(100, 'must be at least "100ms"'))),
  concurrency: v.optional(whole(1, 100_000)),
  lease: v.optional(v.pipe(text, v.regex(PROVIDER_NAME.form, `cannot be used: ${PROVIDER_NAME.rule}`))),
};

/** The keys that every gateway's table takes beside those of its type. */
export const gatewayEntries = { type: text };

/** The keys that every trigger's table takes beside those of its type. */
export const triggerEntries = { type: text };

/** What to say where a table names an account that is not there. */
export const noAccount = (name: string): string => `there is no account ${name}; \`argo-server account add ${name}\` makes it`;
