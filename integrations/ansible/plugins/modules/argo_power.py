#!/usr/bin/python
"""Switches machines of an argo-server."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: argo_power
short_description: Switch machines of an argo-server
description:
  - Switches virtual machines, containers and hosts on and off, whatever runs them, and waits until each says that it is so.
  - It first asks the server what the order would do to each machine. Machines that are as they shall be are left alone.
  - What can be done is done, also where the rest fails. The task fails where any machine has failed, with the result of each.
author:
  - The authors of argo-server (!UNKNOWN)
options:
  name:
    description:
      - Names, and what selects several of them in the line protocol, such as C(web*), C(web[1-20]), C(lab/*), C(@group) and C(@tag:db).
    type: list
    elements: str
    required: true
  exact:
    description:
      - Whether names mean what they say, whatever signs of patterns are in them. For names of the inventory, such as C(odd[1]).
    type: bool
    default: false
  state:
    description:
      - What the machines shall be.
      - C(started) also resumes what is suspended and unpauses what is paused.
      - C(stopped) asks for a clean shutdown; with I(force) it pulls the plug.
      - C(restarted) restarts what runs, each time it is played, and fails for what is off. With I(force) it presses the reset button.
      - C(paused) and C(unpaused) keep the memory, C(suspended) and C(resumed) save it to disk.
    type: str
    choices: [started, stopped, restarted, paused, unpaused, suspended, resumed]
    required: true
  force:
    description:
      - The hard way of C(stopped) and C(restarted). For C(started) and C(resumed), also where the machine is on elsewhere.
    type: bool
    default: false
  clean:
    description:
      - With I(state=stopped) and I(force), seconds in which a clean shutdown is tried before the plug is pulled.
    type: int
  wait:
    description:
      - Whether to wait until each machine says that it is so; else it is enough that its manager has accepted the order.
      - To wait for C(restarted), a machine must be able to tell one boot from the next. Where it is not, it fails and is not restarted.
    type: bool
    default: true
  timeout:
    description:
      - Seconds to wait, with I(clean) from the acceptance on, up to a day. What has not become so by then has failed, and may become so later.
      - For its answer the server is given 30 seconds beyond that. What it has not said by then is I(uncertain).
    type: int
    default: 120
extends_documentation_fragment:
  - argo.power.argo
attributes:
  check_mode:
    support: full
    description: The server says what it would do, and whether it would refuse it; nothing is ordered.
  diff_mode:
    support: full
    description: Tells what is done to each machine that is changed.
notes:
  - More names than fit on lines of the protocol, some 3,800 bytes, are ordered one portion after the other.
  - C(changed) compares with what the machine was when the task looked at it. Nobody else is kept from switching it in between.
seealso:
  - module: argo.power.argo_info
"""

EXAMPLES = r"""
- name: The web servers run
  argo.power.argo_power:
    name: ["web[1-4]", "@tag:frontend"]
    state: started
  delegate_to: localhost
  run_once: true

- name: A machine of the inventory is off, in a minute at the latest
  argo.power.argo_power:
    name: ["{{ argo_name }}"]
    exact: true
    state: stopped
    force: true
    clean: 60
  delegate_to: localhost
"""

RETURN = r"""
instances:
  description: What became of each machine, by name.
  returned: where the server could be asked
  type: list
  elements: dict
  contains:
    name:
      description: Its name, as it can be typed.
      type: str
      returned: always
    changed:
      description: Whether it was switched; in check mode, whether it would be.
      type: bool
      returned: always
    failed:
      description: Whether it was refused, or is not as it shall be.
      type: bool
      returned: always
    uncertain:
      description: Whether an order was sent, and nobody knows what became of it. Ask for the state.
      type: bool
      returned: always
    plan:
      description: What the server said that it would do.
      type: str
      returned: unless it was refused at once
      sample: clean shutdown (it is on)
    before:
      description: The state that the machine was in.
      type: str
      returned: as plan
      sample: "on"
    phrase:
      description: The protocol's phrase of the failure, such as C(WRONG STATE) or C(UNCERTAIN).
      type: str
      returned: where it has failed
    detail:
      description: Why, for people.
      type: str
      returned: where it has failed
phrase:
  description: The protocol's phrase, where the request failed as a whole.
  returned: then
  type: str
  sample: NOT ALLOWED
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.argo.power.plugins.module_utils.argo import Client
from ansible_collections.argo.power.plugins.module_utils.connection import ARGUMENTS, EXCLUSIVE, names_of, run, settings_of
from ansible_collections.argo.power.plugins.module_utils.power import ORDERS, Task


def play(module):
    given = module.params
    with Client(settings_of(given)) as client:
        task = Task(client, given["state"], names_of(given), given["force"], given["clean"], given["timeout"] if given["wait"] else None)
        task.plan()
        if not module.check_mode:
            task.carry_out()
    for remark in task.remarks:
        module.warn(remark)
    result = {"changed": task.changed, "instances": [dict(one, name=name) for name, one in sorted(task.instances.items())]}
    if task.changed:
        result["diff"] = {"prepared": task.diff}
    if task.message is not None:
        module.fail_json(msg=task.message, **result)
    module.exit_json(**result)


def main():
    module = AnsibleModule(
        argument_spec=dict(
            ARGUMENTS,
            name={"type": "list", "elements": "str", "required": True},
            exact={"type": "bool", "default": False},
            state={"type": "str", "choices": list(ORDERS), "required": True},
            force={"type": "bool", "default": False},
            clean={"type": "int"},
            wait={"type": "bool", "default": True},
            timeout={"type": "int", "default": 120},
        ),
        mutually_exclusive=EXCLUSIVE, supports_check_mode=True)
    if module.params["clean"] is not None and not (module.params["force"] and module.params["state"] == "stopped"):
        module.fail_json(msg="clean is for state=stopped with force")
    if not module.params["name"]:
        module.exit_json(changed=False, instances=[])
    run(module, play)


if __name__ == "__main__":
    main()
