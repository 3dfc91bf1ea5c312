"""The line protocol without a connection: requests as lines, bytes as replies. docs/protocol.md is its text."""

import re
from typing import Iterable, Iterator, List, NamedTuple, Tuple

from .errors import BadAnswer, BadRequest, from_reason

#: The longest that can be waited for anything, s.
LONGEST = 86400
#: Bytes of one line of a reply; more is no argo-server, and must not fill memory.
MAX_LINE = 1024 * 1024
#: Bytes of all lines of one reply together.
MAX_REPLY = 64 * 1024 * 1024
#: Bytes and number of names on one line, so that their request is one that every server takes whose `max-line` is no less
#: than it is by itself.
ROOM_FOR_NAMES = 3800
MOST_NAMES = 1000

_CODE = re.compile(r"([234]00)(?: (.*))?\Z", re.DOTALL)
#: A body line that would look like a code has a blank put in front.
_SHIFTED = re.compile(r" [234]00(?: |\Z)")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_BLANK_OR_QUOTE = re.compile(r'[ \t"]')
#: The one kind of pattern with a quote in it: @tag:"rack 7".
_TAG = re.compile(r'@tag:"(?:[^"\\]|\\["\\])*"\Z')


class Reply(NamedTuple):
    """One whole reply.

    code: of its last line: 300, done; or 400, an error.
    phrase: "DONE" behind a 300, the reason behind a 400.
    detail: what stands behind the phrase, for people: a remark such as which names may be out of date, or why not.
    lines: the body.
    accepted: whether a 200 came first. Without it nothing was begun.
    """

    code: int
    phrase: str
    detail: str
    lines: Tuple[str, ...]
    accepted: bool

    def raise_for_code(self):
        """Itself where it is done. Raises the error of its phrase where not."""
        if self.code == 300:
            return self
        raise from_reason(self.phrase, self.detail, self)


def split_reason(text) -> Tuple[str, str]:
    """The phrase and the detail of `PHRASE: detail`."""
    phrase, _, detail = text.partition(": ")
    return phrase, detail


class Parser:
    """Takes the bytes of a connection in portions of any size and gives the replies in them."""

    def __init__(self):
        self._rest = b""
        self._size = 0
        self._lines: List[str] = []
        self._accepted = False

    @property
    def is_idle(self) -> bool:
        """Whether no part of a reply waits for the rest of it."""
        return self._rest == b"" and not self._accepted

    def feed(self, data: bytes) -> List[Reply]:
        """Raises BadAnswer for what is no reply. The connection is of no use then."""
        *lines, rest = (self._rest + data).split(b"\n")
        if len(rest) > MAX_LINE or any(len(line) > MAX_LINE for line in lines):
            raise BadAnswer("a line is longer than %d bytes" % MAX_LINE)
        self._rest = rest
        return [reply for reply in map(self._line, lines) if reply is not None]

    def _line(self, line: bytes):
        self._size += len(line) + 1
        if self._size > MAX_REPLY:
            raise BadAnswer("a reply is longer than %d bytes" % MAX_REPLY)
        try:
            text = (line[:-1] if line.endswith(b"\r") else line).decode("utf-8")
        except UnicodeDecodeError:
            raise BadAnswer("a line is not UTF-8") from None
        found = _CODE.match(text)
        if found and found.group(1) != "200":
            return self._end(int(found.group(1)), (found.group(2) or "").strip(" \t"))
        if self._accepted:
            self._lines.append(text[1:] if _SHIFTED.match(text) else text)
        elif found:
            self._accepted = True
        else:
            raise BadAnswer("a reply begins with neither 200 nor 400")
        return None

    def _end(self, code, comment):
        reply = Reply(code, *split_reason(comment), lines=tuple(self._lines), accepted=self._accepted)
        self._size, self._lines, self._accepted = 0, [], False
        return reply


class Exact(str):
    """A name that means what it says, whatever signs of patterns are in it."""


def quote(text) -> str:
    """A text as one word that is taken literally: no pattern, no group, no option."""
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def word(text) -> str:
    """A text as one word that may be a pattern (`web*`, `web[1-20]`, `@group`). With a blank in it, it is literal."""
    if isinstance(text, Exact) or text == "" or (_BLANK_OR_QUOTE.search(text) and not _TAG.match(text)):
        return quote(text)
    return text


def portions(names: Iterable[str]) -> Iterator[List[str]]:
    """Names in portions, each of which fits on one line."""
    portion: List[str] = []
    size = 0
    for name in names:
        needed = len(word(name).encode("utf-8")) + 1
        if portion and (size + needed > ROOM_FOR_NAMES or len(portion) == MOST_NAMES):
            yield portion
            portion, size = [], 0
        portion.append(name)
        size += needed
    if portion:
        yield portion


def request_line(*words: str) -> bytes:
    """A request as it is sent. The words are written as they are: see `word` and `quote`.

    Raises BadRequest where one of them is empty or holds what would end the line or the connection.
    """
    if not words or not all(words):
        raise BadRequest("an empty word")
    line = " ".join(words)
    if _CONTROL.search(line):
        raise BadRequest("control characters")
    return line.encode("utf-8") + b"\n"


def seconds(value) -> str:
    """A length of time as options take it: whole seconds, or milliseconds."""
    if not 0 < value <= LONGEST:
        raise BadRequest("a time is more than 0, and %d seconds at most" % LONGEST)
    return "%d" % value if value == int(value) else "%dms" % max(1, round(value * 1000))
