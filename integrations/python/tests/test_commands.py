import unittest

from argo import Ambiguous, BadAnswer, Exact, Failed, NotAllowed, Plan, Reply, State, TimedOut, Uncertain, WrongState, commands, portions


def done(*lines, remark=""):
    return Reply(300, "DONE", remark, lines, True)


def failed(phrase, detail="", *lines):
    return Reply(400, phrase, detail, lines, True)


class Readings(unittest.TestCase):
    def test_a_state_that_is_not_known_is_unknown(self):
        parse = commands.status("lj").parse
        self.assertEqual([parse(done(text)) for text in ("off", "on", "unknown", "dreaming", "", "OFF")],
                         [State.OFF, State.ON, State.UNKNOWN, State.UNKNOWN, State.UNKNOWN, State.UNKNOWN])
        for reply in (done(), done("off", "off")):
            with self.assertRaises(BadAnswer):
                parse(reply)
        with self.assertRaises(Ambiguous):
            parse(failed("AMBIGUOUS", "demo/test, lab/test"))

    def test_states_by_name(self):
        found = commands.states(["a*", "b"]).parse(done("a: b: off", "mail server: unknown", remark="stale: kvm1"))
        self.assertEqual((found, found.remark), ({"a: b": State.OFF, "mail server": State.UNKNOWN}, "stale: kvm1"))
        self.assertEqual(commands.states(["lj"]).parse(done("on")), {"lj": State.ON})
        self.assertEqual(commands.states(["web*"]).parse(done("web1: on")), {"web1": State.ON})
        with self.assertRaises(BadAnswer):
            commands.states(["a", "b"]).parse(done("on"))

    def test_info(self):
        self.assertEqual(commands.info("lj").parse(done("name: lj", "disks: a: b", "disks: c", "disks: d", "error:")),
                         {"name": "lj", "disks": ["a: b", "c", "d"], "error": ""})

    def test_a_blank_of_unicode_is_a_part_of_a_name(self):
        self.assertEqual(commands.info("lj").parse(done("name:  web\u00a0 ", "full name: lab/\u3000")), {"name": "web\u00a0", "full name": "lab/\u3000"})

    def test_readings_may_be_sent_again(self):
        for request in (commands.status("a"), commands.states(["a"]), commands.info("a"), commands.infos(["a"]), commands.list_names(), commands.plans("stop", ["a"])):
            self.assertTrue(request.reading)

    def test_infos_by_name(self):
        def told(name, prefix, *more):
            return [prefix + line for line in ("name: " + name, "full name: p/" + name, *more)]

        one = told("lj", "", "state: off")
        self.assertEqual(commands.infos(["p/lj"]).parse(done(*one)), {"p/lj": {"name": "lj", "full name": "p/lj", "state": "off"}})
        names = ["lj", "a: b", "x: name: y", "name", "full name"]
        lines = [line for name in names for line in told(name, name + ": ", "state: on", "disks: a: b")]
        found = commands.infos(["*"]).parse(failed("FAILED", "1 of 6", *lines, "mail server: NOT ALLOWED"))
        self.assertEqual([found[name]["full name"] for name in names], ["p/" + name for name in names])
        self.assertEqual({info["disks"] for name, info in found.items() if name in names}, {"a: b"})
        self.assertEqual(list(found.failures), ["mail server"])
        self.assertEqual(commands.infos(["*"]).parse(done(remark="stale: kvm1")).remark, "stale: kvm1")
        with self.assertRaises(BadAnswer):
            commands.infos(["*"]).parse(done("lj: state: on"))
        with self.assertRaises(NotAllowed):
            commands.infos(["lj"]).parse(failed("NOT ALLOWED"))


class Plans(unittest.TestCase):
    def test_how_it_is_asked(self):
        self.assertEqual(commands.plans("stop", ["web*", "a b"], True, 60).line, b'stop --dry-run --force --timeout=60 -- web* "a b"\n')
        self.assertEqual(commands.plans("reboot", ["a"], wait=60).line, b"reboot --dry-run --wait=60 -- a\n")

    def test_what_would_change(self):
        found = commands.plans("stop", ["*"]).parse(failed(
            "FAILED", "1 of 5", "lj: nothing, it is off already", "web1: clean shutdown, then power off after 60 s (it is on)",
            "a: b: nothing, it is stopping already and would be waited for, after another action that holds it: stop by kim (it is off)",
            "late: start, when an earlier stop has ended (it is stopping)", "web2: WRONG STATE: web2 is paused; use --force"))
        self.assertEqual(found["lj"], Plan("nothing, it is off already", False, State.OFF))
        self.assertEqual({name: plan[1:] for name, plan in found.items() if name not in found.failures}, {
            "lj": (False, State.OFF), "web1": (True, State.ON), "a: b": (False, State.STOPPING), "late": (True, State.STOPPING)})
        self.assertIsInstance(found["web2"], WrongState)

    def test_words_of_a_later_server(self):
        found = commands.plans("start", ["*"]).parse(done("a: nothing at all", "b: boot"))
        self.assertEqual(found, {"a": Plan("nothing at all", False, State.UNKNOWN), "b": Plan("boot", True, State.UNKNOWN)})

    def test_no_name_passes_for_another(self):
        found = commands.plans("start", ["*"]).parse(done("lj: start (it is off)", "lj: nothing, it is on already: start (it is off)"))
        self.assertEqual([plan.changes for plan in found.values()], [True, True])
        with self.assertRaises(BadAnswer):
            commands.plans("start", ["*"]).parse(done("lj: start (it is off)", "lj: nothing, it is on already, after x: start (it is off)"))

    def test_a_name_that_looks_like_a_plan_is_that_which_was_asked_for(self):
        line = "a: nothing, it is off already, after x: power off (it is on)"
        name = "a: nothing, it is off already, after x"
        self.assertEqual(commands.plans("stop", [Exact(name)]).parse(done(line)), {name: Plan("power off (it is on)", True, State.ON)})
        self.assertEqual(list(commands.plans("stop", ["a"]).parse(done(line))), ["a"])

    def test_what_another_action_is_at(self):
        for text, is_held in (("nothing, it is off already, after another action that holds it: start", True), ("power off (it is on), in place of a stop", True),
                              ("nothing, it is off already", False), ("start, after it has ended (it is stopping)", False)):
            self.assertIs(Plan(text, False, State.OFF).is_held, is_held, text)


class Orders(unittest.TestCase):
    def test_how_they_are_sent(self):
        self.assertEqual(commands.order("stop", "a b", 60, force=True).line, b'stop --force --wait=60 -- "a b"\n')
        self.assertEqual(commands.order("stop", "web*", None).line, b'stop -- "web*"\n', "one name is literal")
        self.assertEqual(commands.order("stop", "lj", 90, True, 60).line, b'stop --force --wait=90 --timeout=60 -- "lj"\n')
        self.assertEqual(commands.orders("start", ["web*", "mail server"], None).line, b'start -- web* "mail server"\n')

    def test_they_are_never_sent_again(self):
        for request in (commands.order("start", "a", 1), commands.orders("stop", ["a"], None), commands.custom(["stop", "a"])):
            self.assertFalse(request.reading)

    def test_deadlines_are_beyond_those_of_the_server(self):
        self.assertGreater(commands.order("stop", "a", 60, True, 40).deadline, 100)
        self.assertGreater(commands.status("a", 300).deadline, 300)

    def test_how_each_ended(self):
        found = commands.orders("stop", ["*"], 1).parse(
            failed("FAILED", "2 of 3", "web1: done", "a: b: TIMEOUT: accepted, but it is: on", "web2: UNCERTAIN", "waiting for an earlier stop to end"))
        self.assertIsNone(found["web1"])
        self.assertEqual({name: str(error) for name, error in found.failures.items()}, {"a: b": "TIMEOUT: accepted, but it is: on", "web2": "UNCERTAIN"})
        self.assertEqual([type(error) for error in found.failures.values()], [TimedOut, Uncertain])

    def test_a_name_that_looks_like_an_outcome(self):
        names = [Exact("lj"), Exact("lj: done"), Exact("lj: FAILED")]
        found = commands.orders("stop", names, 1).parse(failed("FAILED", "2 of 3", "lj: FAILED: BUSY", "lj: done: FAILED: x", "lj: done"))
        self.assertIsNone(found["lj"])
        self.assertEqual({name: str(error) for name, error in found.failures.items()}, {"lj: done": "FAILED: x", "lj: FAILED": "BUSY"})

    def test_one_plain_name_has_no_line(self):
        parse = commands.orders("stop", ["lj"], 1).parse
        self.assertEqual(parse(done()), {"lj": None})
        with self.assertRaises(Failed):
            parse(failed("FAILED", "its words"))

    def test_what_is_refused_as_a_whole(self):
        with self.assertRaises(NotAllowed):
            commands.orders("stop", ["a", "b"], 1).parse(Reply(400, "NOT ALLOWED", "", (), False))
        with self.assertRaises(Uncertain):
            commands.orders("stop", ["a", "b"], 1).parse(failed("UNCERTAIN", "", "a: done"))


class Portions(unittest.TestCase):
    def test_each_fits_on_a_line(self):
        names = ["mäschine %d" % number for number in range(2000)]
        found = list(portions(names))
        self.assertEqual([name for portion in found for name in portion], names)
        self.assertGreater(len(found), 1)
        for portion in found:
            self.assertLess(len(commands.orders("suspend", portion, 86400, True, 86400).line), 4096)
        self.assertEqual(max(map(len, portions("a" * 3000))), 1000)
        self.assertEqual(list(portions([])), [])
        self.assertEqual(list(portions(["x" * 9999, "y"])), [["x" * 9999], ["y"]])


if __name__ == "__main__":
    unittest.main()
