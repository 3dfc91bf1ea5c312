"""What both clients do on connections that break, the one and the other by the same tests."""

import asyncio
import time
import unittest

from argo import AsyncClient, BadAnswer, Client, NotAuthenticated, Settings, State, TimedOut, TooManyConnections, Uncertain, Unreachable
from scripted import Scripted, WITHIN

DONE = "200 OK\n300 DONE\n"


class AsyncByCalls:
    """An AsyncClient that is called as a Client is."""

    def __init__(self, settings):
        self._loop = asyncio.new_event_loop()
        self._client = AsyncClient(settings)

    def __getattr__(self, name):
        method = getattr(self._client, name)
        return lambda *args, **options: self._loop.run_until_complete(method(*args, **options))

    def idle(self):
        self._loop.run_until_complete(asyncio.sleep(0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self):
        self._client.close()
        await asyncio.sleep(0)


class Connections:
    kind = Client

    def client(self, server, **more):
        return self.kind(Settings(port=server.port, **{"account": "steve", "password": 'p "w', **more}))

    def idle(self, argo):
        """A moment in which nothing is asked."""

    def test_one_login_for_many_requests(self):
        with Scripted([DONE, "200 OK\non\n300 DONE\n", DONE]) as server, self.client(server) as argo:
            self.assertIs(argo.status("lj"), State.ON)
            self.assertIsNone(argo.stop("lj"))
            self.assertEqual(server.lines, [['auth "steve" "p \\"w"\n', 'status --timeout=10 -- "lj"\n', 'stop --wait=120 -- "lj"\n']])

    def test_an_order_that_was_cut_off_is_not_sent_again(self):
        with Scripted([DONE, Scripted.CUT], [DONE, DONE]) as server, self.client(server) as argo:
            with self.assertRaises(Uncertain):
                argo.stop("lj")
            self.assertEqual(len(server.lines), 1)
            argo.start("lj")
            self.assertEqual([len(lines) for lines in server.lines], [2, 2], "the next request has a connection of its own")

    def test_half_an_answer_to_an_order_is_none(self):
        for half in ("200 OK\n", "200 OK\n300 DONE"):
            with Scripted([DONE, half]) as server, self.client(server) as argo, self.assertRaises(Uncertain):
                argo.stop("lj")

    def test_a_reading_that_was_cut_off_is_sent_once_more(self):
        with Scripted([DONE, Scripted.CUT], [DONE, "200 OK\noff\n300 DONE\n"]) as server, self.client(server) as argo:
            self.assertIs(argo.status("lj"), State.OFF)
        with Scripted([DONE, Scripted.CUT], [DONE, Scripted.CUT]) as server, self.client(server) as argo:
            with self.assertRaises(Unreachable):
                argo.status("lj")
            self.assertEqual(len(server.lines), 2)

    def test_a_farewell_is_no_answer(self):
        idle = "400 TIMEOUT: idle for 10 min\n"
        with Scripted([DONE, DONE + idle], [DONE, DONE]) as server, self.client(server) as argo:
            argo.start("lj")
            argo.stop("lj")
            self.assertEqual([lines[1:] for lines in server.lines], [['start --wait=120 -- "lj"\n'], ['stop --wait=120 -- "lj"\n']])

    def test_an_idle_connection_that_ended_is_made_anew(self):
        with Scripted([DONE, DONE], [DONE, DONE]) as server, self.client(server) as argo:
            argo.start("lj")
            self.assertTrue(server.has_ended.wait(WITHIN))
            self.idle(argo)
            argo.stop("lj")
            self.assertEqual(len(server.lines), 2)

    def test_silence_has_an_end(self):
        with Scripted([DONE, Scripted.HANG], [DONE, DONE]) as server, self.client(server) as argo:
            argo.connect()
            with self.assertRaises(TimedOut):
                argo.request("stop", "lj", deadline=0.2)
            argo.start("lj")
            self.assertEqual(len(server.lines), 2, "the late answer cannot be taken for that of the next")
        with Scripted([Scripted.HANG]) as server, self.client(server, login_timeout=0.2) as argo, self.assertRaises(Unreachable):
            argo.stop("lj")

    def test_nobody_there(self):
        with Scripted([]) as server:
            pass
        with self.client(server) as argo, self.assertRaises(Unreachable):
            argo.stop("lj")

    def test_what_is_no_argo_server(self):
        with Scripted([Scripted.NOW, "SSH-2.0-x\r\n", Scripted.HANG]) as server, self.client(server) as argo, self.assertRaises(BadAnswer):
            argo.stop("lj")
        with Scripted([DONE, "hello\n"]) as server, self.client(server) as argo, self.assertRaises(Uncertain):
            argo.stop("lj")
        with Scripted([DONE, "hello\n"]) as server, self.client(server) as argo, self.assertRaises(BadAnswer):
            argo.status("lj")

    def test_logins_that_are_refused(self):
        with Scripted(["400 NOT AUTHENTICATED\n"], ["400 TOO MANY CONNECTIONS\n"]) as server, self.client(server) as argo:
            with self.assertRaises(NotAuthenticated) as caught:
                argo.stop("lj")
            self.assertNotIn('p "w', str(caught.exception))
            with self.assertRaises(TooManyConnections):
                argo.stop("lj")
            self.assertEqual([len(lines) for lines in server.lines], [1, 1], "nothing but the login was sent")

    def test_nobody_logs_in_as_nobody(self):
        with Scripted(["200 OK\nlj\n300 DONE: stale: x\n"]) as server, self.client(server, account=None) as argo:
            self.assertEqual(argo.list("running"), (("lj",), "stale: x"))
            self.assertEqual(server.lines, [["list running\n"]])


class Waiting(Connections, unittest.TestCase):
    pass


class Asyncio(Connections, unittest.TestCase):
    kind = AsyncByCalls

    def idle(self, argo):
        argo.idle()

    def test_tasks_take_turns(self):
        async def both(port):
            async with AsyncClient(Settings(port=port)) as argo:
                return await asyncio.gather(argo.status("a"), argo.status("b"))

        with Scripted(["200 OK\non\n300 DONE\n", "200 OK\noff\n300 DONE\n"]) as server:
            self.assertEqual(asyncio.run(both(server.port)), [State.ON, State.OFF])

    def test_a_cancelled_request_leaves_no_answer_behind(self):
        async def cancelled(port, server):
            async with AsyncClient(Settings(port=port)) as argo:
                task = asyncio.ensure_future(argo.status("a"))
                end = time.monotonic() + 30
                while not (server.lines and server.lines[0]) and time.monotonic() < end:
                    await asyncio.sleep(0.01)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                return await argo.status("b")

        with Scripted([Scripted.HANG], ["200 OK\noff\n300 DONE\n"]) as server:
            self.assertIs(asyncio.run(cancelled(server.port, server)), State.OFF)


if __name__ == "__main__":
    unittest.main()
