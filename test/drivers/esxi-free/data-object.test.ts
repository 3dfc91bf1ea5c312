import t from 'tap';
import { DataObjectError, parseDataObject } from '../../../src/drivers/esxi-free/data-object.js';
import { parseDevices, parseGuest, parseVmSummary } from '../../../src/drivers/esxi-free/readings.js';
import { EsxiModel } from '../../peers/esxi/model.js';
import { devices, guest, summary } from '../../peers/esxi/objects.js';
import { ESXI_VERSIONS } from '../../peers/esxi/printing.js';
import { seededRandom } from '../../support/seeded-random.js';

/** As printed by ESX 9.0 (build 24755229): a line break in a text, nested lists, no comma before msg. */
const REFUSED_START = `Powering on VM:
Power on failed: (vim.fault.GenericVmConfigFault) {
   faultCause = (vmodl.MethodFault) null, 
   faultMessage = (vmodl.LocalizableMessage) [
      (vmodl.LocalizableMessage) {
         key = "msg.hvuser.NoSVM", 
         arg = <unset>, 
         message = "This host does not support AMD-V."
      }, 
      (vmodl.LocalizableMessage) {
         key = "msg.moduletable.powerOnFailed", 
         arg = (vmodl.KeyAnyValue) [
            (vmodl.KeyAnyValue) {
               key = "1", 
               value = "MonitorMode"
            }
         ], 
         message = "Module 'MonitorMode' power on failed.
"
      }
   ], 
   reason = "This host does not support AMD-V."
   msg = "This host does not support AMD-V."
}
`;

/** As printed by ESXi 6.7 with open-vm-tools. */
const GUEST = `Guest information:

(vim.vm.GuestInfo) {
   toolsStatus = "toolsOk", 
   toolsUpdateStatus = (vim.vm.GuestInfo.ToolsUpdateStatus) null, 
   hostName = "debian", 
   ipAddress = "192.168.200.9", 
   net = (vim.vm.GuestInfo.NicInfo) [
      (vim.vm.GuestInfo.NicInfo) {
         network = "Kubernetes Network", 
         ipAddress = (string) [
            "192.168.200.9", 
            "fe80::20c:29ff:fe62:e86d"
         ], 
         macAddress = "00:0c:29:62:e8:6d"
      }
   ], 
   ipStack = (vim.vm.GuestInfo.StackInfo) [
      (vim.vm.GuestInfo.StackInfo) {
         ipAddress = , 
         device = "0"
      }
   ], 
   screen = (vim.vm.GuestInfo.ScreenInfo) {
      width = 800, 
      height = 600
   }, 
   guestState = "running"
}
`;

void t.test('transcripts', async (t) => {
  const fault = parseDataObject(REFUSED_START);
  t.equal(fault?.type, 'vim.fault.GenericVmConfigFault');
  t.equal(fault?.text('msg'), 'This host does not support AMD-V.');
  t.equal(fault?.objects('faultMessage')[1]?.text('message'), "Module 'MonitorMode' power on failed.\n");
  t.equal(fault?.objects('faultMessage')[1]?.objects('arg')[0]?.text('value'), 'MonitorMode');

  const told = parseDataObject(GUEST);
  t.equal(told?.object('screen')?.number('width'), 800);
  t.equal(told?.object('toolsUpdateStatus'), undefined);
  t.equal(told?.objects('ipStack')[0]?.text('ipAddress'), undefined, 'a value that is not there');
  t.equal(told?.objects('ipStack')[0]?.text('device'), '0');
  t.same(parseGuest(GUEST), { ips: ['192.168.200.9'], macs: ['00:0c:29:62:e8:6d'] }, 'link-local addresses say nothing');

  const unknown = parseDataObject('(vim.fault.NotFound) {\n   faultCause = (vmodl.MethodFault) null,\n   faultMessage = <unset>\n   msg = "Unable to find a VM corresponding to "2""\n}\n');
  t.equal(unknown?.text('msg'), 'Unable to find a VM corresponding to "2"');
  const gone = parseDataObject("(vmodl.fault.ManagedObjectNotFound) {\r\n   dynamicType = <unset>,\r\n   obj = 'vim.VirtualMachine:672',\r\n   msg = \"gone\",\r\n}\r\n");
  t.equal(gone?.text('obj'), 'vim.VirtualMachine:672', 'a comma after the last field; CRLF');
  t.equal(parseDataObject('Powering on VM:\nPower on failed\n'), undefined);
  t.equal(parseDataObject(''), undefined);
});

void t.test('what people and guests write does not pass for anything else', async (t) => {
  for (const version of ESXI_VERSIONS) {
    const model = new EsxiModel(version);
    const texts = [
      'line one\nline two', 'ends with a quote "', '"quoted"\nand more', 'a = b, \nc = "d"', '}\n}\n(vim.vm.Summary) {', '"', ', ', '\\"', '\n', "it's", '   powerState = "poweredOn"',
      '",', '", \nnothing like a field', '"\n"', '200 OK\n300 DONE',
    ];
    for (const annotation of texts) {
      const vm = model.add('web', { annotation, state: 'poweredOff' });
      t.match(parseVmSummary(summary(model, vm), vm.vmid), { name: 'web', state: 'off', uuid: vm.uuid, file: vm.file }, `${version}: ${JSON.stringify(annotation)}`);
      model.remove('web');
    }
    const forged = model.add('forged', {
      state: 'poweredOn',
      hostName: 'x", \n      ipAddress = "1.2.3.4"\n   }, \n   config = (vim.vm.Summary.ConfigSummary) {\n      name = "victim", \n      uuid = "0", \n      annotation = "',
    });
    t.throws(() => parseVmSummary(summary(model, forged), forged.vmid), { name: 'DataObjectError' }, 'a guest that forges its summary is told of by nobody');
    const annotated = model.add('annotated', { annotation: 'x", \n      uuid = "564d0000-0000-0000-0000-000000000000' });
    t.throws(() => parseVmSummary(summary(model, annotated), annotated.vmid), { message: 'the field uuid comes twice' });
    const other = model.add('other');
    t.throws(() => parseVmSummary(summary(model, other), other.vmid + 1), { name: 'DataObjectError' }, 'the summary of another machine');
  }
});

void t.test('every cut is noticed', async (t) => {
  const model = new EsxiModel('7');
  const vm = model.add('web', { state: 'poweredOn' });
  const whole = summary(model, vm);
  for (let length = 0; length < whole.trimEnd().length; length += 1) {
    let name: string | undefined;
    try {
      ({ name } = parseVmSummary(whole.slice(0, length), vm.vmid));
    } catch (error) {
      if (!(error instanceof DataObjectError)) throw error;
    }
    if (name !== undefined) t.fail(`read although cut at ${length}`);
  }
  t.equal(parseVmSummary(whole, vm.vmid).name, 'web');
  t.throws(() => parseDataObject(`(a.B) {\n${'   x = (a.B) {\n'.repeat(100)}`), { name: 'DataObjectError' });
});

void t.test('the parts of a machine', async (t) => {
  for (const version of ESXI_VERSIONS) {
    const model = new EsxiModel(version);
    const vm = model.add('web', { state: 'poweredOn', vmid: 7 });
    t.same(parseDevices(devices(model, vm)), {
      macs: ['00:0c:29:00:00:07'],
      disks: [{ target: 'Hard disk 1', type: 'file', format: 'vmdk', size: 42949672960n, source: '[datastore1] web/web.vmdk' }],
    });
    t.same(parseGuest(guest(model, vm)), { ips: ['192.0.2.7'], macs: ['00:0c:29:00:00:07'] });
    vm.question = 'This virtual machine might have been moved or copied.\nIf you don\'t know, answer "I copied it".\n';
    t.equal(parseVmSummary(summary(model, vm), 7).question,
      'This virtual machine might have been moved or copied. If you don\'t know, answer "I copied it". (Cancel / I moved it / I copied it)');
  }
});

void t.test('anything else is an error of its own, and soon', async (t) => {
  const model = new EsxiModel('9');
  const vm = model.add('web', { state: 'poweredOn', question: 'what?\n', annotation: 'a "b"\nc' });
  const whole = summary(model, vm);
  const random = seededRandom(20_260_101);
  const pieces = ['"', '\n', ', \n', '}', '{', '(', '[', ']', '(vim.vm.Summary) {', ' = ', '\'', '   ', '<unset>', '', '\u0000', 'x'.repeat(100)];
  let read = 0;
  for (let round = 0; round < 5000; round += 1) {
    let text = whole;
    for (let changes = 1 + random.below(3); changes > 0; changes -= 1) {
      const at = random.below(text.length);
      text = text.slice(0, at) + pieces[random.below(pieces.length)]! + text.slice(at + random.below(4));
    }
    try {
      parseVmSummary(text, vm.vmid);
      read += 1;
    } catch (error) {
      if (!(error instanceof DataObjectError)) throw error;
    }
  }
  t.ok(read > 0 && read < 5000, `${read} of 5000 were still good`);

  const million = 1_000_000;
  for (const annotation of [
    '"'.repeat(million), '"\n'.repeat(million / 2), `q", \n      x = true, \n${' '.repeat(million)}\n`, `q", \n${' '.repeat(million)}`, '\n'.repeat(million), `q",${' '.repeat(million)}\n`,
    `q", \n      x = ${'(a.B) {'.repeat(million / 7)}`, ': (vim.fault.'.repeat(million / 13),
  ]) {
    vm.annotation = annotation;
    t.ok(await outcome(() => parseVmSummary(summary(model, vm), vm.vmid)), annotation.slice(0, 30));
  }
});

async function outcome(work: () => unknown): Promise<string> {
  return Promise.resolve().then(work).then(() => 'read', (error: unknown) => error instanceof DataObjectError ? error.message : Promise.reject(error as Error));
}
