"""The requests of the clients' helpers: what is sent, how long it may take, and what the reply means."""

import re
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple, Union

from .errors import ArgoError, BY_PHRASE, BadAnswer, from_reason
from .protocol import Reply, quote, request_line, seconds, split_reason, word
from .states import State

#: How long the server may ask a machine for a reading, s: its own default.
READING = 10
#: How long an order is given until the machine has the new state, s.
WAIT = 120
#: What an order may take that is not waited for, s. The server's own limit, `action-timeout`, is less as a rule.
ACCEPTANCE = 300
#: What a reply may take beyond what the server was given, s.
GRACE = 30
#: For what the server answers from memory, s.
AT_ONCE = 30

_STATE = re.compile(r"[a-z]+\Z")


class Request(NamedTuple):
    """A request, and what is made of its reply.

    line: as it is sent.
    deadline: seconds from the call to the end of its reply, connecting and logging in included.
    reading: whether it changes nothing, so that it may be sent again on a new connection.
    parse: makes the result of the reply, or raises the error of its phrase.
    """

    line: bytes
    deadline: float
    reading: bool
    parse: Callable[[Reply], Any]


class Listing(NamedTuple):
    """names: as they can be typed. remark: empty, or which of them may be out of date and why."""

    names: Tuple[str, ...]
    remark: str


class States(Dict[str, State]):
    """States by name. `remark` is empty, or says which provider does not answer and may have more."""

    remark = ""


class Outcomes(Dict[str, Optional[ArgoError]]):
    """How an order ended on each instance: None where it is done, else the error."""

    @property
    def failures(self) -> Dict[str, ArgoError]:
        return {name: error for name, error in self.items() if error is not None}


def custom(words, deadline=AT_ONCE, reading=False) -> Request:
    """Any command, with words as they are written."""
    return Request(request_line(*words), deadline, reading, Reply.raise_for_code)


def _reading(words, parse, timeout: Optional[float] = None) -> Request:
    return Request(request_line(*words), AT_ONCE if timeout is None else timeout + GRACE, True, parse)


def list_names(which="available") -> Request:
    return _reading(["list", which], _listing)


def status(name, timeout=READING) -> Request:
    return _reading(["status", "--timeout=" + seconds(timeout), "--", quote(name)], _state, timeout)


def states(names, timeout=READING) -> Request:
    return _reading(["status", "--timeout=" + seconds(timeout), "--", *map(word, names)], lambda reply: _states(names, reply), timeout)


def info(name, timeout=READING) -> Request:
    return _reading(["info", "--timeout=" + seconds(timeout), "--", quote(name)], _info, timeout)


def order(action, name, wait: Optional[float], force=False, clean: Optional[float] = None) -> Request:
    """An order to one instance; None for `wait` where acceptance is enough."""
    return _order(action, [quote(name)], wait, force, clean, lambda reply: reply.raise_for_code() and None)


def orders(action, names, wait: Optional[float], force=False, clean: Optional[float] = None) -> Request:
    """An order to all instances that names and patterns select."""
    return _order(action, list(map(word, names)), wait, force, clean, lambda reply: _outcomes(names, reply))


def _order(action, words: List[str], wait, force, clean, parse) -> Request:
    options = [
        *(["--force"] if force else []),
        *(["--wait=" + seconds(wait)] if wait is not None else []),
        # for `stop --force` this is how long a clean way is tried first, so it is said only where that is meant
        *(["--timeout=" + seconds(clean)] if clean is not None else []),
    ]
    most = (ACCEPTANCE if wait is None else wait) + (clean or 0) + GRACE
    return Request(request_line(action, *options, "--", *words), most, False, parse)


def _listing(reply: Reply) -> Listing:
    reply.raise_for_code()
    return Listing(reply.lines, reply.detail)


def _state(reply: Reply) -> State:
    reply.raise_for_code()
    if len(reply.lines) != 1:
        raise BadAnswer("a status has one line")
    return State.of(reply.lines[0])


def _states(names, reply: Reply) -> States:
    reply.raise_for_code()
    found = States()
    found.remark = reply.detail
    for line in reply.lines:
        # one plain name has its state alone
        name, colon, state = (names[0], ": ", line) if len(names) == 1 and _STATE.match(line) else line.rpartition(": ")
        if not colon:
            raise BadAnswer("a status without a name")
        found[str(name)] = State.of(state)
    return found


def _info(reply: Reply) -> Dict[str, Union[str, List[str]]]:
    reply.raise_for_code()
    found: Dict[str, Union[str, List[str]]] = {}
    for line in reply.lines:
        key, _, value = line.partition(":")
        value, before = value.strip(), found.get(key)
        found[key] = value if before is None else [*before, value] if isinstance(before, list) else [before, value]
    return found


def _outcomes(names, reply: Reply) -> Outcomes:
    """Raises the error of the reply unless it says of each instance how it ended there."""
    found = Outcomes(outcome for outcome in map(_outcome, reply.lines) if outcome is not None)
    if not found.failures or reply.phrase != "FAILED":
        reply.raise_for_code()
    # one plain name has no line
    return Outcomes({str(names[0]): None}) if not found and len(names) == 1 else found


def _outcome(line) -> Optional[Tuple[str, Optional[ArgoError]]]:
    """A name may hold a colon, too: what follows it must be a phrase."""
    at = line.find(": ")
    while at != -1:
        phrase, detail = split_reason(line[at + 2:])
        if phrase == "done":
            return line[:at], None
        if phrase in BY_PHRASE:
            return line[:at], from_reason(phrase, detail)
        at = line.find(": ", at + 1)
    return None
