import * as v from 'valibot';
import { ArgoError } from '../../kit/errors.js';
import { outputOf, type HostCommands } from './host-commands.js';
import type { LogicalVolume, VolumeGroup } from './storage.js';

/** LVM as its own programs report it (lvmreport(7)), in JSON: LVM 2.02.158 or later. */

/** Bytes of a report: some hundreds for each volume. */
const MAX_REPORT = 4 * 1024 * 1024;

/** What vgdisplay(8) prints, by the names of vgs(8). */
const GROUP_FIELDS = [
  'vg_name', 'vg_uuid', 'vg_systemid', 'vg_fmt', 'vg_attr', 'vg_permissions', 'vg_extendable', 'vg_exported', 'vg_partial', 'vg_clustered', 'vg_shared',
  'vg_allocation_policy', 'vg_size', 'vg_free', 'vg_extent_size', 'vg_extent_count', 'vg_free_count', 'vg_seqno', 'vg_mda_count', 'vg_tags',
  'max_lv', 'lv_count', 'max_pv', 'pv_count', 'vg_missing_pv_count', 'snap_count',
] as const;

/** What lvdisplay(8) prints, by the names of lvs(8). */
const VOLUME_FIELDS = [
  'lv_name', 'vg_name', 'lv_path', 'lv_dm_path', 'lv_uuid', 'lv_size', 'lv_attr', 'lv_permissions', 'lv_active', 'lv_device_open', 'lv_layout', 'lv_role',
  'lv_host', 'lv_time', 'lv_allocation_policy', 'lv_read_ahead', 'lv_kernel_major', 'lv_kernel_minor', 'lv_tags', 'seg_count', 'origin', 'pool_lv', 'data_percent',
] as const;

const rows = v.array(v.record(v.string(), v.string()));
const vgReport = v.object({ report: v.array(v.object({ vg: rows })) });
const lvReport = v.object({ report: v.array(v.object({ lv: rows })) });

type Row<Field extends string> = Readonly<Record<Field, string>>;
type VolumeRow = Row<(typeof VOLUME_FIELDS)[number]>;

/** @throws ArgoError NOT SUPPORTED where the host has no LVM; else as {@link outputOf} */
export async function readVolumeGroups(commands: HostCommands, signal: AbortSignal): Promise<VolumeGroup[]> {
  const groups = (await report(commands, 'vgs', GROUP_FIELDS, signal, (json) => v.parse(vgReport, json).report.flatMap(({ vg }) => vg)));
  const volumes = await readRows(commands, signal);
  return groups.map((row) => ({
    name: row.vg_name,
    uuid: row.vg_uuid,
    size: BigInt(row.vg_size),
    free: BigInt(row.vg_free),
    extent: BigInt(row.vg_extent_size),
    logicalVolumes: Number(row.lv_count),
    physicalVolumes: Number(row.pv_count),
    // vgdisplay has this one, and vgs has not
    report: { ...row, open_lv_count: String(volumes.filter((volume) => volume.vg_name === row.vg_name && volume.lv_device_open === 'open').length) },
  }));
}

/**
 * @param usersOf names of the machines that have one of these paths as a disk
 * @throws as {@link readVolumeGroups}
 */
export async function readLogicalVolumes(
  commands: HostCommands, usersOf: (paths: readonly string[]) => readonly string[], signal: AbortSignal,
): Promise<LogicalVolume[]> {
  return (await readRows(commands, signal)).map((row) => ({
    name: row.lv_name,
    group: row.vg_name,
    path: row.lv_path,
    uuid: row.lv_uuid,
    size: BigInt(row.lv_size),
    usedBy: usersOf(pathsOf(row)),
    report: row,
  }));
}

/** All the names under which a volume may stand in a description; the last one only while it is active. */
const pathsOf = ({ lv_path: path, lv_dm_path: mapper, lv_kernel_minor: minor }: VolumeRow): string[] =>
  [path, mapper, ...(Number(minor) >= 0 ? [`/dev/dm-${minor}`] : [])].filter((each) => each !== '');

const readRows = (commands: HostCommands, signal: AbortSignal): Promise<VolumeRow[]> =>
  report(commands, 'lvs', VOLUME_FIELDS, signal, (json) => v.parse(lvReport, json).report.flatMap(({ lv }) => lv));

/** Its standard output alone: on the other it talks of much. */
async function report<Field extends string>(
  commands: HostCommands, program: string, fields: readonly Field[], signal: AbortSignal, rowsOf: (json: unknown) => Record<string, string>[],
): Promise<Row<Field>[]> {
  const words = [program, '--reportformat', 'json', '--units', 'b', '--nosuffix', '-o', fields.join(',')] as const;
  const output = await outputOf(commands, words, { signal, effect: 'reads', root: true, maxOutput: MAX_REPORT });
  try {
    return rowsOf(JSON.parse(output)).map((row) => whole(row, fields));
  } catch (error) {
    throw new ArgoError('FAILED', `what ${program} reports is not understood`, { cause: error });
  }
}

function whole<Field extends string>(row: Record<string, string>, fields: readonly Field[]): Row<Field> {
  const missing = fields.filter((field) => row[field] === undefined);
  if (missing.length > 0) throw new Error(`it does not report ${missing.join(', ')}`);
  return row as Row<Field>;
}
