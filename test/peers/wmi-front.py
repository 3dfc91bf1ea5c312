#!/usr/bin/python3
"""
The door of a WinRM service, in front of a backend that speaks plain SOAP: real GSS-API (gss-ntlmssp)
logs the client in, once for each connection, opens what it sealed and seals the answer.

Kerberos it speaks too, with the keytab of KRB5_KTNAME. Takes one JSON object as the first line of its input: its options, see Options. Says as lines of JSON
what happens: first {"port": …}, then {"login": …}, {"refused": …}, {"opened": …}. Later lines of
input make the next answers go wrong, see Door.spoil. Ends with its input.
"""
import base64
import hashlib
import http.client
import json
import os
import socket
import socketserver
import ssl
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import gssapi

IOV = gssapi.raw.IOVBufferType
NTLM = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")
SOAP = "application/soap+xml;charset=UTF-8"
SEALED = 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'
LIMIT = 16 * 1024 * 1024
SIGNATURE = 16
MESSAGE = (
    b"--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
    b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n"
    b"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n%b--Encrypted Boundary--\r\n"
)

says = threading.Lock()


def say(**event):
    with says:
        print(json.dumps(event), flush=True)


class Door(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, options):
        self.options = options
        self.backend = urlsplit(options["backend"])
        self.spoiling = []
        self.open = set()
        self.context = None
        self.bindings = None
        if "cert" in options:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(options["cert"], options["key"])
            der = ssl.PEM_cert_to_DER_cert(open(options["cert"]).read())
            end_point = hashlib.sha256(der).digest()
            if options.get("otherBinding"):
                end_point = bytes(len(end_point))
            if options.get("bind"):
                self.bindings = gssapi.raw.ChannelBindings(application_data=b"tls-server-end-point:" + end_point)
        super().__init__(("127.0.0.1", options.get("port", 0)), Visit)

    def spoil(self, order):
        """{"spoil": HOW}: the next sealed answer; {"drop": true}: every connection, now."""
        if "spoil" in order:
            self.spoiling.append(order["spoil"])
        if order.get("drop"):
            for connection in list(self.open):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        say(done=order)

    def handle_error(self, request, client_address):
        say(error=str(sys.exc_info()[1])[:200])


class Visit(BaseHTTPRequestHandler):
    """One connection: its login and its seals are its own."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def setup(self):
        self.plain = self.request
        if self.server.context:
            self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.server.open.add(self.plain if not self.server.context else self.request)
        self.security = None
        self.is_ntlm = True
        self.user = None
        self.upstream = None
        super().setup()

    def finish(self):
        self.server.open.discard(self.request)
        if self.upstream:
            self.upstream.close()
        try:
            super().finish()
        finally:
            # The server would close the socket beneath TLS, which is ours no more.
            self.request.close()

    def log_message(self, *_):
        pass

    def version_string(self):
        return "Microsoft-HTTPAPI/2.0"

    def reply(self, status, body=b"", kind=None, token=None, offer=False):
        self.send_response(status)
        if token is not None:
            self.send_header("WWW-Authenticate", token)
        if offer:
            for scheme in self.server.options.get("schemes", ["Negotiate"]):
                self.send_header("WWW-Authenticate", 'Basic realm="WSMAN"' if scheme == "Basic" else scheme)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, why):
        say(refused=why)
        self.security = self.user = None
        self.reply(401, offer=True)

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > LIMIT:
            return self.reply(413)
        body = self.rfile.read(length)
        scheme, _, content = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            return self.serve_basic(base64.b64decode(content).decode(), body)
        token = None
        if scheme:
            try:
                token = self.step(scheme, base64.b64decode(content))
                # An error may wait until the context is looked at.
                if not self.security.complete:
                    return self.reply(401, token=token)
            except gssapi.exceptions.GSSError as error:
                return self.refuse(str(error)[:200])
            self.user = str(self.security.initiator_name).rstrip("\0")
            say(login=self.user, flags=int(self.security.actual_flags))
        if self.user is None:
            return self.refuse("no login")
        return self.forward(body, token)

    def serve_basic(self, pair, body):
        """Basic comes with each request, and holds for that one."""
        user, _, password = pair.partition(":")
        if "Basic" not in self.server.options.get("schemes", []) or self.server.options.get("basic", {}).get(user) != password:
            return self.refuse("basic")
        say(login=user)
        self.user = user
        try:
            return self.forward(body, None)
        finally:
            self.user = None

    def step(self, scheme, token):
        if self.security is None or self.security.complete:
            self.user = None
            self.is_ntlm = token.startswith(b"NTLMSSP\0")
            mech = NTLM if self.is_ntlm else gssapi.MechType.kerberos
            self.security = gssapi.SecurityContext(
                creds=gssapi.Credentials(usage="accept", mechs=[mech]), usage="accept", channel_bindings=self.server.bindings)
        answer = self.security.step(token)
        return f"{scheme} {base64.b64encode(answer).decode()}" if answer else None

    def forward(self, body, token):
        if not body:
            return self.reply(200, token=token)
        sealed = self.headers.get("Content-Type", "").startswith("multipart/encrypted")
        if not sealed and self.server.options.get("requireSeal"):
            return self.reply(500, token=token)
        if sealed:
            body = self.unseal(body)
        status, answer, kind = self.ask(body)
        if not sealed or not answer:
            return self.reply(status, answer, kind, token)
        return self.spoil(status, self.seal(answer), token)

    def unseal(self, body):
        content = body.split(b"\tContent-Type: application/octet-stream\r\n", 1)[1]
        content = content[: content.rindex(b"--Encrypted Boundary--")]
        length = int(body.split(b";Length=", 1)[1].split(b"\r\n", 1)[0])
        (signature,) = struct.unpack("<I", content[:4])
        assert len(content) == 4 + signature + length
        if self.is_ntlm:
            assert signature == SIGNATURE
            opened = self.security.unwrap(content[4:])
            assert opened.encrypted
            message = opened.message
        else:
            # Piece by piece, as Windows does: nothing of the token may be among the data.
            iov = gssapi.raw.IOV((IOV.header, False, content[4:4 + signature]), (IOV.data, False, content[4 + signature:]), std_layout=False)
            assert gssapi.raw.unwrap_iov(self.security, iov).encrypted
            message = iov[1].value
        say(opened=length)
        return message

    def seal(self, answer):
        if not self.is_ntlm:
            iov = gssapi.raw.IOV(IOV.header, answer, IOV.padding, std_layout=False)
            assert gssapi.raw.wrap_iov(self.security, iov, confidential=True)
            data = iov[1].value + (iov[2].value or b"")
            return MESSAGE % (len(data), struct.pack("<I", len(iov[0].value)) + iov[0].value + data)
        sealed = self.security.wrap(answer, True).message
        return MESSAGE % (len(answer), struct.pack("<I", SIGNATURE) + sealed)

    def spoil(self, status, message, token):
        how = self.server.spoiling.pop(0) if self.server.spoiling else None
        start = message.index(b"octet-stream\r\n") + len(b"octet-stream\r\n") + 4
        if how == "signature":
            message = flipped(message, start + 4)
        elif how == "sequence":
            message = flipped(message, start + 12)
        elif how == "ciphertext":
            message = flipped(message, start + SIGNATURE + 10)
        elif how == "cut":
            self.send_response(status)
            self.send_header("Content-Type", SEALED)
            self.send_header("Content-Length", str(len(message)))
            self.end_headers()
            self.wfile.write(message[: len(message) // 2])
            self.wfile.flush()
            self.close_connection = True
            return None
        elif how == "silent":
            self.close_connection = True
            return None
        return self.reply(status, message, SEALED, token)

    def ask(self, body):
        backend = self.server.backend
        if self.upstream is None:
            self.upstream = http.client.HTTPConnection(backend.hostname, backend.port, timeout=300)
            self.upstream.connect()
            self.upstream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.upstream.request("POST", backend.path or "/wsman", body, {"Content-Type": SOAP, "X-Remote-User": self.user})
            answer = self.upstream.getresponse()
            return answer.status, answer.read(), answer.headers.get("Content-Type", SOAP)
        except (OSError, http.client.HTTPException):
            # The backend hung up: so do we, as one service would.
            self.upstream.close()
            self.upstream = None
            self.connection.shutdown(socket.SHUT_RDWR)
            raise


def flipped(message, at):
    return message[:at] + bytes([message[at] ^ 1]) + message[at + 1:]


def main():
    door = Door(json.loads(sys.stdin.readline()))
    threading.Thread(target=door.serve_forever, daemon=True).start()
    say(port=door.server_address[1])
    for line in sys.stdin:
        door.spoil(json.loads(line))
    os._exit(0)


main()
