"""docker-py and streams: what is printed, followed, typed; executions with and without a terminal."""

import socket
import struct
import time
import unittest

import docker
import docker.errors
from stage import IMAGE, Case, Listener


def bare(wrapped):
    """The socket beneath what docker-py answers."""
    return getattr(wrapped, "_sock", wrapped)


def read_all(sock):
    sock.settimeout(30)
    read = b""
    while piece := sock.recv(4096):
        read += piece
    return read


class Streams(Case):
    def test_logs_have_all_their_options(self):
        box = self.box(["sh", "-c", "echo one; echo two >&2; until [ -e /go ]; do sleep 0.05; done; echo three; exec sleep 1000"])
        lines = Listener(box.logs(stream=True, follow=True))
        lines.until(lambda seen: b"".join(seen).count(b"\n") == 2)
        middle = time.time()
        # The clock that logs have, and this one, must not fall together.
        time.sleep(0.05)
        box.exec_run("touch /go")
        seen = lines.until(lambda seen: b"".join(seen).count(b"\n") == 3)
        self.assertEqual(sorted(b"".join(seen).split()), [b"one", b"three", b"two"])
        self.assertEqual(sorted(box.logs().split()), [b"one", b"three", b"two"])
        self.assertEqual(box.logs(stdout=False, stderr=True), b"two\n")
        self.assertEqual(box.logs(stderr=False), b"one\nthree\n")
        self.assertEqual(box.logs(tail=1), b"three\n")
        self.assertEqual(box.logs(tail=0), b"")
        self.assertEqual(box.logs(since=middle), b"three\n")
        self.assertEqual(sorted(box.logs(until=middle).split()), [b"one", b"two"])
        stamped = box.logs(timestamps=True, tail=1)
        self.assertRegex(stamped, rb"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z three\n$")
        box.kill()
        self.assertEqual(len(b"".join(lines.end()).split()), 3)

    def test_an_attached_client_sees_everything_from_the_start(self):
        box = self.made(["sh", "-c", "echo out; echo err >&2"])
        stream = Listener(box.attach(stream=True, stdout=True, stderr=True, demux=True))
        past = lambda: self.client.events(decode=True, since=1, until=time.time(), filters={"container": box.id})
        self.until("the attachment", lambda: any(event["Action"] == "attach" for event in past()))
        box.start()
        pieces = stream.end()
        self.assertEqual(b"".join(out or b"" for out, _ in pieces), b"out\n")
        self.assertEqual(b"".join(err or b"" for _, err in pieces), b"err\n")
        self.assertEqual(box.attach(logs=True, stream=False, stdout=True, stderr=False), b"out\n")

    def test_a_socket_carries_what_is_typed_and_printed(self):
        box = self.made("sh -c 'read a; echo got $a; cat'", stdin_open=True)
        box.start()
        sock = bare(box.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}))
        sock.settimeout(30)
        for typed, printed in [(b"hello\n", b"got hello\n"), (b"more\n", b"more\n")]:
            sock.sendall(typed)
            frame = struct.pack(">BxxxL", 1, len(printed)) + printed
            read = b""
            while len(read) < len(frame):
                read += sock.recv(4096)
            self.assertEqual(read, frame)
        sock.close()
        box.reload()
        self.assertEqual(box.status, "running")

    def test_the_end_of_what_is_typed_is_the_end_of_input(self):
        box = self.client.api.create_container(IMAGE, "sh -c 'wc -c; exit 4'", stdin_open=True)
        self.addCleanup(self.client.api.remove_container, box["Id"], force=True)
        config = self.client.api.inspect_container(box["Id"])["Config"]
        self.assertTrue(config["StdinOnce"])
        sock = bare(self.client.api.attach_socket(box["Id"], params={"stdin": 1, "stdout": 1, "stream": 1}))
        self.client.api.start(box["Id"])
        sock.sendall(b"x" * 100_000)
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(read_all(sock)[8:], b"100000\n")
        self.assertEqual(self.client.api.wait(box["Id"])["StatusCode"], 4)

    def test_a_terminal_has_a_size_and_no_frames(self):
        box = self.made("sh", stdin_open=True, tty=True)
        box.start()
        box.resize(33, 101)
        sock = bare(box.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1}))
        sock.sendall(b"stty size; exit 6\n")
        self.assertIn(b"33 101\r\n", read_all(sock))
        self.assertEqual(box.wait()["StatusCode"], 6)

    def test_an_execution_gives_code_and_output(self):
        box = self.box()
        code, output = box.exec_run(["sh", "-c", "echo out; echo err >&2; exit 3"], demux=True)
        self.assertEqual((code, output), (3, (b"out\n", b"err\n")))
        code, output = box.exec_run("sh -c 'echo $A-$(id -u)-$PWD'", environment={"A": "b"}, user="1000", workdir="/tmp")
        self.assertEqual((code, output), (0, b"b-1000-/tmp\n"))
        self.assertEqual(box.exec_run("echo x", stdout=False), (0, b""))
        code, output = box.exec_run("no-such-program")
        self.assertEqual(code, 127)
        self.assertIn(b"executable file not found", output)
        self.assertEqual(box.exec_run("echo x", detach=True).output, "")
        stopped = self.made()
        self.refused(409, "is not running", stopped.exec_run, "true")
        self.assertRaises(docker.errors.NotFound, self.client.api.exec_inspect, "nobody")

    def test_an_execution_streams(self):
        box = self.box()
        _, stream = box.exec_run(["sh", "-c", "echo one; until [ -e /go ]; do sleep 0.05; done; echo two"], stream=True)
        lines = Listener(stream)
        lines.until(lambda seen: b"".join(seen) == b"one\n")
        box.exec_run("touch /go")
        self.assertEqual(b"".join(lines.end()), b"one\ntwo\n")

    def test_an_execution_is_typed_to(self):
        box = self.box()
        made = self.client.api.exec_create(box.id, "sh -c 'read a; echo got $a; exit 8'", stdin=True)
        sock = bare(self.client.api.exec_start(made["Id"], socket=True))
        running = self.client.api.exec_inspect(made["Id"])
        self.assertEqual((running["Running"], running["ExitCode"], running["OpenStdin"]), (True, None, True))
        sock.sendall(b"this\n")
        frames = list(frames_of(sock))
        self.assertEqual(frames, [(1, b"got this\n")])
        ended = self.client.api.exec_inspect(made["Id"])
        self.assertEqual((ended["Running"], ended["ExitCode"]), (False, 8))
        self.refused(409, "has already run", self.client.api.exec_start, made["Id"])

    def test_an_execution_has_a_terminal(self):
        box = self.box()
        made = self.client.api.exec_create(box.id, "sh", stdin=True, tty=True, environment={"TERM": "dumb"})
        sock = bare(self.client.api.exec_start(made["Id"], tty=True, socket=True))
        self.client.api.exec_resize(made["Id"], height=20, width=70)
        sock.sendall(b"stty size; exit 2\n")
        self.assertIn(b"20 70\r\n", read_all(sock))
        self.assertEqual(self.client.api.exec_inspect(made["Id"])["ExitCode"], 2)
        self.assertEqual(box.exec_run("sh -c 'test -t 1 && echo terminal'", tty=True), (0, b"terminal\r\n"))

    def test_a_terminal_is_left_by_its_keys(self):
        box = self.made("sh", stdin_open=True, tty=True)
        box.start()
        sock = bare(box.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1, "detachKeys": "ctrl-x,q"}))
        sock.sendall(b"\x18q")
        read_all(sock)
        box.reload()
        self.assertEqual(box.status, "running")


def frames_of(sock):
    """Docker's frames of a socket, up to its end."""
    read = read_all(sock)
    while read:
        stream, length = struct.unpack(">BxxxL", read[:8])
        yield stream, read[8 : 8 + length]
        read = read[8 + length :]


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
