import * as v from 'valibot';
import { ArgoError } from '../../../../kit/errors.js';
import type { HostFiles } from './host-files.js';

/** Of `ip -j` (iproute2), what is looked at. */
const Links = v.array(v.object({ ifname: v.optional(v.string()) }));
const Addresses = v.array(v.object({ addr_info: v.optional(v.array(v.object({ local: v.optional(v.string()), prefixlen: v.optional(v.number()) })), []) }));
const Routes = v.array(v.object({ gateway: v.optional(v.string()) }));

/** How a container is addressed on a bridge. */
export interface Addressing {
  /** bits of the mask */
  readonly prefix: number;
  /** that of the host, where it goes out by this bridge */
  readonly gateway: string | undefined;
}

async function ask<Schema extends v.GenericSchema>(
  files: HostFiles,
  words: readonly string[],
  schema: Schema,
  signal: AbortSignal,
): Promise<v.InferOutput<Schema>> {
  const answer = await files.read(['ip', '-j', ...words], signal);
  try {
    // Without anything to show, some versions print nothing at all; and an empty object for what was filtered out.
    return v.parse(schema, answer.trim() === '' ? [] : JSON.parse(answer));
  } catch (error) {
    throw new ArgoError('FAILED', "what ip says of the host's network cannot be read", { cause: error });
  }
}

/** Names of the host's bridges. */
export async function readBridges(files: HostFiles, signal: AbortSignal): Promise<readonly string[]> {
  const links = await ask(files, ['link', 'show', 'type', 'bridge'], Links, signal);
  return links.flatMap(({ ifname }) => (ifname === undefined ? [] : [ifname]));
}

/** @param bridge one of the host's @returns undefined where the bridge has no network that an address is in */
export async function readAddressing(files: HostFiles, bridge: string, address: string, signal: AbortSignal): Promise<Addressing | undefined> {
  const known = await ask(files, ['-4', 'address', 'show', 'dev', bridge], Addresses, signal);
  const prefix = known.flatMap(({ addr_info: all }) => all)
    .find(({ local, prefixlen }) => local !== undefined && prefixlen !== undefined && isSameNetwork(local, address, prefixlen))?.prefixlen;
  if (prefix === undefined) return undefined;
  const routes = await ask(files, ['-4', 'route', 'show', 'default', 'dev', bridge], Routes, signal);
  return { prefix, gateway: routes.find(({ gateway }) => gateway !== undefined && isSameNetwork(gateway, address, prefix))?.gateway };
}

function isSameNetwork(one: string, other: string, bits: number): boolean {
  const size = 2 ** (32 - bits);
  return Math.floor(asNumber(one) / size) === Math.floor(asNumber(other) / size);
}

const asNumber = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
