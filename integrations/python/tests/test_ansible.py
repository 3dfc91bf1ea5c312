"""The Ansible collection without a server: what it makes of answers, and whether its documents say what it takes."""

import importlib.util
import pathlib
import sys
import types
import unittest
from unittest import mock

import argo
from argo import Infos, Outcomes, Plan, Plans, Reply, State, States

COLLECTION = pathlib.Path(argo.__file__).parents[2] / "ansible"
ROOT = "ansible_collections.argo.power"
IS_THERE = COLLECTION.exists() and importlib.util.find_spec("ansible") is not None


def load(name):
    """A module of the collection as if it were installed, with the module argo below it. Ansible's own loader has no part in it."""
    for package in ("ansible_collections", "ansible_collections.argo", ROOT, ROOT + ".plugins", ROOT + ".plugins.module_utils"):
        sys.modules.setdefault(package, types.ModuleType(package)).__path__ = []
    sys.modules[ROOT + ".plugins.module_utils.argo"] = argo
    full = "%s.plugins.%s" % (ROOT, name)
    if full not in sys.modules:
        if not name.startswith("module_utils."):
            for needed in ("connection", "facts", "power"):
                load("module_utils." + needed)
        spec = importlib.util.spec_from_file_location(full, COLLECTION.joinpath("plugins", *name.split(".")).with_suffix(".py"))
        sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])
    return sys.modules[full]


def refusal(phrase, accepted, *lines):
    return argo.errors.from_reason(phrase, "", Reply(400, phrase, "", lines, accepted))


class Server:
    """In place of a client: what it plans, and how each order ends."""

    def __init__(self, plans, *outcomes):
        self._plans, self._outcomes = plans, list(outcomes)
        self.orders_given = []

    def plans(self, action, names, force, clean, wait):
        self.planned_with = wait
        if isinstance(self._plans, Exception):
            raise self._plans
        return Plans(self._plans)

    def orders(self, action, names, wait, force, clean):
        self.orders_given.append((action, list(names), wait, force, clean))
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return Outcomes(outcome)


RUNS = Plan("clean shutdown (it is on)", True, State.ON)
IS_OFF = Plan("nothing, it is off already", False, State.OFF)
ENDS = Plan("nothing, it is stopping already and would be waited for", False, State.STOPPING)


@unittest.skipUnless(IS_THERE, "needs ansible-core")
class Power(unittest.TestCase):
    def play(self, server, state="stopped", names=("*",), wait=90, **options):
        task = load("module_utils.power").Task(server, state, list(names), wait=wait, **options)
        task.plan()
        self.assertEqual(server.orders_given, [])
        return task

    def test_only_what_needs_it_is_ordered(self):
        server = Server({"a": RUNS, "b": IS_OFF, "c": argo.WrongState("x"), "d": ENDS}, {"a": None, "d": None})
        task = self.play(server, force=True, clean=60)
        self.assertTrue(task.changed)
        task.carry_out()
        self.assertEqual(server.orders_given, [("stop", ["a", "d"], 90, True, 60)])
        self.assertEqual([name for name, one in task.instances.items() if one["changed"]], ["a"])
        self.assertEqual(list(task.failures), ["c"])
        self.assertEqual((task.message, task.diff), ("1 of 4: c: WRONG STATE: x", "a: clean shutdown (it is on)\n"))

    def test_nothing_to_do_is_no_order(self):
        server = Server({"a": IS_OFF})
        task = self.play(server)
        task.carry_out()
        self.assertEqual((server.orders_given, task.changed, task.message, task.diff), ([], False, None, ""))

    def test_what_is_on_its_way_is_waited_for_and_not_changed(self):
        server = Server({"a": ENDS}, {"a": argo.TimedOut("x")})
        task = self.play(server)
        task.carry_out()
        self.assertEqual((task.changed, task.failures["a"]["uncertain"]), (False, True))

    def test_what_another_action_is_at_is_ordered_behind_it(self):
        server = Server({"a": Plan("nothing, it is off already, after another action that holds it: start", False, State.OFF)}, {"a": None})
        task = self.play(server)
        task.carry_out()
        self.assertEqual((server.orders_given, task.changed), ([("stop", ["a"], 90, False, None)], True))

    def test_nothing_is_uncertain_where_nothing_was_sent(self):
        task = self.play(Server({"a": argo.TimedOut("x"), "b": IS_OFF}))
        self.assertFalse(task.failures["a"]["uncertain"])

    def test_a_time_that_is_none_is_refused_before_anything_is_asked(self):
        for wait in (0, -1, 86401):
            with self.assertRaises(argo.BadRequest):
                self.play(None, wait=wait)

    def test_a_restart_is_always_one(self):
        server = Server({"a": Plan("clean reboot (it is on)", True, State.ON)}, {"a": None})
        self.play(server, "restarted")
        self.assertEqual(server.planned_with, 90, "what could not be waited for is known before")
        task = self.play(server, "restarted", wait=None)
        task.carry_out()
        self.assertEqual((server.orders_given, task.changed), ([("reboot", ["a"], None, False, None)], True))

    def test_what_is_not_known_is_neither_changed_nor_well(self):
        lost = argo.Uncertain("the connection was lost")
        ended = refusal("SHUTTING DOWN", True, "a: done")
        for outcome, is_uncertain in ((lost, True), (ended, True), ({"b": None}, None), (argo.Unreachable("x"), False), (refusal("NOT ALLOWED", False), False)):
            task = self.play(Server({"a": RUNS, "b": RUNS}, outcome))
            task.carry_out()
            if is_uncertain is None:
                self.assertEqual([one["changed"] for one in task.instances.values()], [False, True])
                self.assertTrue(task.instances["a"]["uncertain"], "the answer does not tell of it")
                continue
            self.assertFalse(task.changed, outcome)
            self.assertEqual([one["uncertain"] for one in task.failures.values()], [is_uncertain] * 2, outcome)

    def test_one_machine_that_refuses_is_that_machine(self):
        task = self.play(Server({"a": RUNS}, refusal("BUSY", True)))
        task.carry_out()
        self.assertEqual((task.failures["a"]["phrase"], task.failures["a"]["uncertain"]), ("BUSY", False))
        self.assertEqual(self.play(Server(refusal("WRONG STATE", True)), names=["a"]).message, "1 of 1: a: WRONG STATE")

    def test_what_is_refused_as_a_whole(self):
        for error in (refusal("NO SUCH INSTANCE", False), refusal("NOT ALLOWED", False), argo.Unreachable("x"), refusal("SHUTTING DOWN", True)):
            with self.assertRaises(argo.ArgoError):
                self.play(Server(error), names=["a", "b"])

    def test_many_are_ordered_in_portions(self):
        names = ["machine-%04d" % number for number in range(1000)]
        server = Server({name: RUNS for name in names}, *[{name: None for name in names}] * 2, argo.Unreachable("x"), *[{}] * 9)
        task = self.play(server)
        task.carry_out()
        ordered = [portion for _, portion, *_ in server.orders_given]
        self.assertEqual(len(self.play(Server({"a": RUNS}, {"a": None}), names=names)._waited_for), 1, "also where several portions select it")
        self.assertEqual([name for portion in ordered for name in portion], names)
        self.assertEqual(sum(one["changed"] for one in task.instances.values()), len(ordered[0]) + len(ordered[1]))
        self.assertRegex(task.message, "and [0-9]+ more$")


@unittest.skipUnless(IS_THERE, "needs ansible-core")
class Facts(unittest.TestCase):
    INFO = {"name": "web1", "full name": "lab/web1", "provider": "lab (sim)", "state": "on", "cpus": "2", "memory": "268435456 256.0 MiB",
            "ips": "192.0.2.1 2001:db8::1", "disks": "xvda file ext4 4.0 GiB, xvdb lvm", "persistent": "yes", "autostart": "off", "tags": "db, rack 7",
            "über vnc-port": "5900"}

    def test_values(self):
        found = load("module_utils.facts").facts_of("lab/web1", self.INFO)
        self.assertEqual(found, {
            "name": "lab/web1", "short_name": "web1", "full_name": "lab/web1", "provider": "lab", "provider_type": "sim", "state": "on", "cpus": 2,
            "memory": 268435456, "ips": ["192.0.2.1", "2001:db8::1"], "macs": [], "disks": ["xvda file ext4 4.0 GiB", "xvdb lvm"], "persistent": True,
            "autostart": False, "tags": ["db", "rack 7"], "_ber_vnc_port": "5900"})

    def test_what_cannot_be_read(self):
        facts_of = load("module_utils.facts").facts_of
        self.assertEqual(facts_of("a", {**self.INFO, "tags": "(the tags cannot be read)"})["tags"], [])
        self.assertEqual(facts_of("a", argo.NotAllowed()), {"name": "a", "state": "unknown", "error": "NOT ALLOWED"})

    def test_nothing_found_and_what_may_be_missing(self):
        facts = load("module_utils.facts")
        found = States(b=State.ON, a=State.UNKNOWN)
        found.remark = "stale: kvm1"
        client = mock.Mock(**{"states.return_value": found, "infos.side_effect": argo.NoMatch("kvm1 has not answered yet")})
        self.assertEqual(facts.read_states(client, ["*"], 5), ([{"name": "a", "state": "unknown"}, {"name": "b", "state": "on"}], ["stale: kvm1"]))
        self.assertEqual(facts.read_facts(client, ["*"], 5), ([], ["NO MATCH: kvm1 has not answered yet"]))


@unittest.skipUnless(IS_THERE, "needs ansible-core")
class Connection(unittest.TestCase):
    def settings(self, **given):
        connection = load("module_utils.connection")
        with mock.patch.dict("os.environ", {"ARGO_ACCOUNT": "kim", "ARGO_PASSWORD": "of the environment"}, clear=True):
            return connection.settings_of({**dict.fromkeys(connection.ARGUMENTS), **given})

    def test_what_is_given_counts_more(self):
        self.assertEqual(self.settings(), argo.Settings(account="kim", password="of the environment"))
        found = self.settings(server="lab:7", account="steve", password="se-cret", tls=False, connect_timeout=3.0)
        self.assertEqual(found, argo.Settings("lab", 7, "steve", "se-cret", connect_timeout=3.0))
        self.assertTrue(self.settings(ca_file="/ca.pem").uses_tls)

    def test_what_cannot_be_meant_is_refused(self):
        for given in ({"password": "x", "password_file": "/x"}, {"connect_timeout": 0.0}, {"connect_timeout": -1.0}, {"connect_timeout": float("nan")}):
            with self.assertRaises(argo.SettingsError):
                self.settings(**given)

    def test_a_file_is_read_when_it_is_needed(self):
        with self.assertRaises(argo.SettingsError):
            self.settings(password_file="/nonexistent/password").secret()


@unittest.skipUnless(IS_THERE, "needs ansible-core")
class Documents(unittest.TestCase):
    """What ansible-doc shows is what modules and inventory take, since each is written twice by Ansible's ways."""

    def options(self, plugin):
        import yaml
        fragment = yaml.safe_load(load("doc_fragments.argo").ModuleDocFragment.DOCUMENTATION)
        return {**fragment["options"], **yaml.safe_load(plugin.DOCUMENTATION)["options"]}

    def test_modules(self):
        for name in ("argo_power", "argo_info"):
            module = load("modules." + name)
            with mock.patch.object(module, "AnsibleModule", side_effect=InterruptedError) as made, self.assertRaises(InterruptedError):
                module.main()
            taken = {option: {key: value for key, value in said.items() if key != "no_log"} for option, said in made.call_args.kwargs["argument_spec"].items()}
            documented = {option: {key: value for key, value in said.items() if key != "description"} for option, said in self.options(module).items()}
            self.assertEqual(taken, documented, name)
            self.assertTrue(made.call_args.kwargs["argument_spec"]["password"]["no_log"])

    def test_inventory(self):
        arguments = load("module_utils.connection").ARGUMENTS
        options = self.options(load("inventory.argo"))
        self.assertEqual({name: options[name]["type"] for name in arguments}, {name: said["type"] for name, said in arguments.items()})


if __name__ == "__main__":
    unittest.main()
