"""pywinrm as a client of WMI: requests as lines of JSON on stdin, answers as lines on stdout.

The first line says how to connect. Headers, transport and sealing are pywinrm's own; only bodies and
selectors are given, since it has no words of its own for WMI.
"""
import json
import sys

import xmltodict
from winrm.exceptions import WinRMError, WinRMTransportError
from winrm.protocol import Protocol


class Namespaces(dict):
    """Short names; a class has a namespace of its own, which is `p` here."""

    def __missing__(self, name):
        return 'p' if name.startswith('http://schemas.microsoft.com/wbem/wsman/1/wmi/') else name


NAMESPACES = Namespaces({
    'http://www.w3.org/2003/05/soap-envelope': None,
    'http://schemas.xmlsoap.org/ws/2004/08/addressing': None,
    'http://schemas.xmlsoap.org/ws/2004/09/enumeration': 'n',
    'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd': 'w',
    'http://schemas.dmtf.org/wbem/wscim/1/common': 'cim',
    'http://www.w3.org/2001/XMLSchema-instance': 'xsi',
})


def envelope(client, request):
    message = client._get_soap_header(action=request['action'], resource_uri=request['resource'])
    message['@xmlns:n'] = 'http://schemas.xmlsoap.org/ws/2004/09/enumeration'
    if 'selectors' in request:
        message['env:Header']['w:SelectorSet'] = {
            'w:Selector': [{'@Name': name, '#text': text} for name, text in request['selectors'].items()]}
    message['env:Body'] = request.get('body') or {}
    return xmltodict.unparse({'env:Envelope': message})


def main():
    client = Protocol(**json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        try:
            response = client.send_message(envelope(client, json.loads(line)))
            parsed = xmltodict.parse(response, process_namespaces=True, namespaces=NAMESPACES)
            answer = {'body': parsed['Envelope']['Body']}
        except WinRMTransportError as error:
            answer = {'error': type(error).__name__, 'status': error.code}
        except WinRMError as error:
            answer = {'error': type(error).__name__, 'words': str(error)}
        print(json.dumps(answer), flush=True)


main()
