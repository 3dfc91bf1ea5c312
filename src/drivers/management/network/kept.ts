import * as v from 'valibot';
import type { Keeping, KeptRoute } from './plan.js';

/** What of a host's network is kept by a file of ours: the file is made from it anew with each change. */
const keptSchema = v.object({
  routes: v.array(v.object({
    destination: v.string(), prefix: v.number(), gateway: v.optional(v.string()), interface: v.string(), metric: v.number(),
  })),
  bridges: v.array(v.object({ name: v.string(), addresses: v.array(v.string()), members: v.array(v.string()) })),
});

export type Kept = v.InferOutput<typeof keptSchema>;
type KeptBridge = Kept['bridges'][number];

const NOTHING: Kept = { routes: [], bridges: [] };

const HEADING = '# Written by argo-server, from the line below: what is changed here by hand is lost.';
const BEGINNING = '# kept: ';

/** The head of a file of ours, by which it is known again. */
export const headOf = (kept: Kept): string => `${HEADING}\n${BEGINNING}${JSON.stringify(kept)}\n`;

/** What a file keeps; nothing where there is none yet. @throws Error where it is not one of ours */
export function keptIn(file: string): Kept {
  if (file === '') return NOTHING;
  const line = file.split('\n').find((text) => text.startsWith(BEGINNING));
  if (line === undefined) throw new Error('the file was not written by argo-server');
  return v.parse(keptSchema, JSON.parse(line.slice(BEGINNING.length)));
}

/** @returns undefined where it concerns what is kept elsewhere, as in a file of the host's owner: that is left alone */
export function updated(kept: Kept, { gone = [], made = [], bridge, member }: Keeping): Kept | undefined {
  if (gone.some((route) => !kept.routes.some((other) => isSame(route, other)))) return undefined;
  const without = kept.routes.filter((route) => ![...gone, ...made].some((other) => isSame(route, other)));
  const routes = [...without, ...made.map((route) => ({ ...route }))];
  if (bridge === undefined && member === undefined) return { ...kept, routes };
  const name = bridge?.name ?? member!.bridge;
  const known = kept.bridges.find((other) => other.name === name);
  if (known === undefined && bridge?.to?.isNew !== true) return undefined;
  const others = kept.bridges.filter((other) => other !== known);
  if (bridge !== undefined && bridge.to === undefined) return { routes: routes.filter((route) => route.interface !== name), bridges: others };
  const before: KeptBridge = known ?? { name, addresses: [], members: [] };
  const after: KeptBridge = {
    name,
    addresses: [...bridge?.to?.addresses ?? before.addresses],
    members: member === undefined ? before.members : [...before.members.filter((other) => other !== member.name), ...(member.isOne ? [member.name] : [])],
  };
  return { routes, bridges: [...others, after] };
}

const isSame = (one: KeptRoute | Kept['routes'][number], other: KeptRoute | Kept['routes'][number]): boolean =>
  one.destination === other.destination && one.prefix === other.prefix && one.gateway === other.gateway
  && one.interface === other.interface && one.metric === other.metric;
