"""The inventory of an argo-server's machines."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
name: argo
short_description: Machines of an argo-server
description:
  - All machines that the account may see, with what is known of each in variables C(argo_…).
  - Machines that are off are hosts, too, with C(argo_state) and in the group C(argo_state_off), unless I(skip_off) leaves them out.
  - Groups are C(argo_provider_NAME), C(argo_state_STATE), C(argo_type_TYPE) and C(argo_tag_TAG), where what no variable could be
    named is C(_). Further ones come by I(keyed_groups) and I(groups).
  - The file's name ends in C(argo.yml) or C(argo.yaml).
author:
  - The authors of argo-server (!UNKNOWN)
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [argo.power.argo]
  name:
    description:
      - Which machines, as the line protocol selects them, such as C(web*), C(lab/*), C(@group) and C(@tag:db).
    type: list
    elements: str
    default: ["*"]
  full_names:
    description:
      - Whether hosts have the names of their providers in front, as C(lab/web1), also where the short name is the only one.
    type: bool
    default: false
  skip_off:
    description:
      - Whether to leave out what is C(off), C(suspended) or C(crashed). What is C(unknown) is not known to be off, and stays.
    type: bool
    default: false
  timeout:
    description:
      - Seconds in which a machine must answer, and the server 30 seconds later. One that does not is a host of the state C(unknown).
    type: int
    default: 10
notes:
  - I(server), I(account), I(password), I(password_file), I(ca_file) and I(fingerprint) may be templates, such as lookups.
  - A machine whose name could be taken for something else is left out, with a warning. That is a template, a list (C(a,b), C([…])),
    an option (C(-x)), a group, the host that plays the tasks (C(localhost)), and a way to other files (C(../x)).
  - What may be incomplete, since a provider does not answer, is told in a warning and not cached.
extends_documentation_fragment:
  - argo.power.argo
  - constructed
  - inventory_cache
"""

EXAMPLES = r"""
# lab.argo.yml
plugin: argo.power.argo
server: lab.example:20204
tls: true
account: ansible
password_file: /etc/argo/ansible
skip_off: true
compose:
  ansible_host: argo_ips | first
keyed_groups:
  - key: argo_provider_type
    prefix: by
"""

import re

from ansible.constants import LOCALHOST
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.argo.power.plugins.module_utils.argo import ArgoError, Client, SettingsError
from ansible_collections.argo.power.plugins.module_utils.connection import ARGUMENTS, settings_of
from ansible_collections.argo.power.plugins.module_utils.facts import read_facts

#: As `list stopped` of the protocol.
IS_OFF = ("off", "suspended", "crashed")
TEMPLATES = ("server", "account", "password", "password_file", "ca_file", "fingerprint")
#: Ansible would carry out a template in a host's name, look for its variables by that way, hand it to ssh as an option, read
#: a list in it where a list is expected, or take it for one of its groups or ours.
UNFIT = re.compile(r"\{[{%#]|(?:^|/)\.\.(?:/|$)|^[-\[{(]|,|^(?:all|ungrouped|argo_.*)$", re.DOTALL)
GROUPED_BY = ("provider", "state", "type")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "argo.power.argo"

    def verify_file(self, path):
        return super(InventoryModule, self).verify_file(path) and path.endswith(("argo.yml", "argo.yaml"))

    def parse(self, inventory, loader, path, cache=True):
        super(InventoryModule, self).parse(inventory, loader, path, cache)
        self._read_config_data(path)
        try:
            settings = settings_of({key: self._given(key) for key in ARGUMENTS})
            machines = self._machines(settings, path, cache)
        except (ArgoError, SettingsError) as error:
            raise AnsibleParserError("%s: %s" % (path, error))
        for machine in machines:
            if not (self.get_option("skip_off") and machine["state"] in IS_OFF):
                self._add(machine)

    def _given(self, key):
        value = self.get_option(key)
        if key not in TEMPLATES or not value:
            return value
        try:
            return self.templar.template(value, disable_lookups=False)
        except AnsibleError:
            if key != "password":
                raise
        # its own words hold what it could not read
        raise AnsibleParserError("the password is no good template: write it into password_file, or as a lookup")

    def _machines(self, settings, path, may_read):
        """From the cache, where it is used and has what the same account saw of the same server."""
        names = self.get_option("name")
        key = self.get_cache_key("%s %s:%s %s %s" % (path, settings.host, settings.port, settings.account, names))
        is_cached = self.get_option("cache")
        if is_cached and may_read:
            try:
                return self._cache[key]
            except KeyError:
                # not yet there, or too old
                pass
        with Client(settings) as client:
            found, remarks = read_facts(client, names, self.get_option("timeout"))
        for remark in remarks:
            self.display.warning("%s: %s" % (path, remark))
        if is_cached and not remarks:
            self._cache[key] = found
        return found

    def _add(self, machine):
        name = machine["name"]
        if self.get_option("full_names") and "/#" not in name:
            name = machine.get("full_name", name)
        # nor must a machine's word decide where tasks are played that are delegated to this host
        if UNFIT.search(name) or name in LOCALHOST or name in self.inventory.groups:
            self.display.warning("%r is left out: no name for a host of Ansible's" % name)
            return
        self.inventory.add_host(name)
        for key, value in machine.items():
            # a machine's words are no templates
            self.inventory.set_variable(name, "argo_" + key, wrap_var(value))
        for word in ["%s_%s" % (key, machine[key]) for key in GROUPED_BY if key in machine] + ["tag_" + tag for tag in machine.get("tags", ())]:
            self.inventory.add_child(self.inventory.add_group(re.sub(r"\W", "_", "argo_" + word, flags=re.ASCII)), name)
        strict = self.get_option("strict")
        variables = self.inventory.get_host(name).get_vars()
        self._set_composite_vars(self.get_option("compose"), variables, name, strict)
        self._add_host_to_composed_groups(self.get_option("groups"), {}, name, strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), {}, name, strict)
