"""What an argo-server knows of machines, as values for playbooks."""

import re

from .argo import ArgoError, NoMatch, portions

_LISTS = {"ips": " ", "macs": " ", "tags": ", ", "capabilities": ", ", "disks": ", "}
_FLAGS = {"persistent": "yes", "autostart": "on"}
_NUMBERS = ("cpus", "memory")
_PROVIDER = re.compile(r"(.*) \(([^()]*)\)\Z", re.DOTALL)


def read_states(client, names, timeout):
    """Names and states, and remarks about what may be missing. Raises ArgoError."""
    return _read(lambda portion: client.states(*portion, timeout=timeout), names, lambda name, state: {"name": name, "state": str(state)})


def read_facts(client, names, timeout):
    """The same with all that is known of each."""
    return _read(lambda portion: client.infos(*portion, timeout=timeout), names, facts_of)


def _read(ask, names, as_result):
    found, remarks = {}, []
    for portion in portions(names):
        try:
            answer = ask(portion)
        except NoMatch as nothing:
            remarks.append(str(nothing))
            continue
        found.update(answer)
        if answer.remark:
            remarks.append(answer.remark)
    return [as_result(name, value) for name, value in sorted(found.items())], remarks


def facts_of(name, info):
    """Facts of one, or the error that it has in their place, by names that variables can have.

    `name` is the one that can be typed, `short_name` the machine's own.
    """
    if isinstance(info, ArgoError):
        return {"name": name, "state": "unknown", "error": str(info)}
    found = {re.sub(r"\W", "_", key, flags=re.ASCII): _value(key, text) for key, text in info.items()}
    found.update(name=name, short_name=info["name"])
    provider = _PROVIDER.match(info["provider"])
    if provider:
        found["provider"], found["provider_type"] = provider.groups()
    for key in ("ips", "macs", "tags"):
        found.setdefault(key, [])
    return found


def _value(key, text):
    if isinstance(text, list):
        return text
    if key == "tags" and text.startswith("("):
        # in place of them, why they cannot be read
        return []
    if key in _LISTS:
        return text.split(_LISTS[key])
    if key in _FLAGS:
        return text == _FLAGS[key]
    number = re.match(r"\d+", text) if key in _NUMBERS else None
    return int(number.group()) if number else text
