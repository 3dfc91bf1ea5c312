import { configPath } from '../machines/config-path.js';
import { STATE_NUMBERS } from '../machines/states.js';
import { harmless } from '../../../kit/text.js';
import { fields, flag, list, nothing, optional, text, whole } from '../../../protocols/vmserverd/shape.js';
import type { Actor } from '../../../instances/actor.js';
import { row, type Rows } from './parts.js';

/** What the server says of itself, and which machines there are. */

const vms = fields({ vms: list('vm', fields({ config: text(), displayName: text(), state: whole(), stateName: text() })) });
const configs = fields({ vms: list('vm', fields({ config: text() })) });

/** Made while they are written: of ten thousand none waits in memory. */
function* machines(actor: Actor): Generator<{ config: string; displayName: string; state: number; stateName: string }> {
  for (const { instance } of actor.visible()) {
    // what its provider cannot tell at present is not told as if it could
    const state = instance.stale === undefined ? instance.state : 'unknown';
    yield { config: configPath(instance), displayName: harmless(instance.name), state: STATE_NUMBERS[state], stateName: state };
  }
}

function* paths(actor: Actor): Generator<{ config: string }> {
  for (const { instance } of actor.visible()) yield { config: configPath(instance) };
}

/** Numbers of VMware's: a server, and the system that it runs on. */
const PRODUCT_SERVER = 4;
const PLATFORMS: Partial<Record<NodeJS.Platform, number>> = { win32: 1, linux: 2 };

/** `1.0.3 build-44356` → 1, 0, 3. @returns undefined for what a version does not have */
const partOf = (version: string, index: number): number | undefined => {
  const part = /^(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?/.exec(version)?.[index + 1];
  return part === undefined ? undefined : Number(part);
};

export const serverRows: Rows = {
  VMConfigDefaults_GetAll: row({
    handler: 'VMware::VMServerd::VMConfigDefaults::GetAll_Handler', access: 'authuser',
    in: fields({ guestOS: optional(text()) }),
    out: fields({ defaults: list('default', fields({ name: text(), value: text() })) }),
    // what else a new machine gets is its host's to decide
    run: () => ({ defaults: [{ name: 'config.version', value: String(CONFIG_VERSION) }] }),
  }),
  VMConfigDefaults_GetConfigVersion: row({
    handler: 'VMware::VMServerd::VMConfigDefaults::GetConfigVersion_Handler', access: 'authuser',
    in: nothing, out: fields({ version: whole() }),
    run: () => ({ version: CONFIG_VERSION }),
  }),
  VMServerd_GetConnectedVMList: row({
    handler: 'VMware::VMServerd::GetConnectedVMList_Handler', access: 'authuser',
    in: nothing, out: vms,
    run: ({ actor }) => ({ vms: machines(actor) }),
  }),
  VMServerd_GetOperationTable: row({
    handler: 'VMware::VMServerd::GetOperationTable_Handler', access: 'authuser',
    in: nothing, out: fields({ operations: list('operation', fields({ name: text(), access: text() })) }),
    run: ({ parts }) => ({ operations: parts.operations() }),
  }),
  VMServerd_GetProductInfo: row({
    handler: 'VMware::VMServerd::GetProductInfo_Handler', access: 'authuser',
    in: nothing,
    out: fields({
      product: whole(), platform: optional(whole()), build: optional(text()),
      version_major: optional(whole()), version_minor: optional(whole()), version_revision: optional(whole()),
    }),
    run: ({ parts: { product: { version, build } } }) => ({
      product: PRODUCT_SERVER, platform: PLATFORMS[process.platform], build: build === '' ? undefined : build,
      version_major: partOf(version, 0), version_minor: partOf(version, 1), version_revision: partOf(version, 2),
    }),
  }),
  VMServerd_GetRequestCount: row({
    handler: 'VMware::VMServerd::GetRequestCount_Handler', access: 'authuser',
    in: nothing, out: fields({ count: whole() }),
    run: ({ parts }) => ({ count: parts.requests }),
  }),
  VMServerd_IsAdminUser: row({
    handler: 'VMware::VMServerd::IsAdminUser_Handler', access: 'authuser',
    in: nothing, out: fields({ isAdmin: flag }),
    run: ({ actor }) => ({ isAdmin: actor.mayAll() }),
  }),
};

/** Argo's own: what VmPerl's `vmware-cmd -l` had by another way. */
export const enumerateRow: Rows = {
  X_VM_Enumerate: row({
    handler: 'Argo::Machines::Enumerate_Handler', access: 'authuser',
    in: nothing, out: configs,
    run: ({ actor }) => ({ vms: paths(actor) }),
  }),
};

/** Of the configuration files of VMware Server 1: `config.version = "8"`. */
const CONFIG_VERSION = 8;
