"""What fence_argo makes of a machine's words, without a machine."""

import importlib.machinery
import importlib.util
import logging
import os
import pathlib
import unittest
import warnings

import argo
from argo import State

AGENT = pathlib.Path(argo.__file__).parents[2] / "fence" / "fence_argo"
LIBRARY = "/usr/share/fence/fencing.py"


def load():
    loader = importlib.machinery.SourceFileLoader("fence_argo", str(AGENT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("fence_argo", loader))
    with warnings.catch_warnings():
        # the library's own
        warnings.simplefilter("ignore")
        loader.exec_module(module)
    return module


class Machine:
    """In place of a client: what an order brings, and what each look at the state."""

    def __init__(self, order, *looks):
        self._order, self._looks = order, list(looks)
        self.orders = []

    def stop(self, name, wait, force):
        self.orders.append(("stop", name, wait, force))
        if self._order is not None:
            raise self._order

    def start(self, name, wait):
        self.orders.append(("start", name, wait))
        if self._order is not None:
            raise self._order

    def status(self, *_):
        look = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        if isinstance(look, Exception):
            raise look
        return look


@unittest.skipUnless(os.path.exists(LIBRARY) and all(map(importlib.util.find_spec, ("pexpect", "pycurl"))), "needs the library of fence-agents")
class Fencing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.agent = load()
        cls.agent.LOOK_EVERY = 0.01
        logging.disable(logging.CRITICAL)

    @classmethod
    def tearDownClass(cls):
        logging.disable(logging.NOTSET)

    def set_power(self, machine, action="off"):
        # 60 s where the end is expected before, as little as possible where it is not
        seconds = "60" if machine._looks[-1] is not State.UNKNOWN else "0.05"
        return self.agent.set_power(machine, {"--action": action, "--plug": "lj", "--power-timeout": seconds, "--shell-timeout": "0"})

    def test_an_order_is_given_once_by_force(self):
        machine = Machine(None, State.ON, argo.Unreachable(), State.STOPPING, State.OFF)
        self.assertTrue(self.set_power(machine))
        self.assertEqual(machine.orders, [("stop", "lj", 60.0, True)])

    def test_the_state_decides_where_the_answer_does_not(self):
        for error in (argo.Uncertain(), argo.TimedOut(), argo.Busy(), argo.Failed(), argo.Unreachable(), argo.InternalError()):
            self.assertTrue(self.set_power(Machine(error, State.ON, State.OFF)))

    def test_unknown_is_never_off(self):
        self.assertFalse(self.set_power(Machine(None, State.UNKNOWN)))
        self.assertFalse(self.set_power(Machine(argo.Uncertain(), State.UNKNOWN)))
        for action in ("on", "off", "status", "reboot", "monitor", "list-status"):
            self.assertEqual(self.agent.as_power(State.UNKNOWN, action), "unknown")

    def test_what_is_gone_is_off_only_where_it_was_seen_to_stop(self):
        for gone in (argo.NoSuchInstance(), argo.NotAllowed()):
            self.assertTrue(self.set_power(Machine(None, gone)))
            with self.assertRaises(type(gone)):
                self.set_power(Machine(argo.Uncertain(), gone))
            with self.assertRaises(type(gone)):
                self.set_power(Machine(None, gone), "on")

    def test_what_no_waiting_mends_ends_at_once(self):
        for error in (argo.NotAllowed(), argo.NotSupported(), argo.AccessDenied()):
            self.assertFalse(self.set_power(Machine(error, AssertionError("nobody may look"))))

    def test_only_off_is_off(self):
        for state in set(State) - {State.OFF, State.UNKNOWN}:
            self.assertEqual(self.agent.as_power(state, "off"), "on")
            self.assertEqual(self.agent.as_power(state, "on"), "on" if state is State.ON else "off")
        self.assertEqual(self.agent.as_power(State.OFF, "reboot"), "off")


if __name__ == "__main__":
    unittest.main()
