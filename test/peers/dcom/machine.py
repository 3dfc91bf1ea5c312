"""The helper of WMI over DCOM, with a machine of ours instead of the network under its real impacket.

    machine.py HELPER [refuse|broken]

Classes, objects and refusals are ours; what impacket makes of a method's parameters is its own, and is
handed back for the test to look at.
"""
import runpy
import sys
from collections import OrderedDict

from impacket.dcerpc.v5 import dcomrt
from impacket.dcerpc.v5.dcom import wmi
from impacket.dcerpc.v5.rpcrt import DCERPCException

MANNER = sys.argv[2] if len(sys.argv) > 2 else ''
TYPES = wmi.CIM_TYPE_ENUM
# A class as Windows writes one, from impacket's own example; it stands for that of the parameters.
CLASS = wmi.ENCODING_UNIT(
    b'xV4\x12\xd0\x00\x00\x00\x05\x00DPRAVAT-DEV\x00\x00ROOT\x00\x1d\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00'
    b'\x04\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80f'
    b'\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x04\x00\x00\x00\x04\x00\x00\x00\x01\x00\x00\x00\x06\x00\x00\x00\n'
    b'\x00\x00\x00\x05\xff\xff\xff\xff<\x00\x00\x80\x00Base\x00\x00Id\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00'
    b'\x00\x00\x1c\x00\x00\x00\n\x00\x00\x80\x03\x08\x00\x00\x004\x00\x00\x00\x01\x00\x00\x80\x13\x0b\x00\x00\x00\xff\xff'
    b'\x00sint32\x00\x0c\x00\x00\x00\x00\x004\x00\x00\x00\x00\x80\x00\x80\x13\x0b\x00\x00\x00\xff\xff\x00sint32\x00')['ObjectBlock']

# [MS-WMIO] 2.2.53: EncodingLength, InstanceFlags and InstanceClassName.
AFTER_CLASS = 9


def known(kind, value, is_array=False):
    return {'stype': wmi.CIM_TYPE_TO_NAME[kind.value], 'type': kind.value | (0x2000 if is_array else 0), 'value': value, 'inherited': 0, 'qualifiers': {}}


class Thing:
    def __init__(self, **properties):
        self.properties = properties
        for name, each in properties.items():
            setattr(self, name, each['value'])

    def getProperties(self):
        return self.properties


def method(name, **parameters):
    declared = OrderedDict((each, {'type': kind, 'stype': '', 'value': None}) for each, kind in parameters.items())
    return {'name': name, 'InParams': declared or None, 'InParamsRaw': CLASS, 'OutParamsRaw': CLASS}


METHODS = {
    'Win32_OperatingSystem': {'Win32Shutdown': method('Win32Shutdown', Flags=TYPES.CIM_TYPE_SINT32.value, Reserved=TYPES.CIM_TYPE_SINT32.value)},
    'Msvm_ComputerSystem': {'RequestStateChange': method('RequestStateChange', RequestedState=TYPES.CIM_TYPE_UINT16.value, TimeoutPeriod=TYPES.CIM_TYPE_DATETIME.value)},
    'Msvm_ShutdownComponent': {'InitiateShutdown': method('InitiateShutdown', Force=TYPES.CIM_TYPE_BOOLEAN.value, Reason=TYPES.CIM_TYPE_STRING.value)},
}


class Class(wmi.IWbemClassObject):
    def __init__(self, name, services):
        self.name = name
        self._iid = wmi.IID_IWbemClassObject
        self._IWbemClassObject__iWbemServices = services

    def getMethods(self):
        return METHODS[self.name]


def system():
    text, date = TYPES.CIM_TYPE_STRING, TYPES.CIM_TYPE_DATETIME
    return Thing(
        Caption=known(text, 'Windows «ß»'), Primary=known(TYPES.CIM_TYPE_BOOLEAN, 'True'), FreePhysicalMemory=known(TYPES.CIM_TYPE_UINT64, 2 ** 63),
        LastBootUpTime=known(date, '20130410161723.500000+060'), Interval=known(date, '00000000000500.000000:000'), Description=known(text, None),
        MUILanguages=known(text, ['en-US', 'de-DE'], True), Nested=known(TYPES.CIM_TYPE_OBJECT, Thing(Id=known(TYPES.CIM_TYPE_UINT32, 7))))


class Rows:
    def __init__(self, rows):
        self.rows = rows

    def Next(self, timeout, count):
        if not self.rows:
            raise wmi.DCERPCSessionError(error_code=1)
        return [self.rows.pop(0)]

    def RemRelease(self):
        pass


class Services:
    def __init__(self, namespace):
        if namespace not in ('//./root/cimv2', '//./root/virtualization/v2'):
            raise wmi.DCERPCSessionError(error_code=0x8004100e)

    def get_dce_rpc(self):
        return self

    def set_auth_level(self, level):
        assert level == 6, 'packet privacy'

    def ExecQuery(self, query):
        print('impacket prints as it likes')
        if 'Nothing' in query:
            raise wmi.DCERPCSessionError(error_code=0x80041010)
        return Rows([system(), system()] if 'Win32' in query else [Thing(Name=known(TYPES.CIM_TYPE_STRING, str(each))) for each in range(500)])

    def GetObject(self, path):
        if path in METHODS:
            return Class(path, self), None
        if path != 'Win32_OperatingSystem=@':
            raise wmi.DCERPCSessionError(error_code=0x80041002)
        return system(), None

    def ExecMethod(self, path, name, pInParams=None):
        if 'gone' in path:
            raise wmi.DCERPCSessionError(error_code=0x80041002)
        if 'cut' in path:
            raise ConnectionResetError('reset by peer')
        written = pInParams['pObjectData']['ObjectBlock']['InstanceType']
        # After the class: its length, flags and name; then the values, the qualifiers of none, and the heap.
        _, _, rest = written.partition(CLASS['ClassType']['CurrentClass']['ClassPart'].getData())
        table, _, heap = rest[AFTER_CLASS:].partition(b'\x04\x00\x00\x00\x01')
        return Thing(
            Path=known(TYPES.CIM_TYPE_STRING, path), Table=known(TYPES.CIM_TYPE_STRING, table.hex()),
            Heap=known(TYPES.CIM_TYPE_STRING, heap.hex()), ReturnValue=known(TYPES.CIM_TYPE_UINT32, 4096),
            Job=known(TYPES.CIM_TYPE_REFERENCE, '\\\\HV1\\root\\virtualization\\v2:Msvm_ConcreteJob.InstanceID="AB\\\\1"'))


class Login:
    def __init__(self, interface):
        pass

    def NTLMLogin(self, namespace, locale, context):
        return Services(namespace)


class Connection:
    def __init__(self, host, user, password, domain, oxidResolver, authLevel):
        assert authLevel == 6, 'packet privacy'
        if MANNER == 'broken':
            raise DCERPCException('Bind context 1 rejected: provider_rejection; abstract_syntax_not_supported')
        if (user, password, domain) != ('argo', 'Passw0rd! "ß"', 'LAB'):
            raise DCERPCException('rpc_s_access_denied')

    def CoCreateInstanceEx(self, clsid, iid):
        return None


dcomrt.DCOMConnection = Connection
wmi.IWbemLevel1Login = Login
runpy.run_path(sys.argv[1])
