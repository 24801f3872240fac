"""Records that leave memory for disk: they read as before, and what goes wrong is said."""

import pathlib
import subprocess

import programs
import pytest
import redis
from programs import wait_until

SMALL = ("--flush-when-at-least-bytes", "1mb", "--flush-period-secs", "1")


def spec(number):
    return b"%d " % number * 30


def fill(client, batch, count, first=0):
    """Adds tasks, some hundreds at a time."""
    for start in range(first, first + count, 500):
        pipe = client.pipeline(transaction=False)
        for number in range(start, min(start + 500, first + count)):
            pipe.execute_command("GCS.TASK", "ADD", programs.task_id(batch, number, 0), spec(number))
        pipe.execute()


def key(batch, number):
    return b"TASK:" + programs.task_id(batch, number, 0).hex().encode()


def flush(client, field):
    return client.info("flush")[field]


def test_flushed_records_read_as_before(start):
    """All reads of the key space, through a window of 1 MB."""
    server = start(programs.Server, *SMALL)
    client = server.client()
    client.execute_command("GCS.BATCH", "START", "ID", 7)
    count = 30_000
    fill(client, 7, count)
    wait_until(lambda: flush(client, "flush_records_on_disk") > count // 2, "records are flushed")
    wait_until(lambda: flush(client, "flush_held_bytes") < 1.25 * (1 << 20), "the window holds")
    for number in range(0, count, 97):
        assert client.hget(key(7, number), "spec") == spec(number)
    assert client.exists(*(key(7, number) for number in range(100))) == 100
    assert client.scard("GC:7") == count
    assert {bytes(one) for one in client.smembers("GC:7")} == {key(7, n) for n in range(count)}
    assert set(client.sscan_iter("GC:7", count=1000)) == {key(7, n) for n in range(count)}
    assert set(client.scan_iter("TASK:*", count=1000)) == {key(7, n) for n in range(count)}
    assert len(client.keys("TASK:*")) == count
    assert server.cli("HGET", key(7, 5).decode(), "spec") == spec(5).decode().rstrip("\n")
    assert client.delete(key(7, 3)) == 1
    assert client.exists(key(7, 3)) == 0
    assert client.execute_command("GCS.TASK", "STATE", programs.task_id(7, 4, 0), "RUNNING") == b"OK"
    assert client.hget(key(7, 4), "state") == b"RUNNING"
    assert client.execute_command("GCS.TASK", "ADD", programs.task_id(7, 5, 0), "new") == 0
    assert client.scard("GC:7") == count - 1


def test_end_gives_the_disk_back(start):
    """Ending a batch that is on disk removes it there."""
    server = start(programs.Server, *SMALL)
    client = server.client()
    client.execute_command("GCS.BATCH", "START", "ID", 7)
    fill(client, 7, 40_000)
    files = pathlib.Path(server.directory) / "flushed"
    wait_until(lambda: flush(client, "flush_records_on_disk") > 20_000, "records are flushed")

    def used():
        return sum(one.stat().st_blocks * 512 for one in files.iterdir() if one.suffix in (".sst", ".log"))

    assert used() > 4 << 20
    assert client.execute_command("GCS.BATCH", "END", 7) == b"COLLECTED"
    assert flush(client, "flush_records_on_disk") == 0
    wait_until(lambda: used() < 1 << 20, "the disk space is back", seconds=30)


def test_gcs_flush_and_policies(start):
    """GCS.FLUSH tells how many; names with underscores; what is old by age; discarding."""
    server = start(programs.Server, "--flush_policy", "none")
    client = server.client()
    client.execute_command("GCS.BATCH", "START", "ID", 7)
    fill(client, 7, 1000)
    assert client.execute_command("GCS.FLUSH", 100) == 100
    assert client.execute_command("GCS.FLUSH") == 900
    assert client.execute_command("GCS.FLUSH") == 0
    assert flush(client, "flush_records_on_disk") == 1000
    client.config_set("flush_older_than_secs", 1)
    client.config_set("flush-period-secs", 1)
    client.config_set("flush_policy", "age")
    fill(client, 7, 500, first=1000)
    wait_until(lambda: flush(client, "flush_records_on_disk") == 1500, "old records are flushed")
    client.config_set("flush-policy", "none")
    client.config_set("flush-target", "discard")
    fill(client, 7, 500, first=1500)
    assert client.execute_command("GCS.FLUSH", 1000) == 500
    assert client.scard("GC:7") == 1500


def test_directory_that_is_missing(start, tmp_path):
    """Flushing stops and says so, writes go on, and it resumes when the directory is there."""
    missing = tmp_path / "missing"
    server = start(programs.Server, *SMALL, "--dir", missing)
    client = server.client()
    client.execute_command("GCS.BATCH", "START", "ID", 7)
    fill(client, 7, 20_000)
    wait_until(lambda: flush(client, "flush_state") == "failing", "flushing fails")
    assert "No such file" in str(flush(client, "flush_last_error"))
    fill(client, 7, 20_000, first=20_000)
    with pytest.raises(redis.ResponseError, match="FLUSHFAILED"):
        client.execute_command("GCS.FLUSH", 10)
    missing.mkdir()
    wait_until(lambda: flush(client, "flush_records_on_disk") > 20_000, "flushing goes on", seconds=20)
    assert client.hget(key(7, 5), "spec") == spec(5)
    log = server.log.read_text()
    assert "flushing has stopped" in log and "flushing goes on" in log


def test_full_disk(start, tmp_path):
    """As above, on a file system that is full; what was flushed before stays readable."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=320m", "tmpfs", str(small)],
                             capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("no right to mount a small file system")
    try:
        server = start(programs.Server, *SMALL, "--dir", small)
        client = server.client()
        client.execute_command("GCS.BATCH", "START", "ID", 7)
        ballast = small / "ballast"
        fill(client, 7, 20_000)
        wait_until(lambda: flush(client, "flush_records_on_disk") > 5_000, "records are flushed")
        with open(ballast, "wb") as file:
            file.truncate(0)
            for _ in range(220):
                file.write(b"x" * (1 << 20))
        fill(client, 7, 60_000, first=20_000)
        wait_until(lambda: flush(client, "flush_state") == "failing", "flushing fails")
        assert "No space left" in str(flush(client, "flush_last_error"))
        fill(client, 7, 10_000, first=80_000)
        for number in range(0, 20_000, 500):
            assert client.hget(key(7, number), "spec") == spec(number)
        before = flush(client, "flush_records_on_disk")
        ballast.unlink()
        wait_until(lambda: flush(client, "flush_records_on_disk") > before, "flushing goes on", seconds=30)
        for number in range(0, 90_000, 1000):
            assert client.hget(key(7, number), "spec") == spec(number)
        server.stop()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)


def test_two_servers_one_directory(start, tmp_path):
    """The second one does not touch what the first has flushed."""
    shared = tmp_path / "shared"
    shared.mkdir()
    first = start(programs.Server, "--flush-policy", "none", "--dir", shared)
    second = start(programs.Server, "--flush-policy", "none", "--dir", shared)
    for server in (first, second):
        server.client().execute_command("GCS.BATCH", "START", "ID", 7)
        fill(server.client(), 7, 1000)
    assert first.client().execute_command("GCS.FLUSH", 1000) == 1000
    with pytest.raises(redis.ResponseError, match="FLUSHFAILED"):
        second.client().execute_command("GCS.FLUSH", 1000)
    assert first.client().hget(key(7, 5), "spec") == spec(5)
    assert second.client().hget(key(7, 5), "spec") == spec(5)
