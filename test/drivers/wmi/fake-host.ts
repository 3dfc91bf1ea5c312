import type { WmiObject } from '../../../src/protocols/wmi/connection.js';
import { FakeWmi } from './fake-wmi.js';

/** A Windows host in memory, whose boot and answers to orders a test can set. */
export function fakeHostWmi(wmi = new FakeWmi()) {
  const state = { booted: Date.now() - 3_600_000, returns: '0', orders: [] as string[] };
  const table = (className: string, rows: () => readonly WmiObject[]): void => { wmi.tables.set(`root/cimv2:${className}`, rows); };
  table('Win32_OperatingSystem', () => [{
    Caption: 'Microsoft Windows Server 2022 Standard ', Version: '10.0.20348', CSName: 'WIN1',
    LastBootUpTime: new Date(state.booted).toISOString(), LocalDateTime: new Date().toISOString(),
  }]);
  table('Win32_ComputerSystem', () => [{ TotalPhysicalMemory: '17179398144', NumberOfLogicalProcessors: '8', Domain: 'lab.example', Manufacturer: 'ACME', Model: 'R1' }]);
  table('Win32_ComputerSystemProduct', () => [{ UUID: '4C4C4544-0033-4A10-8051-B4C04F4A3232' }]);
  table('Win32_Processor', () => [{ LoadPercentage: '10' }, { LoadPercentage: null }, { LoadPercentage: '20' }]);
  table('Win32_NetworkAdapterConfiguration', () => [
    { IPEnabled: 'TRUE', Description: 'Intel(R) I219-LM #2', IPAddress: ['10.0.0.13', 'fe80::1', 'fd00::13'], MACAddress: '52:54:00:AA:00:13', DefaultIPGateway: ['10.0.0.1'] },
    { IPEnabled: 'TRUE', Description: 'Storage', IPAddress: ['192.168.9.13'], MACAddress: '52:54:00:AA:00:14', DefaultIPGateway: null },
  ]);
  table('Win32_PerfRawData_Tcpip_NetworkInterface', () => [
    { Name: 'Intel[R] I219-LM _2', BytesReceivedPersec: '18446744073709551000', BytesSentPersec: '77' }, { Name: 'Storage', BytesReceivedPersec: '1', BytesSentPersec: '1' },
  ]);
  table('Win32_LogicalDisk', () => [{ DriveType: '3', DeviceID: 'C:', FileSystem: 'NTFS', Size: '107374182400', VolumeName: 'System' }, { DriveType: '5', DeviceID: 'D:', FileSystem: null, Size: null, VolumeName: null }]);
  wmi.methods.set('Win32_OperatingSystem.Win32Shutdown', (_path, { Flags = '' }) => {
    state.orders.push(String(Flags));
    return { ReturnValue: state.returns };
  });
  return { wmi, state };
}
