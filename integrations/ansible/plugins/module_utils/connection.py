"""How modules and the inventory reach a server, and how modules say that they could not."""

from .argo import ArgoError, Exact, Settings, SettingsError, address, from_environment, read_password

#: Of the two modules. The inventory reads the same from the doc fragment.
ARGUMENTS = {
    "server": {"type": "str"},
    "account": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    # the name of a file is no secret
    "password_file": {"type": "path", "no_log": False},
    "tls": {"type": "bool"},
    "ca_file": {"type": "path"},
    "fingerprint": {"type": "str"},
    "cert_file": {"type": "path"},
    "key_file": {"type": "path", "no_log": False},
    "connect_timeout": {"type": "float"},
}
EXCLUSIVE = [("password", "password_file")]


def settings_of(given) -> Settings:
    """Settings from what ARGUMENTS gave, then from the environment. Raises SettingsError."""
    for both in EXCLUSIVE:
        # modules have been told so by Ansible, an inventory has not
        if all(given[key] is not None for key in both):
            raise SettingsError("parameters are mutually exclusive: %s" % "|".join(both))
    host, port = address(given["server"]) if given["server"] else (None, None)
    path = given["password_file"]
    same = ("account", "tls", "ca_file", "fingerprint", "cert_file", "key_file", "connect_timeout")
    return from_environment(host=host, port=port, password=(lambda: read_password(path)) if path else given["password"],
                            **{key: given[key] for key in same})


def names_of(given):
    """What a module was given as `name`, each meant as it says."""
    return [Exact(name) for name in given["name"]] if given["exact"] else given["name"]


def run(module, play):
    """Plays a module to its end."""
    try:
        play(module)
    except ArgoError as error:
        module.fail_json(msg=str(error), phrase=error.phrase)
    except SettingsError as fault:
        module.fail_json(msg=str(fault))
