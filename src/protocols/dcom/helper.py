"""WMI over DCOM for Argo, on impacket: lines of JSON on stdin, lines of JSON on stdout.

First comes {"host", "user", "password", "domain"}, answered by {"ok": true}. Then requests, one after
another, each with an id:

    {"id", "op": "query", "namespace", "wql"}
    {"id", "op": "get", "namespace", "path"}
    {"id", "op": "invoke", "namespace", "class", "path", "method", "parameters"}

A request is answered by {"id", "row"} for each object, and {"id", "done": true}; an invoke says
{"id", "sent": true} right before it goes out. A value is [type, value], where type is CIM's name of
it, with [] for an array. What fails is answered by {"id", "error", "code", "words"}: `wmi` and `access`
are refusals of the other side, `answer` something that is no answer, `lost` the way to it, `missing`
and `unsuitable` come from this side. Ends with its input.
"""
import ctypes
import json
import os
import signal
import sys

ANSWERS = os.fdopen(os.dup(1), 'w', encoding='utf-8')
# impacket prints what it marshals; nobody is to read that as an answer.
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

PR_SET_PDEATHSIG = 1
# No helper outlives the program that started it, even in the middle of a call.
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def say(**answer):
    ANSWERS.write(json.dumps(answer) + '\n')
    ANSWERS.flush()


try:
    from impacket.dcerpc.v5.dcom import wmi
    from impacket.dcerpc.v5.dcomrt import DCOMConnection
    from impacket.dcerpc.v5.dtypes import NULL
    from impacket.dcerpc.v5.rpcrt import RPC_C_AUTHN_LEVEL_PKT_PRIVACY, DCERPCException
except ImportError as absent:
    say(error='missing', code=0, words=str(absent))
    sys.exit(1)

WBEM_INFINITE = 0xffffffff
WBEM_S_FALSE = 1
# Of an RPC fault: ERROR_ACCESS_DENIED; and HRESULTs of a refused login or activation.
RPC_ACCESS_DENIED = 5
LOGIN_REFUSED = (RPC_ACCESS_DENIED, 0x80070005, 0x8007052e, 0xc000006d, 0xc0000022)
CIM_ARRAY = 0x2000
CIM_INHERITED = 0x4000
TYPES = wmi.CIM_TYPE_ENUM
# All of these are a reference to the heap: four bytes, whatever they hold.
ON_HEAP = tuple(each.value for each in (
    TYPES.CIM_TYPE_STRING, TYPES.CIM_TYPE_DATETIME, TYPES.CIM_TYPE_REFERENCE, TYPES.CIM_TYPE_OBJECT))
TRUE, FALSE = 0xffff, 0
MOST_NESTED = 4
MOST_NAMESPACES = 8


class Unsuitable(Exception):
    """A parameter that this transport cannot send, or that the method does not have."""


def bare(kind):
    return kind & ~(CIM_ARRAY | CIM_INHERITED)


def describe(thing, depth=0):
    """The properties of an object, with their types."""
    row = {}
    for name, known in thing.getProperties().items():
        kind, value = known['stype'], known['value']
        is_array = bool(known['type'] & CIM_ARRAY)
        if kind == 'object' and value is not None:
            value = getattr(thing, name) if depth < MOST_NESTED else None
            nest = [describe(each, depth + 1) for each in value] if isinstance(value, list) else value and describe(value, depth + 1)
            row[name] = ['object' + ('[]' if is_array else ''), nest]
        elif is_array and value is not None:
            row[name] = [kind + '[]', [str(each) for each in value]]
        else:
            row[name] = [kind, None if value is None else str(value)]
    return row


def argument(name, known, given):
    """A parameter's value as impacket packs it."""
    kind, is_array = bare(known['type']), bool(known['type'] & CIM_ARRAY)
    if given is None:
        if not is_array and kind not in ON_HEAP:
            raise Unsuitable('%s is needed' % name)
        # An absent object is the one kind of nothing that impacket writes as such; the bytes are the same.
        known['type'] = TYPES.CIM_TYPE_OBJECT.value
        return None
    if is_array:
        values = given if isinstance(given, list) else [given]
        if kind == TYPES.CIM_TYPE_STRING.value:
            return values
        # impacket packs numbers of arrays as 32 bits, whatever they are.
        if kind != TYPES.CIM_TYPE_UINT32.value:
            raise Unsuitable('%s is an array of a kind that cannot be sent' % name)
        return [int(each) for each in values]
    if isinstance(given, list):
        raise Unsuitable('%s is no array' % name)
    if kind == TYPES.CIM_TYPE_BOOLEAN.value:
        return TRUE if given.lower() in ('true', '1') else FALSE
    return given if kind in ON_HEAP else int(given)


class Machine:
    def __init__(self, host, user, password, domain):
        self.connection = DCOMConnection(host, user, password, domain, oxidResolver=True, authLevel=RPC_C_AUTHN_LEVEL_PKT_PRIVACY)
        self.login = wmi.IWbemLevel1Login(
            self.connection.CoCreateInstanceEx(wmi.CLSID_WbemLevel1Login, wmi.IID_IWbemLevel1Login))
        self.namespaces = {}

    def services(self, namespace):
        if namespace not in self.namespaces:
            if len(self.namespaces) >= MOST_NAMESPACES:
                self.namespaces.clear()
            services = self.login.NTLMLogin('//./' + namespace, NULL, NULL)
            services.get_dce_rpc().set_auth_level(RPC_C_AUTHN_LEVEL_PKT_PRIVACY)
            self.namespaces[namespace] = services
        return self.namespaces[namespace]

    def query(self, request):
        found = self.services(request['namespace']).ExecQuery(request['wql'])
        try:
            while True:
                # impacket loses a batch that is not full, so they come one by one.
                yield describe(found.Next(WBEM_INFINITE, 1)[0])
        except wmi.DCERPCSessionError as end:
            if end.get_error_code() != WBEM_S_FALSE:
                raise
        finally:
            found.RemRelease()

    def get(self, request):
        thing, _ = self.services(request['namespace']).GetObject(request['path'])
        yield describe(thing)

    def invoke(self, request):
        services = self.services(request['namespace'])
        cls, _ = services.GetObject(request['class'])
        methods = cls.getMethods()
        method = methods.get(request['method'])
        if method is None:
            raise wmi.DCERPCSessionError(error_code=0x8004102e)
        given = request['parameters']
        declared = method.get('InParams') or {}
        for name in given:
            if name not in declared:
                raise Unsuitable('%s is no parameter of %s' % (name, request['method']))
        arguments = [argument(name, known, given.get(name)) for name, known in declared.items()]
        cls.createMethods(request['path'], methods)
        failure = []
        execute = services.ExecMethod

        def tell_failure(*args, **kwargs):
            # impacket logs what a method's call fails of and goes on with nothing.
            try:
                say(id=request['id'], sent=True)
                return execute(*args, **kwargs)
            except Exception as error:
                failure.append(error)
                raise

        services.ExecMethod = tell_failure
        try:
            out = getattr(cls, request['method'])(*arguments)
        finally:
            del services.ExecMethod
        if failure:
            raise failure[0]
        if out is None:
            raise Unsuitable('the parameters could not be written')
        yield describe(out)


def explain(error, is_login):
    code = error.get_error_code() if isinstance(error, DCERPCException) else None
    words = str(error)[:300]
    if code is None and 'rpc_s_access_denied' in words:
        code = RPC_ACCESS_DENIED
    if is_login and (code in LOGIN_REFUSED or 'STATUS_LOGON_FAILURE' in words):
        return {'error': 'access', 'code': code or 0, 'words': words}
    if isinstance(error, (OSError, EOFError)) or words.startswith('Could not connect'):
        return {'error': 'lost', 'code': 0, 'words': words}
    if code is not None:
        return {'error': 'wmi', 'code': code, 'words': words}
    if isinstance(error, Unsuitable):
        return {'error': 'unsuitable', 'code': 0, 'words': words}
    if 'abstract_syntax_not_supported' in words:
        return {'error': 'answer', 'code': 0, 'words': 'it speaks RPC, but no DCOM'}
    return {'error': 'answer', 'code': 0, 'words': '%s: %s' % (type(error).__name__, words)}


def main():
    try:
        first = json.loads(sys.stdin.readline())
        machine = Machine(first['host'], first['user'], first['password'], first['domain'])
        del first
    except Exception as error:
        say(**explain(error, True))
        return
    say(ok=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            for row in getattr(machine, request['op'])(request):
                say(id=request['id'], row=row)
            say(id=request['id'], done=True)
        except Exception as error:
            say(id=request['id'], **explain(error, False))


main()
# impacket keeps a thread that pings the other side, and would not end by itself.
os._exit(0)
