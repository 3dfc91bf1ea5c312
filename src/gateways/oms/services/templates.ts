import type { TemplatePreview } from '../../../drivers/management/machine.js';
import type { Template } from '../../../drivers/management/storage.js';
import { ArgoError } from '../../../kit/errors.js';
import { known } from './figures.js';
import { ifAllowed } from './machines.js';
import { inMegabytes, newMachine, settings, templateName } from './params.js';
import { hostRow, machineRow, type HostAsked, type MachineAsked, type MachineKind, type Row } from './row.js';
import { FIELDS, limitsOf, withSettings } from './settings.js';

/** Templates of both kinds: what there are, machines from them, and they from machines. */

/** What a template would make, in the words of each kind. What only the server decides, as the emulator, is not said. */
const DOMAIN_TYPES: Readonly<Record<MachineKind, string>> = { vm: 'kvm', container: 'openvz' };

/** `parse_template_for_vm`. */
function templateOf(
  kind: MachineKind,
  name: string,
  { name: template, arch, vcpus, memory, limits, disks, size }: Template,
): Readonly<Record<string, unknown>> {
  const common = {
    template_name: template,
    vm_name: name,
    domain_type: DOMAIN_TYPES[kind],
    memory: inMegabytes(memory),
    vcpu: String(vcpus),
    ...limitsOf(limits),
  };
  if (kind === 'container')
    return known({
      ...common,
      vm_id: name,
      disk: size === undefined ? undefined : inMegabytes(size),
      ip_address: '',
      nameserver: '',
      passwd: '',
    });
  return {
    ...common,
    virt_type: 'hvm',
    arch,
    disks: disks.map(({ file, format, capacity }) => ({
      template_name: file,
      template_format: format,
      template_capacity: String(capacity),
      deploy_type: 'file',
      type: 'file',
      device: 'disk',
    })),
  };
}

async function describe(
  kind: MachineKind,
  { actor, provider, signal, args }: HostAsked<{ readonly template: string; readonly name: string }>,
): Promise<Readonly<Record<string, unknown>>> {
  const template = await actor.work('template.describe', provider, { template: args.template }, { signal });
  if (template.type !== kind) throw new ArgoError('FAILED', `${args.template} is a template of a ${template.type}`);
  return templateOf(kind, args.name, template);
}

/** `parse_vm_for_template`. */
const previewOf = (
  kind: MachineKind,
  machine: string,
  { template, arch, vcpus, memory, interfaces, disks, folder }: TemplatePreview,
): Readonly<Record<string, unknown>> => ({
  template_name: template,
  domain_type: DOMAIN_TYPES[kind],
  vcpu: String(vcpus),
  min_vcpu: String(vcpus),
  memory: inMegabytes(memory),
  min_memory: inMegabytes(memory),
  ...(kind === 'container'
    ? { vm_id: machine }
    : {
        vm_name: machine,
        arch,
        interfaces: interfaces.map(({ type, bridge: on, mac }) =>
          known({
            type,
            [type === 'network' ? 'source_network' : 'source_bridge']: on === '' ? undefined : on,
            mac_address: mac,
          }),
        ),
        disks: disks.map(({ file, path, capacity, allocation }, index) => ({
          disk_id: `vmdisk${index + 1}.img`,
          file_id: `diskfile${index + 1}`,
          filename: file,
          new_path: `${folder.replace(/\/$/, '')}/${file}`,
          disk_path: path,
          disk_capacity: String(capacity),
          file_size: String(allocation),
        })),
      }),
});

const preview = async (
  kind: MachineKind,
  { actor, machine, signal, args: { template } }: MachineAsked<{ readonly template: string }>,
): Promise<Readonly<Record<string, unknown>>> =>
  previewOf(kind, machine.name, await actor.work('template.preview', machine, { template }, { signal }));

export const templateRows = (kind: MachineKind): Readonly<Record<string, Row>> => ({
  list_templates: hostRow({
    kind, operation: 'template.list', reads: true,
    run: async ({ actor, provider, signal }) => (await actor.work('template.list', provider, {}, { signal })).filter(({ type }) => type === kind).map(({ name }) => name),
  }),
  parse_template_for_vm: hostRow({
    kind, params: { template: templateName, name: newMachine }, operation: 'template.describe', reads: true,
    run: (asked) => describe(kind, asked),
  }),
  deploy_template_for_vm: hostRow({
    kind, params: { template: templateName, name: newMachine, settings }, operation: 'template.deploy',
    run: async (asked) => {
      const { actor, provider, args: { template, name } } = asked;
      // one of the other kind has other settings
      const told = await ifAllowed(describe(kind, asked)) ?? {};
      // an address that was left empty was not chosen
      const sent = Object.fromEntries(Object.entries(asked.args.settings).filter(([key, value]) => value !== '' || key === 'passwd'));
      return byDisk(await withSettings(sent, FIELDS.deploy[kind], () => Promise.resolve(told), (chosen) => actor.work('template.deploy', provider, { template, name, settings: chosen }, asked.order())), told);
    },
  }),
  parse_vm_for_template: machineRow(kind, {
    params: { template: templateName }, operation: 'template.preview', reads: true,
    run: (asked) => preview(kind, asked),
  }),
  create_template_from_vm: machineRow(kind, {
    params: { template: templateName, settings }, operation: 'template.create',
    run: (asked) => {
      const { actor, machine, args: { template } } = asked;
      return withSettings(asked.args.settings, FIELDS.template, () => preview(kind, asked), (chosen) => actor.work('template.create', machine, { template, settings: chosen }, asked.order()));
    },
  }),
});

/** What is wrong with disks is told of each, by the file that it has in the template. */
function byDisk(faults: Readonly<Record<string, unknown>>, told: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (!Object.hasOwn(faults, 'disks')) return faults;
  const disks = told.disks as readonly { readonly template_name: string }[] | undefined;
  return { ...faults, disks: (disks ?? []).map(({ template_name: file }) => ({ template_name: file, error: faults.disks })) };
}
