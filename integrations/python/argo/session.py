"""What both clients do, without doing it: a generator of steps that one carries out with sockets, the other with asyncio.

So it is written once when a connection is made, when a login is sent, what is tried again and what never is.
"""

import time
from typing import Generator, NamedTuple, Optional

from .commands import Request
from .errors import ArgoError, BadAnswer, TimedOut, Uncertain, Unreachable
from .protocol import Parser, Reply, quote, request_line
from .settings import Settings


class Lost(Exception):
    """The connection is gone. Its text says how."""


class Late(Exception):
    """A step was not done in time."""


class Open(NamedTuple):
    """Close what is open, and connect. Raises Lost or Late, or an ArgoError."""

    until: float


class Send(NamedTuple):
    """Send all of it. Raises Lost or Late."""

    data: bytes
    until: float


class Receive(NamedTuple):
    """Gives what comes next; nothing at the end of the connection. Raises Lost or Late."""

    until: float


class IsQuiet(NamedTuple):
    """Gives whether the connection stands and nothing has come that nobody asked for."""


Steps = Generator[NamedTuple, object, Reply]


class Session:
    """One connection after the other, with a login on each. Times are those of time.monotonic()."""

    def __init__(self, settings: Settings, clock=time.monotonic):
        self.settings = settings
        self._clock = clock
        self._parser: Optional[Parser] = None

    def closed(self):
        """The connection is closed; the next request opens another."""
        self._parser = None

    def exchange(self, request: Request) -> Steps:
        """Gives the reply, also one with a 400. After any exception the connection has to be closed.

        A reading that was cut off is sent once more. An order never is: nobody knows whether it was begun.
        """
        until = self._clock() + request.deadline
        for is_last in (False, True) if request.reading else (True,):
            yield from self._ready(until)
            try:
                return (yield from self._ask(request.line, until))
            except Lost as lost:
                self.closed()
                if not request.reading:
                    raise Uncertain("the connection was lost after the order was sent: %s" % lost) from None
                if is_last:
                    raise Unreachable(self._where("the connection was lost: %s" % lost)) from None
            except Late:
                raise TimedOut("no answer within %g s" % request.deadline) from None
            except BadAnswer as bad:
                if request.reading:
                    raise
                raise Uncertain("the order was sent, and the answer is none: %s" % bad.detail) from None
        raise AssertionError("unreachable")

    def connect(self, deadline) -> Generator[NamedTuple, object, None]:
        """Connects and logs in, unless that is so."""
        yield from self._ready(self._clock() + deadline)

    def _ready(self, until):
        # What has come without a question is the server's farewell, and would be taken for the answer to the next.
        if self._parser is not None and self._parser.is_idle and (yield IsQuiet()):
            return
        self.closed()
        limit = self.settings.connect_timeout
        try:
            yield Open(min(until, self._clock() + limit))
        except Lost as lost:
            raise Unreachable(self._where(str(lost))) from None
        except Late:
            raise Unreachable(self._where("no connection within %g s" % limit)) from None
        self._parser = Parser()
        if self.settings.account is not None:
            yield from self._log_in(until)

    def _log_in(self, until):
        line = request_line("auth", quote(self.settings.account), quote(self.settings.secret()))
        try:
            reply = yield from self._ask(line, min(until, self._clock() + self.settings.login_timeout))
        except Lost as lost:
            raise Unreachable(self._where("the connection was lost at the login: %s" % lost)) from None
        except Late:
            raise Unreachable(self._where("no answer to the login in time")) from None
        reply.raise_for_code()

    def _ask(self, line, until):
        yield Send(line, until)
        while True:
            data = yield Receive(until)
            if not data:
                raise Lost("the server closed it")
            replies = self._parser.feed(data)
            if len(replies) > 1:
                # a farewell behind the answer
                self.closed()
            if replies:
                return replies[0]

    def _where(self, detail) -> str:
        return "%s:%d: %s" % (self.settings.host, self.settings.port, detail)


def is_right(digest, settings: Settings) -> bool:
    """Whether a certificate's SHA-256 is that of the settings, where they have one."""
    return settings.digest is None or digest == settings.digest


def reason(fault: BaseException) -> str:
    """A fault of the system in words."""
    if isinstance(fault, ArgoError):
        return fault.detail
    return getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
