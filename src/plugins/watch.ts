import { ArgoError } from '../kit/errors.js';
import { quoted } from '../kit/text.js';
import { EVENT_TYPES, type EventFacts, type EventType } from '../instances/events.js';
import type { ToldEvent } from '../instances/subscription.js';
import type { Context, Plugin } from './host/contract.js';

const USAGE = 'watch [NAME...] [--since=CURSOR] [--state] [--types=TYPE,...]';

/** What was asked for. */
interface Asked {
  readonly names: readonly string[];
  readonly since: string | undefined;
  readonly state: boolean;
  readonly types: readonly EventType[] | undefined;
}

/** The words, options among them; behind `--` all are names. @returns undefined where they are wrong */
function parse(words: readonly string[]): Asked | undefined {
  const asked = { names: [] as string[], since: undefined as string | undefined, state: false, types: undefined as EventType[] | undefined };
  const end = words.includes('--') ? words.indexOf('--') : words.length;
  for (const word of words.slice(0, end)) {
    const [, option, value] = /^--([a-z]+)(?:=(.*))?$/.exec(word) ?? [];
    if (!word.startsWith('--')) asked.names.push(word);
    else if (option === 'state' && value === undefined) asked.state = true;
    else if (option === 'since' && value) asked.since = value;
    else if (option === 'types' && value) asked.types = value.split(',').map(toType);
    else return undefined;
  }
  asked.names.push(...words.slice(end + 1));
  return asked;
}

/** @throws ArgoError USAGE */
function toType(word: string): EventType {
  const type = EVENT_TYPES.find((one) => one === word);
  if (type === undefined) throw new ArgoError('USAGE', `${USAGE}, each TYPE one of ${EVENT_TYPES.join(', ')}`);
  return type;
}

const pair = (key: string, value: string | undefined): string => (value === undefined ? '' : ` ${key}=${quoted(value)}`);

/** Type, name and values of an event. */
function words(facts: EventFacts): string {
  switch (facts.type) {
    case 'state': return `state ${quoted(facts.instance)} ${facts.now} ${facts.before}`;
    case 'added':
    case 'removed': return `${facts.type} ${quoted(facts.instance)} ${facts.now}`;
    case 'provider': return `provider ${quoted(facts.provider)} ${facts.now}${pair('reason', facts.reason)}`;
    case 'plan': {
      const { plan, run, stage, outcome, reason } = facts;
      return `plan ${quoted(plan)} ${quoted(outcome)} run=${run}${pair('stage', stage)}${pair('reason', reason)}`;
    }
    case 'server': return `server ${facts.now}`;
    case 'action': {
      const { instance, command, options, outcome, account, auditId, ms } = facts;
      const pairs = [`account=${quoted(account)}`, `audit=${auditId}`, ...(options ? [`options=${quoted(options)}`] : []), ...(ms === undefined ? [] : [`ms=${Math.round(ms)}`])];
      return `action ${quoted(instance)} ${quoted(command)} ${quoted(outcome)} ${pairs.join(' ')}`;
    }
  }
}

const line = (cursor: string, time: Date, rest: string): string => `${cursor} ${time.toISOString()} ${rest}`;

/** Lines that are kept for others. */
const LINES_KEPT = 256;
const NO_LINES: readonly string[] = [];

/** What was told last, by what happened: others are told of it with the same line, which costs as much to put together as to send. */
const lines = new Map<EventFacts, string>();

function lineOf({ cursor, time, facts }: ToldEvent): string {
  let known = lines.get(facts);
  if (known === undefined) {
    if (lines.size >= LINES_KEPT) lines.clear();
    lines.set(facts, known = line(cursor, time, words(facts)));
  }
  return known;
}

/** What is visible now, so that a client need not list separately. */
function* states({ actor }: Context, { names }: Asked, selected: ReadonlySet<string>, cursor: string): Generator<string> {
  const now = new Date();
  for (const { instance } of actor.visible()) {
    if (names.length === 0 || selected.has(instance.fullName)) yield line(cursor, now, `is ${quoted(instance.fullName)} ${instance.state}`);
  }
  const stale = actor.staleness();
  yield line(cursor, now, `synced${pair('stale', stale.length === 0 ? undefined : stale.join(', '))}`);
}

/** Full names of those that are selected; none is no error: some may come. */
async function select({ actor }: Context, names: readonly string[]): Promise<ReadonlySet<string>> {
  if (names.length === 0) return new Set();
  const { instances } = await actor.select(names).catch((error: unknown) => {
    if (error instanceof ArgoError && error.phrase === 'NO MATCH') return { instances: [] };
    throw error;
  });
  return new Set(instances.map(({ fullName }) => fullName));
}

export default {
  commands: [{
    word: 'watch',
    usage: USAGE,
    help: 'Follow what happens, until the next line is sent.',
    right: 'read',
    rawWords: true,
    async run(request) {
      const asked = parse(request.args) ?? request.usage();
      const { names, since, types } = asked;
      const subscription = await request.actor.watch({ ...(names.length > 0 ? { names } : {}), ...(types ? { types } : {}) }, since);
      const ends = AbortSignal.any([request.interrupted, request.signal]);
      if (asked.state) await request.body.lines(states(request, asked, await select(request, names), subscription.cursor));
      else await request.body.lines([]);
      await subscription.follow(ends, (batch) => {
        const { cursor, events } = batch;
        if (events.length === 0) return request.body.lines([line(cursor, new Date(), 'idle')]);
        request.body.unchanged(batch, '', () => events.map(lineOf));
        // at the pace at which the client reads
        return request.body.lines(NO_LINES);
      });
      // not as where the client has had enough: whoever follows has to come again
      if (!ends.aborted) throw new ArgoError('SHUTTING DOWN');
    },
  }],
} satisfies Plugin;
