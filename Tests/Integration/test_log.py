"""The append-only file and snapshots of the real server: full disks, damage, loading, switching, tools."""

import contextlib
import errno
import os
import resource
import shutil
import socket
import subprocess
import threading
import time

import pytest
import redis

import programs
from programs import Server, task_id, wait_until
from recorded_disk import compile_library

LOG = ["--appendonly", "yes", "--appendfsync", "always"]


class LimitedServer(Server):
    """A server whose files may have so many bytes; it can be given room."""

    def __init__(self, directory, *settings, byte_count):
        super().__init__(directory, *settings)
        self.byte_count = byte_count

    def start(self):
        limit = (self.byte_count, resource.RLIM_INFINITY)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.args, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
        wait_until(self._answers, "gcs-server answers", process=self.process)
        return self

    def give_room(self):
        limit = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, limit)


@contextlib.contextmanager
def small_disk(path, options):
    """A file system of memory at `path`; skips the test where none may be mounted."""
    path.mkdir()
    mount = shutil.which("mount")
    done = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True)
    if not done or done.returncode != 0:
        pytest.skip("no file system may be mounted here")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def add_tasks(client, batch, numbers, size=300):
    """Adds tasks whose specification tells their number."""
    pipeline = client.pipeline(transaction=False)
    for number in numbers:
        pipeline.execute_command(
            "GCS.TASK", "ADD", task_id(batch, number), f"{number} ".ljust(size, "x"))
    return pipeline.execute(raise_on_error=False)


def specification(client, batch, number):
    reply = client.execute_command("GCS.TASK", "GET", task_id(batch, number))
    return None if reply is None else dict(zip(reply[::2], reply[1::2]))[b"spec"]


def contents(server):
    """Every key and what it holds, but for ids and times of the server's own."""
    with server.client() as client:
        keys = sorted(client.scan_iter(count=1000))
        return {key: contents_of(client, key) for key in keys}


def contents_of(client, key):
    kind = client.type(key)
    if kind == b"set":
        return sorted(client.smembers(key))
    if kind != b"hash":
        return client.xrange(key)
    fields = client.hgetall(key)
    # When the server, or the one that loaded it, last heard of a node.
    fields.pop(b"last-seen-ms", None)
    return fields


def persistence(client):
    return client.info("persistence")


def segments(server):
    """The log's files in their order."""
    folder = server.directory / "appendonlydir"
    lines = (folder / "appendonly.aof.manifest").read_text().splitlines()
    return [folder / line.split()[1] for line in lines]


def fails_to_start(server):
    """What the server says when it does not start."""
    server.launch()
    assert server.process.wait(20) == 1, server.log_text()
    lines = [line for line in server.log_text().splitlines() if line.startswith("gcs-server: ")]
    return lines[-1]


class Launched(Server):
    """A server that is started without waiting for it."""

    def __init__(self, directory, *settings, port=None):
        super().__init__(directory, "--dir", directory, *settings, port=port)

    def launch(self):
        programs.Program.start(self)


# A disk that is full.

def write_until_refused(client, batch, done, stop):
    """Writes until a write is refused, and returns why; what was answered before is in `done`."""
    for number in range(1, 100_000):
        if stop.is_set():
            return None
        try:
            client.execute_command(
                "GCS.TASK", "ADD", task_id(batch, number), f"{number} ".ljust(900, "x"))
        except redis.ResponseError as error:
            return str(error)
        done.append(number)
    raise AssertionError("no write was refused")


def check_full_disk(server, give_room, sync):
    with server.client() as client, server.client() as other:
        client.config_set("appendfsync", sync)
        client.execute_command("GCS.BATCH", "START", "ID", 7)
        done, stop = [], threading.Event()
        if sync == "always":
            # A write that was under way gets no reply before there is room; later ones are refused.
            waiting = threading.Thread(
                target=write_until_refused, args=(client, 7, done, stop), daemon=True)
            waiting.start()
            wait_until(
                lambda: persistence(other)["aof_last_write_status"] == "err", "it is full", 30)
        else:
            assert write_until_refused(client, 7, done, stop).startswith("MISCONF")
        with pytest.raises(redis.ResponseError, match="MISCONF"):
            other.execute_command("GCS.BATCH", "START", "ID", 8)
        assert persistence(other)["aof_last_write_status"] == "err"
        assert "the append-only file cannot be written" in server.log_text()
        assert other.execute_command("GCS.BATCH", "INFO", 7)
        assert other.ping()
        stop.set()
        give_room()
        wait_until(lambda: persistence(other)["aof_last_write_status"] == "ok", "there is room")
        assert "can be written again" in server.log_text()
        assert other.execute_command("GCS.BATCH", "START", "ID", 8) == 8
        if sync == "always":
            waiting.join(10)
            assert not waiting.is_alive(), "the write that waited for room got no reply"
        else:
            time.sleep(1.6)
    return done


@pytest.mark.parametrize("sync", ["always", "everysec"])
def test_a_file_that_may_not_grow(start, tmp_path, sync):
    server = start(LimitedServer, *LOG, byte_count=60_000)
    done = check_full_disk(server, server.give_room, sync)
    server.kill()
    # Without the limit.
    Server.start(server)
    with server.client() as client:
        assert client.execute_command("GCS.BATCH", "INFO", 8)
        for number in done:
            assert specification(client, 7, number).startswith(b"%d " % number)


@pytest.mark.parametrize("sync", ["always", "everysec"])
def test_a_full_disk(start, tmp_path, sync):
    with small_disk(tmp_path / "disk", "size=2m") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(1_700_000))
        server = start(Server, "--dir", disk, *LOG)
        done = check_full_disk(server, ballast.unlink, sync)
        server.kill()
        server.start()
        with server.client() as client:
            assert client.execute_command("GCS.BATCH", "INFO", 8)
            for number in done:
                assert specification(client, 7, number).startswith(b"%d " % number)
        server.kill()


# Directories.

def test_a_directory_that_is_not_there(tmp_path):
    server = Launched(tmp_path, *LOG, "--dir", tmp_path / "none")
    assert "no such file or directory" in fails_to_start(server)


def test_a_directory_that_may_only_be_read(tmp_path):
    with small_disk(tmp_path / "disk", "ro") as disk:
        server = Launched(tmp_path, *LOG, "--dir", disk)
        assert "read-only file system" in fails_to_start(server)


def test_switching_on_where_nothing_may_be_written(start, tmp_path):
    with small_disk(tmp_path / "disk", "ro") as disk:
        server = start(Server, "--dir", disk)
        with server.client() as client:
            with pytest.raises(redis.ResponseError, match="read-only file system"):
                client.config_set("appendonly", "yes")
            assert client.config_get("appendonly") == {"appendonly": "no"}
            assert client.execute_command("GCS.BATCH", "START", "ID", 7) == 7
            assert persistence(client)["aof_enabled"] == 0


def test_a_second_server_in_the_same_directory(start, tmp_path):
    start(Server, "--dir", tmp_path, *LOG)
    folder = tmp_path / "second"
    folder.mkdir()
    assert "in use by another gcs-server" in fails_to_start(Launched(folder, *LOG, "--dir", tmp_path))


# Damage.

def written(start, count=30):
    """A server's directory with a log of some groups, the server dead."""
    server = start(Launched, *LOG)
    with server.client() as client:
        client.execute_command("GCS.BATCH", "START", "ID", 7)
        for number in range(1, count):
            add_tasks(client, 7, [number])
    server.kill()
    return server


def size_of(path):
    """Bytes of a segment, without what was written ahead behind its end."""
    return len(path.read_bytes().rstrip(b"#\n")) + 1


def flip(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x20
    path.write_bytes(data)
    return len(data)


@pytest.mark.parametrize("place", [0.01, 0.2, 0.5, 0.8])
def test_a_changed_byte_in_the_log_is_refused(start, place):
    server = written(start)
    path = segments(server)[0]
    offset = int(size_of(path) * place)
    flip(path, offset)
    reason = fails_to_start(server)
    assert f"{path} is damaged at byte " in reason
    # The log is as it was: it can be repaired.
    flip(path, offset)
    server.start()
    with server.client() as client:
        assert specification(client, 7, 29).startswith(b"29 ")


def test_a_changed_byte_in_an_earlier_segment_is_refused(start):
    server = written(start)
    server.start()
    with server.client() as client:
        add_tasks(client, 7, [100])
    server.kill()
    path = segments(server)[0]
    flip(path, path.stat().st_size - 400)
    assert f"{path} is damaged at byte " in fails_to_start(server)


@pytest.mark.parametrize("cut", [1, 30, 75, 200, 300])
def test_a_torn_end_is_cut_off(start, cut):
    server = written(start)
    path = segments(server)[-1]
    os.truncate(path, size_of(path) - cut)
    server.start()
    assert "cut off" in server.log_text()
    assert path.with_name(path.name + ".cut").exists()
    with server.client() as client:
        assert specification(client, 7, 28).startswith(b"28 ")
        assert specification(client, 7, 29) is None
        add_tasks(client, 7, [30])
    server.kill()
    server.start()
    with server.client() as client:
        assert specification(client, 7, 30).startswith(b"30 ")


def test_a_last_group_that_is_not_what_was_written_is_cut_off(start):
    server = written(start)
    path = segments(server)[-1]
    flip(path, size_of(path) - 200)
    server.start()
    with server.client() as client:
        assert specification(client, 7, 28).startswith(b"28 ")
        assert specification(client, 7, 29) is None


@pytest.mark.parametrize("text, reason", [
    ("file appendonly.aof.1.incr.aof seq 1 type x\n", "line 1: a file of type 'x'"),
    ("file other seq 1 type i\n", "line 1: expected"),
    ("", "it names no segment"),
    ("file appendonly.aof.9.incr.aof seq 9 type i\n", "not on the disk"),
])
def test_a_damaged_manifest_is_refused(start, text, reason):
    server = written(start)
    (server.directory / "appendonlydir" / "appendonly.aof.manifest").write_text(text)
    names = sorted(os.listdir(server.directory / "appendonlydir"))
    assert reason in fails_to_start(server)
    assert sorted(os.listdir(server.directory / "appendonlydir")) == names


def snapshot(start, *settings):
    server = start(Launched, *settings)
    with server.client() as client:
        client.execute_command("GCS.BATCH", "START", "ID", 7)
        add_tasks(client, 7, range(1, 2000))
        client.save()
    server.kill()
    return server, next(server.directory.glob("dump*"))


@pytest.mark.parametrize("place", [0.001, 0.5, 0.9999])
def test_a_changed_byte_in_a_snapshot_is_refused(start, place):
    server, path = snapshot(start)
    flip(path, int(path.stat().st_size * place))
    assert f"{path} is damaged at byte " in fails_to_start(server)


@pytest.mark.parametrize("rest", [0.5, 0.99])
def test_a_snapshot_that_is_not_whole_is_refused(start, rest):
    server, path = snapshot(start)
    os.truncate(path, int(path.stat().st_size * rest))
    assert f"{path} is damaged at byte " in fails_to_start(server)


# Loading.

def test_loading(start):
    server = start(Launched, "--appendonly", "yes", "--appendfsync", "no")
    with server.client() as client:
        client.execute_command("GCS.BATCH", "START", "ID", 7)
        for first in range(1, 150_001, 5000):
            add_tasks(client, 7, range(first, first + 5000))
    assert server.stop() == 0
    before = {path: path.read_bytes() for path in segments(server)}
    # A client that comes while it loads.
    server.launch()
    said, fields = asked_while_loading(server)
    assert said.startswith("LOADING")
    assert fields["loading"] == 1 and fields["loading_total_bytes"] > 40_000_000
    assert fields["loading_loaded_bytes"] <= fields["loading_total_bytes"]
    assert server.stop() == 0
    for path, data in before.items():
        assert path.read_bytes() == data
    server.launch()
    wait_until(server._answers, "it answers", 60, server.process)
    assert "loading: " in server.log_text() and " % of " in server.log_text()
    with server.client() as client:
        assert client.scard("GC:7") == 150_000
        assert persistence(client)["loading"] == 0


def asked_while_loading(server):
    """What a write is answered while a server loads, and what INFO says then."""
    def connect():
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", server.port), 5)

    with wait_until(connect, "the server listens", process=server.process) as connection:
        connection.sendall(b"GCS.BATCH START ID 8\r\nINFO persistence\r\n")
        received = b""
        while b"loading_eta_seconds" not in received:
            received += connection.recv(1 << 16)
    said, _, rest = received.decode().partition("\r\n")
    lines = [line.partition(":") for line in rest.splitlines()]
    return said.lstrip("-"), {
        name: int(value) if value.isdigit() else value for name, _, value in lines}


# Switching.

def test_switching_off_and_on_loses_nothing(start):
    server = start(Launched)
    with server.client() as client:
        client.execute_command("GCS.BATCH", "START", "ID", 7)
        add_tasks(client, 7, range(1, 500))
        for number in range(3):
            client.config_set("appendonly", "yes")
            add_tasks(client, 7, range(1000 * (number + 1), 1000 * (number + 1) + 200))
            wait_until(lambda: not persistence(client)["aof_rewrite_in_progress"], "it is whole")
            if number < 2:
                client.config_set("appendonly", "no")
                add_tasks(client, 7, range(5000 + number * 100, 5100 + number * 100))
        client.config_set("appendfsync", "always")
        add_tasks(client, 7, [9999])
    before = contents(server)
    assert len(before[b"GC:7"]) == 499 + 600 + 200 + 1
    server.kill()
    server.args += ["--appendonly", "yes"]
    server.start()
    assert contents(server) == before


def test_a_snapshot_is_what_the_log_begins_with(start):
    server, path = snapshot(start)
    server.args += LOG
    server.start()
    with server.client() as client:
        assert client.scard("GC:7") == 1999
        add_tasks(client, 7, [5000])
        wait_until(lambda: not persistence(client)["aof_rewrite_in_progress"], "it is whole")
    before = contents(server)
    server.kill()
    path.unlink()
    server.start()
    assert contents(server) == before and len(before[b"GC:7"]) == 2000


def test_what_was_flushed_stays_away(start):
    server = written(start)
    server.start()
    with server.client() as client:
        client.flushall()
        client.execute_command("GCS.BATCH", "START", "ID", 9)
    server.kill()
    server.start()
    with server.client() as client:
        assert client.exists("GC:7") == 0 and client.exists("GC:9") == 1
        assert specification(client, 7, 1) is None


# Tools.

def test_redis_tools_read_the_log(start):
    server = written(start)
    server.start()
    with server.client() as client:
        client.execute_command("GCS.BATCH", "START", "ID", 8, "PARENT", 7)
        client.execute_command("GCS.OBJECT", "ADD", task_id(8, 1, 1), "n1", 100)
        client.execute_command("GCS.BATCH", "KEEP", 8, task_id(8, 1, 1))
        client.execute_command("GCS.BATCH", "END", 8)
        client.bgrewriteaof()
        wait_until(lambda: not persistence(client)["aof_rewrite_in_progress"], "it is rewritten")
        add_tasks(client, 7, [77])
    before = contents(server)
    server.kill()
    manifest = server.directory / "appendonlydir" / "appendonly.aof.manifest"
    checked = subprocess.run(
        ["redis-check-aof", manifest], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "All AOF files and manifest are valid" in checked.stdout
    empty = start(Server)
    data = b"".join(path.read_bytes() for path in segments(server))
    piped = subprocess.run(
        ["redis-cli", "-p", str(empty.port), "--pipe"], input=data, capture_output=True, timeout=30)
    assert b"errors: 0" in piped.stdout, piped.stdout + piped.stderr
    assert empty.cli("GCS.LOAD", "FINISH") == "OK"
    assert contents(empty) == before


# A sync that fails.

@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_sync_that_fails(start, tmp_path, policy):
    """What was not durable is written to another file before it is answered: the old one proves nothing."""
    from test_flushing_failures import FaultyServer

    library = compile_library("disk_faults", tmp_path)
    if library is None:
        pytest.skip("no C compiler")
    server = start(FaultyServer, library, "--appendonly", "yes", "--appendfsync", policy)
    client = server.client()
    client.execute_command("GCS.BATCH", "START", "ID", 7)
    assert not [one for one in add_tasks(client, 7, range(1000)) if isinstance(one, Exception)]
    path = segments(server)[-1]
    inode = path.stat().st_ino
    server.fail(("sync", errno.EIO, "*"), folder="appendonlydir")
    answered = threading.Event()

    def add_one():
        with server.client() as other:
            assert not isinstance(add_tasks(other, 7, [1000])[0], Exception)
        answered.set()

    adder = threading.Thread(target=add_one)
    adder.start()
    wait_until(lambda: "the append-only file cannot be written: fdatasync" in server.log_text(), "it fails")
    assert specification(client, 7, 3).startswith(b"3 ")
    if policy == "always":
        with pytest.raises(redis.ResponseError, match="MISCONF"):
            client.execute_command("GCS.TASK", "ADD", task_id(7, 2000), "x")
        assert not answered.wait(1.5)
    server.fail()
    wait_until(lambda: "the append-only file can be written again" in server.log_text(), "it goes on")
    adder.join(10)
    assert answered.is_set()
    assert segments(server)[-1] == path
    assert path.stat().st_ino != inode
    assert not isinstance(add_tasks(client, 7, [1001])[0], Exception)
    before = contents(server)
    server.kill()
    server.start()
    wait_until(lambda: not persistence(server.client())["loading"], "everything is loaded")
    assert contents(server) == before
    assert sorted(one.name for one in path.parent.iterdir()) == [
        "appendonly.aof.1.incr.aof", "appendonly.aof.2.incr.aof", "appendonly.aof.manifest"]
    assert server.stop() == 0


# How large it becomes.

def test_size_while_more_is_written_than_the_disk_takes(start, tmp_path):
    """At most twice what is alive and 128 MiB, without a pause in which to catch up."""
    from test_flushing_failures import FaultyServer

    library = compile_library("disk_faults", tmp_path)
    if library is None:
        pytest.skip("no C compiler")
    server = start(FaultyServer, library, "--appendonly", "yes")
    client = server.client()
    client.execute_command("GCS.BATCH", "START", "ID", 7)
    size, count = 20_000, 500
    add_tasks(client, 7, range(count), size=size)
    # About 100 MB/s.
    server.fail(("slow", 650, "*"), folder="appendonlydir")
    done = threading.Event()
    sizes = []

    def watch():
        while not done.wait(0.005):
            try:
                sizes.append(sum(path.stat().st_size for path in segments(server)))
            except FileNotFoundError:
                # One has gone meanwhile.
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(50):
            replies = add_tasks(client, 7, range(count), size=size)
            assert not [one for one in replies if isinstance(one, Exception)]
    finally:
        done.set()
        watcher.join()
    assert len(sizes) > 100, "it was not watched"
    assert max(sizes) <= 2 * count * (size + 100) + (128 << 20), f"{max(sizes) >> 20} MiB"
    assert specification(client, 7, 3) == b"3 ".ljust(size, b"x")
    server.fail()
    assert server.stop() == 0
