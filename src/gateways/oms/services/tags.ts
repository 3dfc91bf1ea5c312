import * as v from 'valibot';
import type { Actor } from '../../../instances/actor.js';
import { EnrolmentError } from '../../../instances/enrolment.js';
import { HOST_TYPES } from '../../../instances/tags.js';
import { ArgoError, type Phrase } from '../../../kit/errors.js';
import { Slices } from '../../../kit/slices.js';
import { OmsError, type FaultName } from '../faults.js';
import { tagsOf } from './machines.js';
import { hostName, hostNames } from './params.js';
import { serverRow, type Asked, type Row, type Tools } from './row.js';

/** Hosts that are managed or ask to be, and tags: FuncService and TagService. */

const tagName = v.pipe(v.string('a tag is expected'), v.regex(/^[^\p{C}\p{Zl}\p{Zp}]{1,64}$/u, 'a tag is expected'));

/** How the steps of an enrolment that may fail are called here. */
const STEPS: Readonly<Record<EnrolmentError['step'], FaultName>> = { 'make-key': 'SSHKeyCreateError', 'add-key': 'SSHKeyAddError', 'remove-key': 'SSHKeyRemoveError', configure: 'ConfigurationReadError' };

/** @param unknown how it is called where one of the hosts is none @param phrase what that is to us */
async function enrolling<T>(unknown: FaultName, phrase: Phrase, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof EnrolmentError) throw new OmsError(STEPS[error.step], error.message);
    if (error instanceof ArgoError && error.phrase === phrase) throw new OmsError(unknown, error.detail);
    throw error;
  }
}

const named = (names: readonly string[]): readonly { readonly name: string }[] => names.map((name) => ({ name }));

/** How many machines each provider has, hosts left out, as far as they are seen. Gives way to others while it counts. */
async function machineCounts(actor: Actor): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const slices = new Slices();
  for (const { instance: { provider, type } } of actor.visible()) {
    if (slices.isOver()) await slices.pause();
    if (type !== 'host') counts.set(provider, (counts.get(provider) ?? 0) + 1);
  }
  return counts;
}

interface SignedHost {
  readonly name: string;
  readonly status: 0 | 1;
  readonly vmcount: number;
  readonly tags?: NonNullable<Awaited<ReturnType<typeof tagsOf>>>;
}

/** The hosts of which an account sees something. */
async function signedHosts({ actor, args: { tag }, tools }: Asked<{ readonly tag: string }>): Promise<readonly SignedHost[]> {
  const counts = await machineCounts(actor);
  const hosts = new Map<string, SignedHost>();
  for (const { provider, answers } of (await actor.overview()).providers) {
    const name = tools.hostOf(provider);
    const tags = await tagsOf(actor, provider);
    // a host may be two providers: of virtual machines, and of containers
    const other = hosts.get(name);
    const all = tags && other?.tags ? [...other.tags, ...tags.filter((one) => !other.tags!.some((known) => known.tag === one.tag))] : tags ?? other?.tags;
    hosts.set(name, {
      name,
      status: answers && other?.status !== 0 ? 1 : 0,
      vmcount: (other?.vmcount ?? 0) + (counts.get(provider) ?? 0),
      ...(all && { tags: all }),
    });
  }
  return [...hosts.values()].filter(({ tags = [] }) => tag === '' || tags.some((one) => one.tag === tag));
}

/** The provider of a host, or both: of its virtual machines, and of its containers. */
const providersOf = (host: string, tools: Tools): readonly string[] => [...new Set([tools.providerOf(host), tools.providerOf(host, 'container')])];

/**
 * Removes all that was enrolled of some hosts. One of which a provider stays, as somebody has written it into the configuration, is
 * managed still: it is among those that have failed.
 */
async function removeHosts(actor: Actor, hosts: readonly string[], tools: Tools): Promise<{ readonly failed_removals: readonly string[] }> {
  const enrolled = new Set((await actor.enrolment.hosts()).map(({ name }) => name));
  const names = hosts.flatMap((host) => {
    const known = providersOf(host, tools).filter((provider) => enrolled.has(provider));
    // what is none is refused by that name
    return known.length > 0 ? known : [tools.providerOf(host)];
  });
  const { failed } = await actor.enrolment.remove(names);
  const left = new Set((await actor.overview()).providers.map(({ provider }) => provider));
  return { failed_removals: hosts.filter((host) => providersOf(host, tools).some((provider) => failed.includes(provider) || left.has(provider))) };
}

export const funcRows: Readonly<Record<string, Row>> = {
  list_requests: serverRow({
    run: async ({ actor }) => named((await actor.enrolment.requests()).map(({ name }) => name)),
  }),
  sign_requests: serverRow({
    params: { hosts: hostNames },
    run: ({ actor, args: { hosts } }) => enrolling('UnknownSignRequestsError', 'NO SUCH REQUEST', async () =>
      named((await actor.enrolment.approve(hosts)).filter(({ isIdentified }) => !isIdentified).map(({ name }) => name))),
  }),
  remove_requests: serverRow({
    params: { hosts: hostNames },
    run: ({ actor, args: { hosts } }) => enrolling('UnknownRemoveRequestError', 'NO SUCH REQUEST', async () => {
      await actor.enrolment.refuse(hosts);
      return 0;
    }),
  }),
  list_signed: serverRow({
    params: { tag: v.optional(v.union([v.literal(''), tagName], 'a tag is expected'), '') },
    run: signedHosts,
  }),
  remove_signed: serverRow({
    params: { hosts: hostNames },
    run: ({ actor, args: { hosts }, tools }) => enrolling('UnknownRemoveSignedError', 'NO SUCH PROVIDER', () => removeHosts(actor, hosts, tools)),
  }),
};

const NO_CHANGES = 'a list of {name, type} is expected';

const changes = v.pipe(
  v.array(v.object({ name: hostName, type: v.string('a type of a host is expected') }, NO_CHANGES), NO_CHANGES),
  v.minLength(1, 'names no host'), v.maxLength(256, 'has more than 256 hosts'),
);

export const tagRows: Readonly<Record<string, Row>> = {
  change_host_type: serverRow({
    params: { changes },
    run: async ({ actor, args, tools }) => {
      await actor.tags.setHostType(args.changes.flatMap(({ name, type }) => {
        const known = HOST_TYPES.find((one) => one === type);
        if (known === undefined) throw new OmsError('UnknownHostException', `there is no type ${type} of hosts: ${HOST_TYPES.join(', ')}`);
        // a host that is two providers is of one type all the same
        return providersOf(name, tools).map((provider) => ({ provider, type: known }));
      }));
      return 0;
    },
  }),
  list_tags: serverRow({
    run: async ({ actor }) => (await actor.tags.list()).map(({ tag, level }) => ({ tag, level })),
  }),
  edit_freeform_tag_name: serverRow({
    params: { old_name: tagName, new_name: tagName },
    run: async ({ actor, args }) => {
      await actor.tags.rename(args.old_name, args.new_name);
      return 0;
    },
  }),
};
