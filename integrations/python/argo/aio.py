"""The client for asyncio. Several tasks may use it: their requests go one after the other."""

import asyncio
import hashlib
import ssl
import time
from typing import Iterable, Optional

from . import commands
from .commands import Infos, Listing, Outcomes, Plans, Request, States
from .errors import CertificateRejected
from .protocol import MAX_LINE, Reply
from .session import IsQuiet, Late, Lost, Open, Receive, Send, Session, is_right, reason
from .settings import Settings
from .states import State


class _Pipe(asyncio.Protocol):
    """What has come and was not taken yet. Its reader stops while that is much."""

    def __init__(self):
        self.data = bytearray()
        self.ended: Optional[str] = None
        self.transport: Optional[asyncio.Transport] = None
        self._news = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data += data
        if len(self.data) > MAX_LINE:
            self.transport.pause_reading()
        self._news.set()

    def eof_received(self):
        self.ended = self.ended or "the server closed it"
        self._news.set()

    def connection_lost(self, exc):
        self.ended = self.ended or (reason(exc) if exc is not None else "the server closed it")
        self._news.set()

    async def arrival(self):
        """Waits until something can be taken, or nothing will come any more."""
        while not self.data and self.ended is None:
            self._news.clear()
            await self._news.wait()

    def take(self) -> bytes:
        if not self.data:
            raise Lost(self.ended)
        data = bytes(self.data)
        self.data.clear()
        if self.ended is None:
            self.transport.resume_reading()
        return data

    @property
    def is_quiet(self) -> bool:
        return not self.data and self.ended is None and not self.transport.is_closing()


class AsyncClient:
    """As Client, with `await` before each request.

    async with AsyncClient(Settings(account="steve", password="…")) as argo:
        await argo.stop("lj")
    """

    def __init__(self, settings: Optional[Settings] = None):
        self.settings = settings or Settings()
        self._session = Session(self.settings)
        self._pipe: Optional[_Pipe] = None
        self._turn: Optional[asyncio.Lock] = None

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.close()

    def close(self):
        """An order under way goes on at the server. The next request opens a new connection."""
        self._session.closed()
        if self._pipe is not None:
            self._pipe.transport.abort()
            self._pipe = None

    async def connect(self, deadline=commands.AT_ONCE):
        """Connects and logs in, where the first request shall not have to."""
        await self._in_turn(lambda: self._session.connect(deadline))

    async def request(self, *words: str, deadline=commands.AT_ONCE, reading=False) -> Reply:
        """See Client.request."""
        return await self.run(commands.custom(words, deadline, reading))

    async def run(self, request: Request):
        """Carries a request out; its deadline counts from its turn. Raises the error of its phrase."""
        return request.parse(await self._in_turn(lambda: self._session.exchange(request)))

    async def list(self, which="available") -> Listing:
        """See Client.list."""
        return await self.run(commands.list_names(which))

    async def status(self, name, timeout=commands.READING) -> State:
        """See Client.status."""
        return await self.run(commands.status(name, timeout))

    async def states(self, *names, timeout=commands.READING) -> States:
        """See Client.states."""
        return await self.run(commands.states(names, timeout))

    async def info(self, name, timeout=commands.READING):
        """See Client.info."""
        return await self.run(commands.info(name, timeout))

    async def infos(self, *names, timeout=commands.READING) -> Infos:
        """See Client.infos."""
        return await self.run(commands.infos(names, timeout))

    async def start(self, name, wait: Optional[float] = commands.WAIT, force=False) -> None:
        """See Client.start."""
        await self.run(commands.order("start", name, wait, force))

    async def stop(self, name, wait: Optional[float] = commands.WAIT, force=False, clean: Optional[float] = None) -> None:
        """See Client.stop."""
        await self.run(commands.order("stop", name, wait, force, clean))

    async def reboot(self, name, wait: Optional[float] = None, force=False) -> None:
        """See Client.reboot."""
        await self.run(commands.order("reboot", name, wait, force))

    async def orders(self, action, names: Iterable[str], wait: Optional[float] = commands.WAIT, force=False, clean: Optional[float] = None) -> Outcomes:
        """See Client.orders."""
        return await self.run(commands.orders(action, list(names), wait, force, clean))

    async def plans(self, action, names: Iterable[str], force=False, clean: Optional[float] = None, wait: Optional[float] = None) -> Plans:
        """See Client.plans."""
        return await self.run(commands.plans(action, list(names), force, clean, wait))

    async def _in_turn(self, begin):
        # made here: before Python 3.10 a lock belongs to the loop in which it is made
        if self._turn is None:
            self._turn = asyncio.Lock()
        async with self._turn:
            return await self._carry_out(begin())

    async def _carry_out(self, steps):
        try:
            step = next(steps)
            while True:
                try:
                    answer = await self._step(step)
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

    async def _step(self, step):
        if isinstance(step, IsQuiet):
            return self._pipe.is_quiet
        if isinstance(step, Send):
            # a request is short, so it needs no wait for room
            return self._pipe.transport.write(step.data)
        try:
            work = self._open() if isinstance(step, Open) else self._pipe.arrival()
            await asyncio.wait_for(work, max(0.001, step.until - time.monotonic()))
        except asyncio.TimeoutError:
            raise Late from None
        except OSError as fault:
            raise Lost(reason(fault)) from None
        return self._pipe.take() if isinstance(step, Receive) else None

    async def _open(self):
        self.close()
        settings = self.settings
        secure = {"ssl": settings.context(), "server_hostname": settings.host} if settings.uses_tls else {}
        try:
            _, pipe = await asyncio.get_running_loop().create_connection(_Pipe, settings.host, settings.port, **secure)
        except ssl.SSLCertVerificationError as fault:
            raise CertificateRejected(fault.verify_message) from None
        self._pipe = pipe
        if settings.uses_tls:
            shown = pipe.transport.get_extra_info("ssl_object").getpeercert(True)
            if not is_right(hashlib.sha256(shown).digest(), settings):
                raise CertificateRejected("its fingerprint is another one")
