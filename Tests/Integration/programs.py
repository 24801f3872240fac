"""Starts and ends the programs under test: each in its own directory, on ports the kernel gives."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

BIN = pathlib.Path(os.environ.get("GCS_BIN", ".build/release")).resolve()


def wait_until(condition, what, seconds=10.0, process=None):
    """Waits for a true value of `condition`, and returns it; says what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if process is not None and process.poll() is not None:
            raise AssertionError(f"{what}: the program ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.01)


def free_port():
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Program:
    """A process with a log; `args` are kept, so that it can be started again."""

    def __init__(self, args, directory):
        self.args = [str(arg) for arg in args]
        self.directory = pathlib.Path(directory)
        self.log = self.directory / f"{pathlib.Path(self.args[0]).name}.log"
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.args, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def stop(self, sent=signal.SIGTERM, seconds=10.0):
        """Sends a signal, waits for the end, and returns the exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(sent)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.args[0]} was still there {seconds} s after {sent!r}")

    def kill(self):
        """Ends it as a crash would."""
        return self.stop(signal.SIGKILL)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def memory(self):
        """Its resident bytes now."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024


class Server(Program):
    """gcs-server on loopback."""

    def __init__(self, directory, *settings, port=None):
        self.port = port or free_port()
        super().__init__([BIN / "gcs-server", "--port", self.port, *settings], directory)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        super().start()
        wait_until(self._answers, "gcs-server answers", process=self.process)
        return self

    def client(self, protocol=2, **options):
        """A redis-py client; replies are bytes."""
        import redis

        return redis.Redis(port=self.port, protocol=protocol, socket_timeout=30, **options)

    def cli(self, *words, stdin=None):
        """What redis-cli prints, its last line break removed."""
        done = subprocess.run(
            ["redis-cli", "-p", str(self.port), *map(str, words)],
            input=stdin, capture_output=True, text=True, timeout=30)
        return (done.stdout + done.stderr).rstrip("\n")

    def _answers(self):
        with contextlib.suppress(OSError), socket.create_connection(
                ("127.0.0.1", self.port), 1) as connection:
            connection.settimeout(1)
            connection.sendall(b"PING\r\n")
            return connection.recv(16) == b"+PONG\r\n"
        return False


class Store(Program):
    """An object store: ours, or Arrow's when `arrow` is true."""

    def __init__(self, directory, size=64 << 20, arrow=False, name="plasma"):
        self.socket = pathlib.Path(directory) / name
        self.size = size
        program = arrow_store() if arrow else BIN / "plasma-store"
        super().__init__([program, "-s", self.socket, "-m", size], directory)

    def start(self):
        # Arrow's store leaves its socket file when it is killed.
        self.socket.unlink(missing_ok=True)
        super().start()
        wait_until(self._accepts, "the store accepts", process=self.process)
        return self

    def client(self):
        """pyarrow's client."""
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pyarrow import plasma

            return plasma.connect(str(self.socket))

    def _accepts(self):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            return True
        return False


class Node(Program):
    """A node manager between a store and a server."""

    def __init__(self, directory, server, store, name="n1", *settings):
        self.name = name
        self.server = server
        super().__init__(
            [BIN / "gcs-node", "--gcs-address", server.address, "--store-socket", store.socket,
             "--node-id", name, *settings],
            directory)

    def start(self):
        super().start()
        wait_until(self._is_registered, "the node is registered", process=self.process)
        return self

    def _is_registered(self):
        return self.name in self.server.cli("GCS.NODE", "LIST")


def arrow_store():
    """Arrow's own store program, which comes with pyarrow 11."""
    import pyarrow

    program = pathlib.Path(pyarrow.__file__).parent / "plasma-store-server"
    assert program.exists(), f"{program} is not there: pyarrow 11 is needed"
    return program


def task_id(batch, task, index=0):
    """The 20 bytes of an id: batch, task, and the index of a return value."""
    return batch.to_bytes(8, "big") + task.to_bytes(8, "big") + index.to_bytes(4, "big")


def report(program, stream=sys.stderr):
    """Shows the end of a program's log; for tests that failed."""
    print(f"---- {program.log.name}", file=stream)
    print(program.log_text()[-4000:], file=stream)


def has_redis_cli():
    return shutil.which("redis-cli") is not None
