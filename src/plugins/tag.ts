import { ArgoError } from '../kit/errors.js';
import { quoted } from '../kit/text.js';
import { HOST_TYPES, type HostType, type Tag, type TagOutcome, type TagSubject } from '../instances/tags.js';
import type { Context, Plugin, Target } from './host/contract.js';

/** Tags of machines and hosts. */

/** A provider as a whole, where a machine could be named, too: `kvm1/`. */
const HOST = /^([^/]+)\/$/;

const inOneLine = ({ tag, level, isInherited = false }: Tag & { readonly isInherited?: boolean }): string => `${level} ${quoted(tag)}${isInherited ? ' inherited' : ''}`;

/** The machine or provider that a word names. @throws ArgoError */
async function subjectOf({ actor }: Context, word: string): Promise<TagSubject> {
  const provider = HOST.exec(word)?.[1];
  if (provider !== undefined) return provider;
  const { instances: [instance] } = await actor.select([{ text: word, quoted: true }]);
  return instance!;
}

async function list(request: Context): Promise<void> {
  const { actor: { tags }, args: [name, ...rest], body, options } = request;
  if (rest.length > 0) request.usage();
  const found: readonly (Tag & { readonly isInherited?: boolean })[] = name === undefined ? await tags.list() : await tags.of(await subjectOf(request, name));
  await body.lines(found.map((tag) => (options.json ? JSON.stringify(tag) : inOneLine(tag))));
}

const words = (outcome: TagOutcome): string | void => (outcome === 'already' ? 'already so' : undefined);

/** Of several the name stands before it already. */
const planned = ({ actor, targets }: Context, target: Target, plan: string): string => (targets.length === 1 ? `${actor.display(target)}: ${plan}` : plan);

/** Adds a tag to machines, or removes it. */
const change = (what: 'add' | 'remove') => (request: Context): Promise<void> => request.each(async (target) => {
  const { actor: { tags }, args, options: { dryRun } } = request;
  const tag = args.at(-1)!;
  if (dryRun) return planned(request, target, await tags.plan({ what, subject: target, tag }));
  return words(await tags[what](target, tag));
});

/** The same to a host. */
const changeHost = (what: 'add' | 'remove') => async (request: Context): Promise<void> => {
  const { actor: { tags }, args: [subject, tag, ...rest], body, options: { dryRun } } = request;
  if (subject === undefined || tag === undefined || rest.length > 0) request.usage();
  if (dryRun) return body.line(`${subject}: ${await tags.plan({ what, subject, tag })}`);
  if (await tags[what](subject, tag) === 'already') request.remark('already so');
};

async function rename(request: Context): Promise<void> {
  const { actor: { tags }, args: [from, to, ...rest], body, options: { dryRun } } = request;
  if (from === undefined || to === undefined || rest.length > 0) request.usage();
  if (dryRun) return body.line(await tags.plan({ what: 'rename', from, to }));
  await body.lines(await tags.rename(from, to));
}

async function setType(request: Context): Promise<void> {
  const { actor, args: [provider, word, ...rest], body, options: { dryRun } } = request;
  const type = HOST_TYPES.find((one) => one.toLowerCase() === word?.toLowerCase()) as HostType | undefined;
  if (provider === undefined || type === undefined || rest.length > 0) request.usage();
  if (!dryRun) return actor.tags.setHostType([{ provider, type }]);
  if (!actor.providers('tag.type').includes(provider)) throw new ArgoError('NOT ALLOWED');
  const before = (await actor.tags.of(provider)).find(({ level }) => level === 1)?.tag;
  body.line(before === type ? `nothing, ${provider} is of the type ${type} already` : `make ${provider} ${type}${before === undefined ? '' : ` (it is ${before})`}`);
}

export default {
  commands: [{
    word: 'tag',
    help: 'Tags of machines and hosts, by which they can be named: @tag:TAG.',
    verbs: [{
      word: 'list', usage: 'tag list [NAME|PROVIDER/] [--json]', help: 'List the tags, or those of a machine or host, each behind its level.', right: 'read',
      options: ['json'], run: list,
    }, {
      word: 'add', usage: 'tag add NAME... TAG [--dry-run]', help: 'Give machines a tag.', right: 'configure',
      on: 'instances-then', options: ['dry-run'], run: change('add'),
    }, {
      word: 'remove', usage: 'tag remove NAME... TAG [--dry-run]', help: 'Take a tag from machines.', right: 'configure',
      on: 'instances-then', options: ['dry-run'], run: change('remove'),
    }, {
      word: 'rename', usage: 'tag rename TAG TAG [--dry-run]', help: 'Give a tag another name on all that has it.', right: 'configure',
      options: ['dry-run'], run: rename,
    }, {
      word: 'add-host', usage: 'tag add-host PROVIDER TAG [--dry-run]', help: 'Give a host a tag: all its machines count as having it.', right: 'configure',
      on: 'provider', options: ['dry-run'], run: changeHost('add'),
    }, {
      word: 'remove-host', usage: 'tag remove-host PROVIDER TAG [--dry-run]', help: 'Take a tag from a host.', right: 'configure',
      on: 'provider', options: ['dry-run'], run: changeHost('remove'),
    }, {
      word: 'type', usage: `tag type PROVIDER ${HOST_TYPES.join('|')} [--dry-run]`, help: 'Say what a host is.', right: 'host',
      on: 'provider', options: ['dry-run'], words: HOST_TYPES.map((type) => type.toLowerCase()).filter((type) => /^[a-z]+$/.test(type)), run: setType,
    }],
  }],
} satisfies Plugin;
