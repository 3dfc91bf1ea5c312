"""The client for programs that wait. One thread at a time may use it."""

import hashlib
import socket
import ssl
import time
from typing import Iterable, Optional

from . import commands
from .commands import Infos, Listing, Outcomes, Plans, Request, States
from .errors import CertificateRejected
from .protocol import Reply
from .session import IsQuiet, Late, Lost, Open, Receive, Send, Session, is_right, reason
from .settings import Settings
from .states import State

_CHUNK = 65536


class Client:
    """Requests over one connection, which is made by the first of them and anew where it was lost.

    with Client(Settings(account="steve", password="…")) as argo:
        argo.stop("lj")
    """

    def __init__(self, settings: Optional[Settings] = None):
        self.settings = settings or Settings()
        self._session = Session(self.settings)
        self._socket: Optional[socket.socket] = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """An order under way goes on at the server. The next request opens a new connection."""
        self._session.closed()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def connect(self, deadline=commands.AT_ONCE):
        """Connects and logs in, where the first request shall not have to."""
        self._carry_out(self._session.connect(deadline))

    def request(self, *words: str, deadline=commands.AT_ONCE, reading=False) -> Reply:
        """Any command: words as they are typed; `argo.quote` makes a literal one of any text.

        deadline: seconds until the reply must be there, connecting included.
        reading: whether it changes nothing, and so may be sent again where the connection is lost.
        """
        return self.run(commands.custom(words, deadline, reading))

    def run(self, request: Request):
        """Carries a request out. Raises the error of its phrase."""
        return request.parse(self._carry_out(self._session.exchange(request)))

    def list(self, which="available") -> Listing:
        """Names: all, or those `running`, `paused`, `stopped`, or `hosts`. What is in none of them is not known."""
        return self.run(commands.list_names(which))

    def status(self, name, timeout=commands.READING) -> State:
        """The state of one instance, asked of the machine now. UNKNOWN is not OFF."""
        return self.run(commands.status(name, timeout))

    def states(self, *names, timeout=commands.READING) -> States:
        """The states of all that names and patterns select."""
        return self.run(commands.states(names, timeout))

    def info(self, name, timeout=commands.READING):
        """What is known of one instance: text by key, a list where a key comes several times."""
        return self.run(commands.info(name, timeout))

    def infos(self, *names, timeout=commands.READING) -> Infos:
        """The same of all that names and patterns select. Look at its `failures`."""
        return self.run(commands.infos(names, timeout))

    def start(self, name, wait: Optional[float] = commands.WAIT, force=False) -> None:
        """Switches it on. Returns when the machine says that it is on, or with `wait=None` when the order is accepted."""
        self.run(commands.order("start", name, wait, force))

    def stop(self, name, wait: Optional[float] = commands.WAIT, force=False, clean: Optional[float] = None) -> None:
        """Shuts it down. `force` pulls the plug; with `clean` it is asked for so many seconds first."""
        self.run(commands.order("stop", name, wait, force, clean))

    def reboot(self, name, wait: Optional[float] = None, force=False) -> None:
        """Restarts a running machine. To wait for it, the machine must tell one boot from the next."""
        self.run(commands.order("reboot", name, wait, force))

    def orders(self, action, names: Iterable[str], wait: Optional[float] = commands.WAIT, force=False, clean: Optional[float] = None) -> Outcomes:
        """One order to all that names and patterns select. Look at its `failures`."""
        return self.run(commands.orders(action, list(names), wait, force, clean))

    def plans(self, action, names: Iterable[str], force=False, clean: Optional[float] = None, wait: Optional[float] = None) -> Plans:
        """What that order would do to each; nothing is ordered. With `wait`, one whose end cannot be told is among the failures."""
        return self.run(commands.plans(action, list(names), force, clean, wait))

    def _carry_out(self, steps):
        try:
            step = next(steps)
            while True:
                try:
                    answer = self._step(step)
                except (Lost, Late) as fault:
                    step = steps.throw(fault)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            return end.value
        except BaseException:
            # an answer may still be on its way, and must not be taken for that to another request
            self.close()
            raise

    def _step(self, step):
        try:
            if isinstance(step, Open):
                return self._open(step.until)
            if isinstance(step, IsQuiet):
                return self._is_quiet()
            self._socket.settimeout(_left(step.until))
            return self._socket.sendall(step.data) if isinstance(step, Send) else self._socket.recv(_CHUNK)
        except socket.timeout:
            raise Late from None
        except OSError as fault:
            raise Lost(reason(fault)) from None

    def _open(self, until):
        self.close()
        fault = Lost("no such host")
        for family, kind, number, _, place in socket.getaddrinfo(self.settings.host, self.settings.port, type=socket.SOCK_STREAM):
            plain = socket.socket(family, kind, number)
            try:
                plain.settimeout(_left(until))
                plain.connect(place)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                plain.settimeout(_left(until))
                self._socket = self._secure(plain) if self.settings.uses_tls else plain
                return
            except OSError as problem:
                plain.close()
                if isinstance(problem, (ssl.SSLError, socket.timeout)):
                    raise
                fault = Lost(reason(problem))
            except BaseException:
                plain.close()
                raise
        raise fault

    def _secure(self, plain):
        try:
            secured = self.settings.context().wrap_socket(plain, server_hostname=self.settings.host)
        except ssl.SSLCertVerificationError as fault:
            raise CertificateRejected(fault.verify_message) from None
        if not is_right(hashlib.sha256(secured.getpeercert(True)).digest(), self.settings):
            secured.close()
            raise CertificateRejected("its fingerprint is another one")
        return secured

    def _is_quiet(self) -> bool:
        self._socket.settimeout(0)
        try:
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return True
        except OSError:
            pass
        return False


def _left(until) -> float:
    """Seconds. Raises Late where there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise Late
    return left
