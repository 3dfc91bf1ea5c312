/** What a system wants of the machine that it is installed on. */
export interface SystemNeeds {
  /** the bus of its disk */
  readonly bus: 'virtio' | 'sata';
  /** its network card */
  readonly card: 'virtio' | 'e1000e';
  /** whether its clock shows the time of its place */
  readonly isLocalTime: boolean;
}

/** virtio is what suits most: Linux has had it since 2.6.25, the BSDs since about 2012. */
const USUAL: SystemNeeds = { bus: 'virtio', card: 'virtio', isLocalTime: false };
/** An installer without drivers for virtio finds its disk and its network so. */
const WINDOWS: SystemNeeds = { bus: 'sata', card: 'e1000e', isLocalTime: true };
const PLAIN: SystemNeeds = { bus: 'sata', card: 'e1000e', isLocalTime: false };

/** By the beginning of a name of libosinfo's (https://libosinfo.org): `win11`, `solaris11`. */
const BY_NAME: readonly (readonly [RegExp, SystemNeeds])[] = [
  [/^win/, WINDOWS],
  [/^(msdos|freedos|reactos)/, { ...PLAIN, isLocalTime: true }],
  [/^(solaris|opensolaris|openindiana|netware|haiku|macosx)/, PLAIN],
];

/**
 * @param variant a name of libosinfo's; one that is not known gets what suits most
 * @param type `linux`, `windows`, …: where the variant says nothing
 */
export function needsOf(variant: string, type: string): SystemNeeds {
  const known = BY_NAME.find(([name]) => name.test(variant.toLowerCase()));
  return known?.[1] ?? (type.toLowerCase() === 'windows' ? WINDOWS : USUAL);
}
