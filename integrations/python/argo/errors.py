"""What can go wrong: a class for each phrase that may stand behind a 400, and one for what is no answer at all.

The same classes are raised for what this side finds out by itself. There `reply` is None:

    Unreachable   there was no connection; nothing was done
    TimedOut      the deadline passed. An order that was sent goes on at the server
    Uncertain     the connection was lost after an order was sent; it may have been done
    BadRequest    the request cannot be said on one line; nothing was sent
"""


class ArgoError(Exception):
    """Any of them. Its text is `PHRASE: detail`; it never holds a password.

    phrase: one of the protocol's, for programs. Where a later server has one that is not known here, the error is an
        ArgoError itself with that phrase.
    detail: for people; may be empty.
    reply: the Reply that ended so, with the lines before its end; None where this side says it.
    """

    phrase = ""

    def __init__(self, detail="", reply=None, phrase=None):
        if phrase is not None:
            self.phrase = phrase
        self.detail = detail
        self.reply = reply
        super().__init__(": ".join(part for part in (self.phrase, detail) if part))


class BadAnswer(ArgoError):
    """What answers is no argo-server, or sends without end. The connection is closed."""

    phrase = "BAD ANSWER"


class NotAuthenticated(ArgoError):
    """Log in first; or the name, the password or the network is wrong."""

    phrase = "NOT AUTHENTICATED"


class NotAllowed(ArgoError):
    """The account may not do that here, whether or not such an instance exists."""

    phrase = "NOT ALLOWED"


class UnknownCommand(ArgoError):
    """No such command word."""

    phrase = "UNKNOWN COMMAND"


class Usage(ArgoError):
    """The command exists, its arguments are wrong."""

    phrase = "USAGE"


class BadRequest(ArgoError):
    """The line is not UTF-8, or holds control characters or an open quote."""

    phrase = "BAD REQUEST"


class LineTooLong(ArgoError):
    """The request is longer than the server takes."""

    phrase = "LINE TOO LONG"


class NoMatch(ArgoError):
    """The globs, ranges and groups select nothing."""

    phrase = "NO MATCH"


class NoSuchInstance(ArgoError):
    """No instance has that name."""

    phrase = "NO SUCH INSTANCE"


class Ambiguous(ArgoError):
    """Several instances have that short name."""

    phrase = "AMBIGUOUS"


class NoSuchProvider(ArgoError):
    """No provider has that name."""

    phrase = "NO SUCH PROVIDER"


class NoSuchTask(ArgoError):
    """No action of yours under way has that number."""

    phrase = "NO SUCH TASK"


class NoSuchPlan(ArgoError):
    """There is no plan of that name that you may use."""

    phrase = "NO SUCH PLAN"


class NoSuchRequest(ArgoError):
    """No host of that name waits to be enrolled."""

    phrase = "NO SUCH REQUEST"


class NoSuchRun(ArgoError):
    """No run of a plan that you may use has that id."""

    phrase = "NO SUCH RUN"


class NotSupported(ArgoError):
    """This machine cannot do that."""

    phrase = "NOT SUPPORTED"


class WrongState(ArgoError):
    """The machine is in a state in which that cannot be done."""

    phrase = "WRONG STATE"


class Busy(ArgoError):
    """Another action kept the instance, or too much waits already."""

    phrase = "BUSY"


class TimedOut(ArgoError):
    """No answer, or not the state, before the deadline. It may have been done: ask for the status."""

    phrase = "TIMEOUT"


class Unreachable(ArgoError):
    """The server, the machine or its manager could not be reached; nothing was done."""

    phrase = "UNREACHABLE"


class AccessDenied(ArgoError):
    """The machine refuses the server's credentials or rights."""

    phrase = "ACCESS DENIED"


class HostKeyChanged(ArgoError):
    """The SSH host key is not the one that the server knows."""

    phrase = "HOST KEY CHANGED"


class CertificateRejected(ArgoError):
    """The TLS certificate is not a trusted one: the machine's, or with no reply the server's own."""

    phrase = "CERTIFICATE REJECTED"


class NeedsAnswer(ArgoError):
    """The machine waits for an answer to a question."""

    phrase = "NEEDS ANSWER"


class Failed(ArgoError):
    """The machine says that it failed. Or: so many of so many targets failed."""

    phrase = "FAILED"


class CursorExpired(ArgoError):
    """The events behind this cursor are not remembered."""

    phrase = "CURSOR EXPIRED"


class Uncertain(ArgoError):
    """The order was sent, and neither its success nor its refusal is known: ask for the status."""

    phrase = "UNCERTAIN"


class AuditUnavailable(ArgoError):
    """The audit cannot be written, so no action is taken."""

    phrase = "AUDIT UNAVAILABLE"


class TooManyConnections(ArgoError):
    """A limit on connections is reached."""

    phrase = "TOO MANY CONNECTIONS"


class ShuttingDown(ArgoError):
    """The server is ending."""

    phrase = "SHUTTING DOWN"


class InternalError(ArgoError):
    """A fault of the server or of a plugin; its log has the cause."""

    phrase = "INTERNAL ERROR"


#: The class for each phrase that a server may send.
BY_PHRASE = {kind.phrase: kind for kind in ArgoError.__subclasses__() if kind is not BadAnswer}


def from_reason(phrase, detail="", reply=None):
    """The error for a phrase, as a server sends it."""
    kind = BY_PHRASE.get(phrase)
    return ArgoError(detail, reply, phrase) if kind is None else kind(detail, reply)
