"""Disks that fail while a server runs: what is said, what goes on, and what comes back by itself."""

import contextlib
import errno
import pathlib
import resource
import shutil
import subprocess
import time

import programs
import pytest
import redis
from programs import wait_until
from recorded_disk import compile_library

COUNT = 12_000


def spec(number):
    """4 KB, so that a table of 32 MB is soon full."""
    return b"%d " % number * (4096 // (len(str(number)) + 1))


def key(batch, number):
    return b"TASK:" + programs.task_id(batch, number, 0).hex().encode()


def fill(client, batch, count=COUNT, first=0):
    """Starts the batch, if it is new, and adds tasks; the errors among the replies."""
    with contextlib.suppress(redis.ResponseError):
        client.execute_command("GCS.BATCH", "START", "ID", batch)
    errors = []
    for start in range(first, first + count, 500):
        pipe = client.pipeline(transaction=False)
        for number in range(start, min(start + 500, first + count)):
            pipe.execute_command("GCS.TASK", "ADD", programs.task_id(batch, number, 0), spec(number))
        errors += [one for one in pipe.execute(raise_on_error=False) if isinstance(one, Exception)]
    return errors


def flush(client, count=COUNT):
    """Flushes so many records, or all there are; it is waited for as long as a slow disk needs."""
    return client.execute_command("GCS.FLUSH", count)


def read(client, batch, numbers):
    """How many records are right, and the errors of others; nothing else may come."""
    right, errors = 0, []
    for number in numbers:
        try:
            assert client.hget(key(batch, number), "spec") == spec(number)
            right += 1
        except redis.ResponseError as error:
            errors.append(str(error))
    return right, errors


def damage(path, step):
    """Changes a byte in every `step`."""
    with open(path, "r+b") as file:
        for offset in range(step // 2, path.stat().st_size, step):
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 0x55]))


@pytest.fixture
def server(start):
    """A server with 48 MB on disk, some of it in tables, the last in the log of the database."""
    server = start(programs.Server, "--flush-policy", "none")
    client = server.client()
    assert fill(client, 7) == []
    assert flush(client) == COUNT
    files = pathlib.Path(server.directory) / "flushed"
    wait_until(lambda: list(files.glob("*.sst")), "a table is written")
    return server


def files_of(server):
    return pathlib.Path(server.directory) / "flushed"


@pytest.fixture
def small_disk(tmp_path):
    """A small file system of its own, and how to mount it anew."""
    place = tmp_path / "small"
    place.mkdir()

    def mount(*options):
        return subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(place)],
            capture_output=True, check=False).returncode == 0

    if not mount("size=400m"):
        pytest.skip("no right to mount a small file system")
    yield place, mount
    subprocess.run(["umount", "-l", str(place)], check=False)


def test_damaged_table(server):
    """A read that needs damaged bytes says so; others, writes and the end of the batch go on."""
    client = server.client()
    assert read(client, 7, range(0, COUNT, 50))[1] == []
    for table in files_of(server).glob("*.sst"):
        damage(table, 200_000)
    right, errors = read(client, 7, range(0, COUNT, 5))
    assert right > COUNT // 10
    assert errors
    assert all(one.startswith("DISKERROR flushed records cannot be read: Corruption") for one in errors)
    # In a pipeline every reply is in its place, the errors too.
    pipe = client.pipeline(transaction=False)
    for number in range(1000):
        pipe.hget(key(7, number), "spec")
        pipe.echo(str(number))
    replies = pipe.execute(raise_on_error=False)
    for number in range(1000):
        assert replies[2 * number + 1] == str(number).encode()
        assert replies[2 * number] == spec(number) or "DISKERROR" in str(replies[2 * number])
    # What is new is written beside it. Compaction may come upon the damage: then nothing more is flushed,
    # and that is said.
    assert fill(client, 8) == []
    with contextlib.suppress(redis.ResponseError):
        flush(client)
    assert read(client, 8, range(0, COUNT, 10)) == (COUNT // 10, [])
    state, reason = (client.info("flush")[one] for one in ("flush_state", "flush_last_error"))
    assert state != "failing" or "Corruption" in str(reason)
    assert client.execute_command("GCS.BATCH", "END", 7) == b"COLLECTED"
    assert client.exists(*(key(7, number) for number in range(1000))) == 0
    assert fill(client, 9, count=1000) == []
    assert server.stop() == 0


@pytest.mark.parametrize("pattern", ["*.log", "MANIFEST-*", "CURRENT", "OPTIONS-*"])
def test_damaged_file_that_is_not_read(server, pattern):
    """What the database reads only when it is opened does not matter while it is open."""
    client = server.client()
    for path in files_of(server).glob(pattern):
        damage(path, max(path.stat().st_size // 20, 2))
    assert read(client, 7, range(0, COUNT, 50)) == (COUNT // 50, [])
    assert fill(client, 8) == []
    assert flush(client) == COUNT
    for batch in (7, 8):
        assert read(client, batch, range(0, COUNT, 50)) == (COUNT // 50, [])
        assert client.execute_command("GCS.BATCH", "END", batch) == b"COLLECTED"
    assert server.stop() == 0


def test_directory_that_goes_and_comes_back(server):
    """While it is away flushing stops, and what is open stays readable; then it goes on by itself."""
    client = server.client()
    files = files_of(server)
    away = files.with_name("away")
    files.rename(away)
    assert fill(client, 8, count=1000) == []
    with pytest.raises(redis.ResponseError, match="FLUSHFAILED cannot use .*No such file"):
        flush(client, 1000)
    assert client.info("flush")["flush_state"] == "failing"
    assert read(client, 7, range(0, COUNT, 50)) == (COUNT // 50, [])
    away.rename(files)
    client.config_set("flush-when-at-least-bytes", "1mb")
    client.config_set("flush-policy", "simple")
    wait_until(lambda: client.info("flush")["flush_state"] != "failing", "flushing goes on")
    client.config_set("flush-policy", "none")
    assert read(client, 7, range(0, COUNT, 50)) == (COUNT // 50, [])
    assert "flushing goes on" in server.log_text()
    assert server.stop() == 0


def test_directory_that_is_removed(server):
    """Flushing stops, nothing that is answered is wrong, and writes go on."""
    client = server.client()
    shutil.rmtree(files_of(server))
    assert fill(client, 8, count=1000) == []
    with pytest.raises(redis.ResponseError, match="FLUSHFAILED"):
        flush(client, 1000)
    files_of(server).mkdir()

    def is_refused():
        # The first answer may tell of the try before.
        with pytest.raises(redis.ResponseError, match="FLUSHFAILED") as refusal:
            flush(client, 1000)
        return "it is not the directory that was opened" in str(refusal.value)

    wait_until(is_refused, "another directory of that name is not taken for it")
    right, errors = read(client, 7, range(0, COUNT, 50))
    assert right + len(errors) == COUNT // 50
    assert all(one.startswith("DISKERROR ") for one in errors)
    assert read(client, 8, range(1000)) == (1000, [])
    assert client.execute_command("GCS.BATCH", "END", 7) == b"COLLECTED"
    assert client.ping()
    assert server.stop() == 0


def test_read_only_file_system(start, small_disk):
    """Flushing says so, and begins when it can be written."""
    place, mount = small_disk
    assert mount("remount", "ro")
    server = start(programs.Server, "--flush-when-at-least-bytes", "1mb", "--flush-period-secs", "1",
                   "--dir", place)
    client = server.client()
    assert fill(client, 7, count=2000) == []
    wait_until(lambda: client.info("flush")["flush_state"] == "failing", "flushing fails")
    assert "Read-only file system" in str(client.info("flush")["flush_last_error"])
    assert fill(client, 7, count=2000, first=2000) == []
    assert mount("remount", "rw", "size=400m")
    wait_until(lambda: client.info("flush")["flush_records_on_disk"] > 2000, "flushing begins", seconds=20)
    assert read(client, 7, range(4000)) == (4000, [])
    assert server.stop() == 0


class FaultyServer(programs.Server):
    """gcs-server with `disk_faults.c` preloaded: its disk fails as it is told."""

    def __init__(self, directory, library, *settings):
        super().__init__(directory, *settings)
        self.faults = pathlib.Path(directory) / "faults"
        self.faults.write_text("")
        self.args = ["env", f"LD_PRELOAD={library}", f"DISK_FAULTS={self.faults}", *self.args]

    def fail(self, *faults, folder="flushed"):
        """Has calls fail from now on: words of `disk_faults.c`; none without any."""
        lines = "".join(
            f"{call} {number} */{folder}/{pattern}\n" for call, number, pattern in faults)
        # At once: the server reads it while it is written.
        new = self.faults.with_name("faults.new")
        new.write_text(lines)
        new.rename(self.faults)


def state_of(client):
    return client.info("flush")["flush_state"]


def begin(client):
    """Batches 6 and 7 are on disk."""
    for batch in (6, 7):
        assert fill(client, batch, count=2000) == []
    assert flush(client) == 4000


def break_down(server):
    """Adds to batch 9, and flushes, until the disk has failed; how many records were added."""
    client = server.client()
    for count in range(0, 60_000, 2000):
        assert fill(client, 9, 2000, first=count) == []
        try:
            flush(client)
        except redis.ResponseError as error:
            assert "FLUSHFAILED" in str(error)
            assert state_of(client) == "failing"
            assert "flushing has stopped" in server.log_text()
            return count + 2000
    raise AssertionError("the disk never failed")


def removed_files(server):
    """Files of the database that are open, and have no name any more: their space is not free."""
    names = []
    for link in pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            names.append(str(link.readlink()))
    return [name for name in names if "/flushed/" in name and name.endswith(" (deleted)")]


def check_all(client, count):
    """Batches 7 and 9 are whole, and 6 is gone."""
    assert read(client, 7, range(0, 2000, 7)) == (286, [])
    assert read(client, 9, range(0, count, 7)) == (len(range(0, count, 7)), [])
    assert client.exists(*(key(6, number) for number in range(2000))) == 0
    assert client.scard("GC:6") == 0


def go_on(server, count, repair):
    """What is read and written while the disk is broken, and that it is used again when it is not.

    Returns how many records were added to batch 9.
    """
    client = server.client()
    # What is removed while the disk is broken is removed from it later.
    assert client.execute_command("GCS.BATCH", "END", 6) == b"COLLECTED"
    client.config_set("flush-when-at-least-bytes", "1mb")
    client.config_set("flush-policy", "simple")
    until = time.monotonic() + 3
    while time.monotonic() < until:
        check_all(client, count)
    assert fill(client, 9, 1000, first=count) == []
    count += 1000
    repair()
    wait_until(
        lambda: state_of(client) != "failing"
        and client.info("flush")["flush_records_on_disk"] > count // 2,
        "flushing goes on", seconds=30)
    assert "flushing goes on" in server.log_text()
    check_all(client, count)
    client.config_set("flush-policy", "none")
    wait_until(lambda: removed_files(server) == [], "files that were removed are closed")
    return count


EIO, ENOSPC, EDQUOT = errno.EIO, errno.ENOSPC, errno.EDQUOT


@pytest.mark.parametrize("faults", [
    [("sync", EIO, "*.log")],
    [("write", EDQUOT, "*.sst")],
    [("sync", EIO, "MANIFEST-*")],
    [("write", ENOSPC, "*"), ("sync", ENOSPC, "*")],
    [("write", EIO, "*"), ("sync", EIO, "*")],
], ids=["sync of a log", "write of a table", "sync of a manifest", "full disk", "everything"])
def test_write_that_fails_half_way(start, tmp_path, faults):
    """Flushing stops, reads and writes go on; it resumes by itself; nothing is lost, nothing is back."""
    library = compile_library("disk_faults", tmp_path)
    if library is None:
        pytest.skip("no C compiler")
    server = start(FaultyServer, library, "--flush-policy", "none", "--appendonly", "yes")
    begin(server.client())
    server.fail(*faults)
    count = go_on(server, break_down(server), server.fail)
    size = server.client().dbsize()
    for _ in range(2):
        server.kill()
        server.start()
        client = server.client()
        wait_until(lambda: client.info("persistence")["loading"] == 0, "everything is loaded")
        check_all(client, count)
        assert client.dbsize() == size
    assert server.stop() == 0


def test_file_size_limit(start):
    """A limit that tables do not fit in, as of ulimit -f: what is small can be written, tables cannot."""
    server = start(programs.Server, "--flush-policy", "none")
    begin(server.client())
    hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (9_000_000, hard))
    go_on(server, break_down(server), lambda: resource.prlimit(
        server.process.pid, resource.RLIMIT_FSIZE, (hard, hard)))
    assert server.stop() == 0


def test_killed_while_it_is_broken(start, tmp_path):
    """A start with what a broken write left, and with what a try to open it anew left."""
    library = compile_library("disk_faults", tmp_path)
    if library is None:
        pytest.skip("no C compiler")
    # The log can be written again at once, and tables cannot: it is opened anew for reading only.
    faults = [("sync", EIO, "*.log"), ("write", EIO, "*.sst")]
    server = start(FaultyServer, library, "--flush-policy", "none", "--appendonly", "yes")
    client = server.client()
    begin(client)
    server.fail(*faults)
    count = break_down(server)
    assert client.execute_command("GCS.BATCH", "END", 6) == b"COLLECTED"
    for pause in (0.2, 1.7, 2.5):
        client.config_set("flush-policy", "simple")
        client.config_set("flush-when-at-least-bytes", "1mb")
        wait_until(lambda: state_of(client) == "failing", "the disk fails", seconds=20)
        time.sleep(pause)
        check_all(client, count)
        server.kill()
        server.fail()
        server.start()
        client = server.client()
        wait_until(lambda: client.info("persistence")["loading"] == 0, "everything is loaded")
        check_all(client, count)
        server.fail(*faults)
