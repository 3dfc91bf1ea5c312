"""A server that says what a test tells it to, on a thread of its own."""

import socket
import threading

#: For whatever a test waits, s.
WITHIN = 30


class Scripted:
    """Each connection is answered by the next of its scripts.

    A script is a list: a text is sent when the next line has come, CUT ends the connection then, HANG says nothing more.
    What was received is in `lines`, a list a connection.
    """

    CUT = object()
    HANG = object()
    #: sent without a question, before the next line is read
    NOW = object()

    def __init__(self, *scripts):
        self._scripts = list(scripts)
        self.lines = []
        self._open = []
        #: set when the first connection was ended from here
        self.has_ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # unlike a close, this wakes a thread in accept()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()
        self._thread.join(WITHIN)

    def _serve(self):
        for script in self._scripts:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(WITHIN)
            self._open.append(connection)
            received = []
            self.lines.append(received)
            try:
                self._answer(connection, received, script)
            except OSError:
                # the test has closed it, or its client
                continue

    def _answer(self, connection, received, script):
        with connection.makefile("r", encoding="utf-8", newline="\n") as lines:
            steps = iter(script)
            for step in steps:
                if step is self.NOW:
                    connection.sendall(next(steps).encode("utf-8"))
                    continue
                line = lines.readline()
                if not line:
                    return
                received.append(line)
                if step is self.HANG:
                    return
                if step is self.CUT:
                    break
                connection.sendall(step.encode("utf-8"))
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
        self.has_ended.set()
