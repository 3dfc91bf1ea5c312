import unittest

from argo import ArgoError, BadAnswer, BadRequest, Exact, NotAllowed, errors
from argo.protocol import MAX_LINE, Parser, Reply, quote, request_line, seconds, word

ALL = "200 OK\r\nlj\r\n 200 west\n mail\n300 DONE: stale: kvm1 (UNREACHABLE: no answer)\n400 NOT ALLOWED\n200 OK\n400 FAILED: 1 of 2\n400\n"


class Replies(unittest.TestCase):
    def test_any_portions_give_the_same_replies(self):
        whole = Parser().feed(ALL.encode())
        self.assertEqual(whole, [
            Reply(300, "DONE", "stale: kvm1 (UNREACHABLE: no answer)", ("lj", "200 west", " mail"), True),
            Reply(400, "NOT ALLOWED", "", (), False),
            Reply(400, "FAILED", "1 of 2", (), True),
            Reply(400, "", "", (), False),
        ])
        for size in (1, 2, 3, 7):
            parser, found = Parser(), []
            for at in range(0, len(ALL), size):
                found += parser.feed(ALL.encode()[at:at + size])
            self.assertEqual(found, whole)
            self.assertTrue(parser.is_idle)

    def test_a_blank_of_unicode_is_a_part_of_what_is_said(self):
        self.assertEqual(Parser().feed("400 NO SUCH INSTANCE: web\u00a0 \n".encode())[0].detail, "web\u00a0")

    def test_a_part_of_a_reply_is_none(self):
        for part in ("2", "200 OK\n", "200 OK\n300 DONE", "200 OK\nlj\n"):
            parser = Parser()
            self.assertEqual(parser.feed(part.encode()), [])
            self.assertFalse(parser.is_idle)

    def test_what_is_no_reply(self):
        for bad in (b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 400 Bad Request\r\n", b"\n", b"2000 OK\n", b"200 OK\n\xff\n", b"x" * (MAX_LINE + 1)):
            with self.assertRaises(BadAnswer):
                Parser().feed(bad)

    def test_a_reply_without_end_does_not_fill_memory(self):
        parser = Parser()
        parser.feed(b"200 OK\n")
        with self.assertRaises(BadAnswer):
            for _ in range(65):
                parser.feed(b"x" * (MAX_LINE - 1) + b"\n")

    def test_a_400_is_the_error_of_its_phrase(self):
        [refused, strange] = Parser().feed(b"400 NOT ALLOWED\n400 QUITE NEW: why\n")
        with self.assertRaises(NotAllowed) as caught:
            refused.raise_for_code()
        self.assertIs(caught.exception.reply, refused)
        with self.assertRaises(ArgoError) as caught:
            strange.raise_for_code()
        self.assertEqual((caught.exception.phrase, str(caught.exception)), ("QUITE NEW", "QUITE NEW: why"))

    def test_each_phrase_has_one_class(self):
        kinds = [kind for kind in ArgoError.__subclasses__() if kind is not BadAnswer]
        self.assertEqual(len(kinds), len(errors.BY_PHRASE))


class Requests(unittest.TestCase):
    def test_words(self):
        self.assertEqual(request_line("status", "--", quote('a "b" \\c')), b'status -- "a \\"b\\" \\\\c"\n')
        self.assertEqual([word(text) for text in ("web*", "mail server", '@tag:"rack 7"', '@tag:"x" y"', "", Exact("odd[1]"))],
                         ["web*", '"mail server"', '@tag:"rack 7"', '"@tag:\\"x\\" y\\""', '""', '"odd[1]"'])

    def test_nothing_ends_a_line_early(self):
        for bad in ("a\nstop b", "a\rb", "a\0", "\x1b[2J", "\ud800"):
            with self.assertRaises(BadRequest):
                request_line("status", quote(bad))
        for words in ([], ["status", ""]):
            with self.assertRaises(BadRequest):
                request_line(*words)

    def test_seconds(self):
        self.assertEqual([seconds(value) for value in (1, 1.0, 0.5, 120, 86400)], ["1", "1", "500ms", "120", "86400"])
        for bad in (0, -1, 86401):
            with self.assertRaises(BadRequest):
                seconds(bad)


if __name__ == "__main__":
    unittest.main()
