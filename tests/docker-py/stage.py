"""What every test by docker-py has: a client of the engine under test, and containers that go when the test ends."""

import io
import tarfile
import threading
import time
import unittest

import docker
import docker.errors

IMAGE = "sandlot/starter"
# How long anything may take on a busy machine.
PATIENCE = 30


class Case(unittest.TestCase):
    """A test case with a client; whatever it makes is called after it."""

    def setUp(self):
        self.client = docker.from_env(timeout=PATIENCE)
        self.addCleanup(self.client.close)

    def box(self, command="sleep 1000", image=IMAGE, **options):
        """A container that runs, and is removed when the test ends."""
        container = self.client.containers.run(image, command, detach=True, **options)
        self.addCleanup(self.gone, container)
        return container

    def made(self, command="true", image=IMAGE, **options):
        """A container that was not started, and is removed when the test ends."""
        container = self.client.containers.create(image, command, **options)
        self.addCleanup(self.gone, container)
        return container

    def gone(self, container):
        try:
            container.remove(force=True, v=True)
        except docker.errors.NotFound:
            pass

    def until(self, what, state):
        """Looks until a state is there."""
        started = time.monotonic()
        while not state():
            self.assertLess(time.monotonic() - started, PATIENCE, f"waited in vain for {what}")
            time.sleep(0.02)

    def refused(self, status, words, call, *arguments, **options):
        """What a call must raise: an error of the API with a status and words."""
        with self.assertRaises(docker.errors.APIError) as caught:
            call(*arguments, **options)
        self.assertEqual(caught.exception.response.status_code, status, caught.exception)
        self.assertIn(words, caught.exception.explanation)
        return caught.exception


def archive(files):
    """A tar of files, each with its content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def unpacked(pieces):
    """The files of a tar that comes in pieces, each with its content."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar if entry.isfile()}


class Listener:
    """Reads something that has no end on a thread, and waits for what comes."""

    def __init__(self, stream):
        self.stream = stream
        self.seen = []
        self.news = threading.Condition()
        self.over = False
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        try:
            for piece in self.stream:
                with self.news:
                    self.seen.append(piece)
                    self.news.notify_all()
        finally:
            with self.news:
                self.over = True
                self.news.notify_all()

    def until(self, enough):
        """What has come, once it is enough."""
        with self.news:
            if not self.news.wait_for(lambda: enough(self.seen) or self.over, PATIENCE) or not enough(self.seen):
                raise AssertionError(f"waited in vain; seen so far: {self.seen}")
            return list(self.seen)

    def end(self):
        """All of it, once it has ended."""
        with self.news:
            if not self.news.wait_for(lambda: self.over, PATIENCE):
                raise AssertionError(f"no end; seen so far: {self.seen}")
            return list(self.seen)
