import { XMLBuilder, XMLParser } from 'fast-xml-parser';
import { child, createReader, refuseCostly, text } from '../xml.js';

/** What a description says of CPUs and memory (https://libvirt.org/formatdomain.html). */

export interface WrittenHardware {
  /** what it has when it starts, and the most that it may be given while it runs */
  readonly vcpus: number;
  readonly mostVcpus: number;
  /** bytes, likewise */
  readonly memory: bigint;
  readonly mostMemory: bigint;
  /** per cent of one CPU; undefined where there is no limit */
  readonly cpuLimit?: number;
}

const KIB = 1024n;

const read = createReader([]);

/** libvirt writes sizes in KiB, whatever unit they came in. */
const bytes = (digits: string | undefined): bigint | undefined => (digits !== undefined && /^\d{1,18}$/.test(digits) ? BigInt(digits) * KIB : undefined);

/** @throws Error where it is not XML */
export function parseHardware(xml: string): WrittenHardware {
  const domain = child(read(xml), 'domain');
  const mostVcpus = Number(text(domain, 'vcpu') ?? 1);
  const mostMemory = bytes(text(domain, 'memory')) ?? 0n;
  const tuning = child(domain, 'cputune');
  const [quota, period] = [Number(text(tuning, 'quota') ?? -1), Number(text(tuning, 'period') ?? 100_000)];
  return {
    mostVcpus, mostMemory,
    vcpus: Number(text(child(domain, 'vcpu'), '@current') ?? mostVcpus),
    memory: bytes(text(domain, 'currentMemory')) ?? mostMemory,
    ...(quota > 0 && period > 0 ? { cpuLimit: Math.round((quota / period) * 100) } : {}),
  };
}

const ORDERED = { preserveOrder: true, ignoreAttributes: false, parseTagValue: false, parseAttributeValue: false, trimValues: false, commentPropName: '#comment' } as const;

/** An element as fast-xml-parser has it in its order: `{ name: children, ':@': attributes }`. */
type Ordered = Record<string, unknown>;

/** The same description with another number of CPUs. @throws Error where it is not one, and as {@link refuseCostly} */
export function withVcpus(xml: string, vcpus: number): string {
  refuseCostly(xml);
  const document = new XMLParser(ORDERED).parse(xml) as Ordered[];
  const domain = document.find((node) => Array.isArray(node.domain))?.domain as Ordered[] | undefined;
  const vcpu = domain?.find((node) => Array.isArray(node.vcpu));
  if (vcpu === undefined) throw new Error('a description without CPUs');
  vcpu.vcpu = [{ '#text': String(vcpus) }];
  return String(new XMLBuilder({ ...ORDERED, suppressEmptyNode: true }).build(document));
}
