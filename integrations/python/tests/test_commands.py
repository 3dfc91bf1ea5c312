import unittest

from argo import Ambiguous, BadAnswer, Failed, NotAllowed, Reply, State, TimedOut, Uncertain, commands


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

    def test_readings_may_be_sent_again(self):
        for request in (commands.status("a"), commands.states(["a"]), commands.info("a"), commands.list_names()):
            self.assertTrue(request.reading)


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


if __name__ == "__main__":
    unittest.main()
