"""Which server, as whom, and how it is known to be the right one."""

import base64
import getpass
import os
import re
import ssl
import stat
from dataclasses import dataclass, field
from typing import Callable, Mapping, Optional, Tuple, Union

from .errors import NotAuthenticated
from .protocol import LONGEST

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 20203
#: Seconds until a connection must stand, TLS included. The resolver of names has limits of its own.
CONNECT_TIMEOUT = 10.0
#: Seconds until the login must be answered: the server delays it after failures.
LOGIN_TIMEOUT = 60.0
#: Bytes of a password file.
MAX_PASSWORD_FILE = 4096

_V6 = re.compile(r"\[([^\]]+)\](?::(\d+))?\Z")
_FINGERPRINT = re.compile(r"(?:SHA256:)?([A-Za-z0-9+/]{43}=?|[0-9A-Fa-f:]{64,95})\Z")


class SettingsError(ValueError):
    """Settings that cannot be meant. Its text is for people."""


@dataclass(frozen=True)
class Settings:
    """How to reach a server.

    account: None to log in as nobody.
    password: a text, or a function that gives it when it is needed. It is in no text of this object.
    tls: also on where one of the next three is given.
    ca_file: PEM with the authorities that the server is checked with, in place of the system's.
    fingerprint: `SHA256:…` of the one certificate that is right, whatever its name and whoever signed it; with
        ca_file both must hold.
    cert_file, key_file: PEM that is shown to a server with `tls-client-ca`.
    connect_timeout, login_timeout: seconds, LONGEST at most.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    account: Optional[str] = None
    password: Union[str, Callable[[], str], None] = field(default=None, repr=False)
    tls: bool = False
    ca_file: Optional[str] = None
    fingerprint: Optional[str] = None
    cert_file: Optional[str] = None
    key_file: Optional[str] = None
    connect_timeout: float = CONNECT_TIMEOUT
    login_timeout: float = LOGIN_TIMEOUT

    def __post_init__(self):
        if not 0 < self.port < 65536:
            raise SettingsError("a port is between 1 and 65535")
        for name in ("connect_timeout", "login_timeout"):
            if not 0 < getattr(self, name) <= LONGEST:
                raise SettingsError("%s is more than 0, and %d seconds at most" % (name, LONGEST))
        if self.fingerprint is not None:
            _digest(self.fingerprint)

    @property
    def uses_tls(self) -> bool:
        return self.tls or any((self.ca_file, self.fingerprint, self.cert_file))

    @property
    def digest(self) -> Optional[bytes]:
        """SHA-256 of the certificate that is right; None where any trusted one is."""
        return None if self.fingerprint is None else _digest(self.fingerprint)

    def secret(self) -> str:
        """The password. Raises NotAuthenticated where there is none."""
        password = self.password() if callable(self.password) else self.password
        if password is None:
            raise NotAuthenticated("there is no password for %s" % self.account)
        return password

    def context(self) -> ssl.SSLContext:
        """Raises SettingsError where a file is no good."""
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            if self.ca_file is not None:
                context = ssl.create_default_context(cafile=self.ca_file)
                context.minimum_version = ssl.TLSVersion.TLSv1_2
            elif self.fingerprint is not None:
                # the fingerprint is compared before anything is sent, and says more than a name does
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except OSError as fault:
            raise SettingsError("%s: %s" % (self.ca_file or self.cert_file, fault.strerror or fault)) from None
        return context


def address(text) -> Tuple[str, int]:
    """Host and port of `host`, `host:port` or `[v6]:port`."""
    found = _V6.match(text)
    host, port = found.groups() if found else (text, None) if text.count(":") != 1 else text.split(":")
    if not host or (port is not None and not re.match(r"\d{1,5}\Z", port)):
        raise SettingsError("an address is host, host:port or [v6]:port: %s" % text)
    return host, DEFAULT_PORT if port is None else int(port)


def read_password(path) -> str:
    """The first line of a file that others than its owner and group may not read. Raises SettingsError."""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and mode & 0o007:
                raise SettingsError("%s can be read by everybody: chmod 600, or 640 for a group" % path)
            line = file.readline(MAX_PASSWORD_FILE)
        return line.decode("utf-8").rstrip("\r\n")
    except OSError as fault:
        raise SettingsError("%s: %s" % (path, fault.strerror)) from None
    except UnicodeDecodeError:
        raise SettingsError("%s: not UTF-8" % path) from None


def ask_password(account) -> str:
    """Asks for it on the terminal, without echo. Raises NotAuthenticated where there is no terminal."""
    try:
        with open("/dev/tty"):
            pass
    except OSError:
        raise NotAuthenticated("there is no password for %s, and no terminal to ask at" % account) from None
    return getpass.getpass("password of %s: " % account)


def from_environment(env: Optional[Mapping[str, str]] = None, ask=False, **given) -> Settings:
    """Settings from the variables that the `argo` command knows: ARGO_SERVER, ARGO_ACCOUNT, ARGO_PASSWORD,
    ARGO_PASSWORD_FILE, ARGO_TLS, ARGO_CA_FILE, ARGO_FINGERPRINT.

    given: what counts more than these, by the names of Settings.
    ask: whether the password is asked for on the terminal where it is nowhere else.
    """
    env = os.environ if env is None else env
    found = {}
    if env.get("ARGO_SERVER"):
        found["host"], found["port"] = address(env["ARGO_SERVER"])
    for name, key in (("ARGO_ACCOUNT", "account"), ("ARGO_CA_FILE", "ca_file"), ("ARGO_FINGERPRINT", "fingerprint")):
        if env.get(name):
            found[key] = env[name]
    if env.get("ARGO_TLS"):
        if env["ARGO_TLS"] not in ("true", "false"):
            raise SettingsError("ARGO_TLS is true or false")
        found["tls"] = env["ARGO_TLS"] == "true"
    found.update((key, value) for key, value in given.items() if value is not None)
    if "password" not in found and found.get("account"):
        found["password"] = _source(env, ask, found["account"])
    return Settings(**found)


def _source(env, ask, account) -> Union[str, Callable[[], str], None]:
    if "ARGO_PASSWORD" in env:
        return env["ARGO_PASSWORD"]
    path = env.get("ARGO_PASSWORD_FILE")
    if path:
        return lambda: read_password(path)
    return (lambda: ask_password(account)) if ask else None


def _digest(fingerprint) -> bytes:
    found = _FINGERPRINT.match(fingerprint)
    try:
        if found:
            text = found.group(1)
            digest = base64.b64decode(text.rstrip("=") + "=") if len(text) < 64 else bytes.fromhex(text.replace(":", ""))
            if len(digest) == 32:
                return digest
    except ValueError:
        pass
    raise SettingsError('a fingerprint is "SHA256:…", as argo and openssl print it')
