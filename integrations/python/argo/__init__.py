"""A client of argo-server's line protocol, with the standard library alone, for Python 3.9 and later.

    from argo import Client, Settings, State, read_password

    settings = Settings(host="lab.example", account="steve", password=read_password("/etc/argo/password"), tls=True)
    with Client(settings) as argo:
        if argo.status("lj") is State.ON:
            argo.stop("lj")

docs/integrations/python.md describes it.
"""

from .aio import AsyncClient
from .client import Client
from .commands import Infos, Listing, Outcomes, Plan, Plans, Request, States
from .errors import (
    AccessDenied, Ambiguous, ArgoError, AuditUnavailable, BadAnswer, BadRequest, Busy, CertificateRejected, CursorExpired, Failed,
    HostKeyChanged, InternalError, LineTooLong, NeedsAnswer, NoMatch, NoSuchInstance, NoSuchPlan, NoSuchProvider, NoSuchRequest,
    NoSuchRun, NoSuchTask, NotAllowed, NotAuthenticated, NotSupported, ShuttingDown, TimedOut, TooManyConnections, Uncertain,
    UnknownCommand, Unreachable, Usage, WrongState,
)
from .protocol import Exact, Reply, portions, quote
from .settings import Settings, SettingsError, address, ask_password, from_environment, read_password
from .states import State

__all__ = [
    "AccessDenied", "Ambiguous", "ArgoError", "AsyncClient", "AuditUnavailable", "BadAnswer", "BadRequest", "Busy",
    "CertificateRejected", "Client", "CursorExpired", "Exact", "Failed", "HostKeyChanged", "Infos", "InternalError",
    "LineTooLong", "Listing", "NeedsAnswer", "NoMatch", "NoSuchInstance", "NoSuchPlan", "NoSuchProvider", "NoSuchRequest",
    "NoSuchRun", "NoSuchTask", "NotAllowed", "NotAuthenticated", "NotSupported", "Outcomes", "Plan", "Plans", "Reply",
    "Request", "Settings", "SettingsError", "ShuttingDown", "State", "States", "TimedOut", "TooManyConnections", "Uncertain",
    "UnknownCommand", "Unreachable", "Usage", "WrongState", "address", "ask_password", "from_environment", "portions", "quote",
    "read_password",
]
