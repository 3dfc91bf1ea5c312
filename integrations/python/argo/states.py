"""The states of instances."""

from enum import Enum


class State(str, Enum):
    """What `status` says. UNKNOWN is never a way to say OFF: whoever needs an instance off must see OFF."""

    ON = "on"
    OFF = "off"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    STARTING = "starting"
    STOPPING = "stopping"
    CRASHED = "crashed"
    UNKNOWN = "unknown"

    def __str__(self):
        return self.value

    @classmethod
    def of(cls, text):
        """The state of that name; UNKNOWN for one that a later server may have, and for None."""
        try:
            return cls(text)
        except ValueError:
            return cls.UNKNOWN
