"""The requests of the clients' helpers: what is sent, how long it may take, and what the reply means."""

import re
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple, TypeVar, Union

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
_NOTHING = "nothing"
#: What an order would do: `nothing, it is on already`, `clean shutdown, then power off after 60 s (it is on)`; behind it, which other action it waits for or ends.
_PLANNED = re.compile(r"[a-z][^:()]*[ (]it is ([a-z]+)(?:\)| already(?: and would be waited for)?)(, (?:after|in place of) .*)?\Z", re.DOTALL)


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


class Plan(NamedTuple):
    """What an order would do to one instance now.

    text: for people.
    changes: False where nothing would be sent, since it is so already, or is under way.
    state: that from which the order would begin.
    """

    text: str
    changes: bool
    state: State

    @property
    def is_held(self) -> bool:
        """Whether another action is at it, which will make of it what is not known yet."""
        found = _PLANNED.match(self.text)
        return found is not None and found.group(2) is not None


Value = TypeVar("Value")


class ByName(Dict[str, Union[Value, ArgoError]]):
    """What each instance answered; the error where it failed. `remark` says which provider may have more."""

    remark = ""

    @property
    def failures(self) -> Dict[str, ArgoError]:
        return {name: value for name, value in self.items() if isinstance(value, ArgoError)}


class Outcomes(ByName[None]):
    """How an order ended on each instance: None where it is done, else the error."""


class Plans(ByName[Plan]):
    """What an order would do to each instance, or the error with which it would be refused."""


Facts = Dict[str, Union[str, List[str]]]


class Infos(ByName[Facts]):
    """What is known of each instance: text by key, a list where a key comes several times."""


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


def infos(names, timeout=READING) -> Request:
    return _reading(["info", "--timeout=" + seconds(timeout), "--", *map(word, names)], lambda reply: _infos(names, reply), timeout)


def order(action, name, wait: Optional[float], force=False, clean: Optional[float] = None) -> Request:
    """An order to one instance; None for `wait` where acceptance is enough."""
    return _order(action, [quote(name)], wait, force, clean, lambda reply: reply.raise_for_code() and None)


def orders(action, names, wait: Optional[float], force=False, clean: Optional[float] = None) -> Request:
    """An order to all instances that names and patterns select."""
    return _order(action, list(map(word, names)), wait, force, clean, lambda reply: _outcomes(names, reply))


def plans(action, names, force=False, clean: Optional[float] = None, wait: Optional[float] = None) -> Request:
    """What the same order would do; nothing is ordered, and so nothing waited for: `wait` tells what could not be."""
    line = request_line(action, "--dry-run", *_options(wait, force, clean), "--", *map(word, names))
    return Request(line, (clean or READING) + GRACE, True, lambda reply: _plans(names, reply))


def _order(action, words: List[str], wait, force, clean, parse) -> Request:
    most = (ACCEPTANCE if wait is None else wait) + (clean or 0) + GRACE
    return Request(request_line(action, *_options(wait, force, clean), "--", *words), most, False, parse)


def _options(wait, force, clean) -> List[str]:
    return [
        *(["--force"] if force else []),
        *(["--wait=" + seconds(wait)] if wait is not None else []),
        # for `stop --force` this is how long a clean way is tried first, so it is said only where that is meant
        *(["--timeout=" + seconds(clean)] if clean is not None else []),
    ]


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


def _info(reply: Reply) -> Facts:
    reply.raise_for_code()
    return _facts(reply.lines)


def _facts(lines) -> Facts:
    found: Facts = {}
    for line in lines:
        key, _, value = line.partition(":")
        value, before = value.strip(" \t"), found.get(key)
        found[key] = value if before is None else [*before, value] if isinstance(before, list) else [before, value]
    return found


def _infos(names, reply: Reply) -> Infos:
    lines = reply.lines
    if len(names) == 1 and _begins(lines, 0, ""):
        # one plain name stands before none of its lines
        return _checked(Infos({str(names[0]): _facts(lines)}), reply)
    found, at = Infos(), 0
    while at < len(lines):
        name = _first_name(lines, at)
        if name is None:
            outcome = _outcome(lines[at])
            if outcome is None or outcome[1] is None:
                raise BadAnswer("facts without a name")
            found.update([outcome])
            at += 1
            continue
        begun, prefix = at, name + ": "
        at += 2
        while at < len(lines) and lines[at].startswith(prefix) and not _begins(lines, at, prefix):
            at += 1
        found[name] = _facts(line[len(prefix):] for line in lines[begun:at])
    return _checked(found, reply)


def _begins(lines, at, prefix) -> bool:
    """Whether the facts of an instance begin there: these two always come first."""
    return at + 1 < len(lines) and lines[at].startswith(prefix + "name: ") and lines[at + 1].startswith(prefix + "full name: ")


def _first_name(lines, at) -> Optional[str]:
    return next((name for name, _ in _splits(lines[at]) if _begins(lines, at, name + ": ")), None)


def _plans(names, reply: Reply) -> Plans:
    known = frozenset(str(name) for name in names)
    found = Plans()
    for name, plan in (_plan(line, known) for line in reply.lines):
        # a name that holds what looks like a plan must not pass for another instance's
        if name in found:
            raise BadAnswer("two plans for %s" % name)
        found[name] = plan
    return _checked(found, reply)


def _plan(line, names) -> Tuple[str, Union[Plan, ArgoError]]:
    planned = []
    for name, text in _splits(line):
        phrase, detail = split_reason(text)
        if phrase in BY_PHRASE and not planned:
            return name, from_reason(phrase, detail)
        found = _PLANNED.match(text)
        if found:
            planned.append((name, Plan(text, not text.startswith(_NOTHING), State.of(found.group(1)))))
    if planned:
        return _one_of(planned, names)
    # as a later server may say it
    name, colon, text = line.partition(": ")
    if not colon:
        raise BadAnswer("a plan without a name")
    return name, Plan(text, not text.startswith(_NOTHING), State.UNKNOWN)


def _outcomes(names, reply: Reply) -> Outcomes:
    known = frozenset(names)
    outcomes = (_outcome(line, known) for line in reply.lines)
    found = _checked(Outcomes(outcome for outcome in outcomes if outcome is not None), reply)
    # one plain name has no line
    return Outcomes({str(names[0]): None}) if not found and len(names) == 1 else found


def _checked(found, reply: Reply):
    """Raises the error of the reply unless it says of each instance how it ended there."""
    if not found.failures or reply.phrase != "FAILED":
        reply.raise_for_code()
        found.remark = reply.detail
    return found


def _outcome(line, names=frozenset()) -> Optional[Tuple[str, Optional[ArgoError]]]:
    found = []
    for name, text in _splits(line):
        phrase, detail = split_reason(text)
        if text == "done":
            found.append((name, None))
        elif phrase in BY_PHRASE:
            found.append((name, from_reason(phrase, detail)))
    return _one_of(found, names) if found else None


def _one_of(readings, names):
    """A name may look like an outcome or a plan itself: where several readings of a line are right, that with one of `names` counts."""
    return next((reading for reading in reversed(readings) if reading[0] in names), readings[0])


def _splits(line) -> Iterator[Tuple[str, str]]:
    """What may be the name in front, and the rest: a name may hold a colon, too."""
    at = line.find(": ")
    while at != -1:
        yield line[:at], line[at + 2:]
        at = line.find(": ", at + 1)
