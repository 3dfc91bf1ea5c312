#!/usr/bin/python
"""Tells what machines of an argo-server are like."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: argo_info
short_description: Tell the states of machines of an argo-server, and what is known of them
description:
  - Asks the machines now. A machine that does not answer has the state C(unknown), which is never a way to say C(off).
author:
  - The authors of argo-server (!UNKNOWN)
options:
  name:
    description:
      - Names, and what selects several of them in the line protocol, such as C(web*), C(web[1-20]), C(lab/*), C(@group) and C(@tag:db).
      - What selects nothing gives no machines, and a warning.
    type: list
    elements: str
    default: ["*"]
  exact:
    description:
      - Whether names mean what they say, whatever signs of patterns are in them.
    type: bool
    default: false
  facts:
    description:
      - Whether all is asked for that is known of a machine; else its state alone.
    type: bool
    default: true
  timeout:
    description:
      - Seconds in which a machine must answer. For its own answer the server is given 30 seconds beyond that.
    type: int
    default: 10
extends_documentation_fragment:
  - argo.power.argo
attributes:
  check_mode:
    support: full
    description: It changes nothing.
  diff_mode:
    support: none
    description: It changes nothing.
seealso:
  - module: argo.power.argo_power
"""

EXAMPLES = r"""
- name: Ask for the databases
  argo.power.argo_info:
    name: "@tag:db"
  delegate_to: localhost
  register: databases

- name: All of them run
  ansible.builtin.assert:
    that: databases.instances | map(attribute='state') | unique == ['on']
"""

RETURN = r"""
instances:
  description: The machines, by name. There may be more facts than these, as the machine tells them.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name, as it can be typed.
      type: str
      returned: always
    state:
      description: C(on), C(off), C(paused), C(suspended), C(starting), C(stopping), C(crashed) or C(unknown).
      type: str
      returned: always
    full_name:
      description: Its name with its provider's in front.
      type: str
      returned: with facts
    short_name:
      description: Its name without.
      type: str
      returned: with facts
    id:
      description: Its manager's own id for it.
      type: str
      returned: with facts
    provider:
      description: Its provider.
      type: str
      returned: with facts
    provider_type:
      description: That one's type, such as C(libvirt).
      type: str
      returned: with facts
    type:
      description: C(vm), C(container) or C(host).
      type: str
      returned: with facts
    since:
      description: When the state was first seen.
      type: str
      returned: with facts
    tags:
      description: Its tags.
      type: list
      elements: str
      returned: with facts
    ips:
      description: Its addresses; empty where it does not tell any.
      type: list
      elements: str
      returned: with facts
    macs:
      description: Its hardware addresses; empty where it does not tell any.
      type: list
      elements: str
      returned: with facts
    cpus:
      description: Its processors.
      type: int
      returned: where it tells
    memory:
      description: Its memory in bytes.
      type: int
      returned: where it tells
    uuid:
      description: Its UUID.
      type: str
      returned: where it tells
    capabilities:
      description: The commands that it can carry out.
      type: list
      elements: str
      returned: with facts
    error:
      description: Why it could not be asked.
      type: str
      returned: then
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.argo.power.plugins.module_utils.argo import Client
from ansible_collections.argo.power.plugins.module_utils.connection import ARGUMENTS, EXCLUSIVE, names_of, run, settings_of
from ansible_collections.argo.power.plugins.module_utils.facts import read_facts, read_states


def play(module):
    given = module.params
    with Client(settings_of(given)) as client:
        found, remarks = (read_facts if given["facts"] else read_states)(client, names_of(given), given["timeout"])
    for remark in remarks:
        module.warn(remark)
    module.exit_json(changed=False, instances=found)


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENTS,
            name={"type": "list", "elements": "str", "default": ["*"]},
            exact={"type": "bool", "default": False},
            facts={"type": "bool", "default": True},
            timeout={"type": "int", "default": 10},
        ),
        mutually_exclusive=EXCLUSIVE, supports_check_mode=True)
    run(module, play)


if __name__ == "__main__":
    main()
