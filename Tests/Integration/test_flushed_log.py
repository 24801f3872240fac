"""Flushed records together with the append-only file and with snapshots: over restarts and crashes."""

import shutil

import programs
import pytest
import redis
from programs import wait_until

from test_log import Launched, contents, fails_to_start, persistence

SMALL = ("--flush-when-at-least-bytes", "1mb", "--flush-period-secs", "1")
COUNT = 3_000


def fill(client, batch, count, first=0):
    """Adds tasks and an object of each tenth, some hundreds at a time."""
    for start in range(first, first + count, 500):
        pipe = client.pipeline(transaction=False)
        for number in range(start, min(start + 500, first + count)):
            task = programs.task_id(batch, number)
            pipe.execute_command("GCS.TASK", "ADD", task, b"%d " % number * 300)
            if number % 10 == 0:
                pipe.execute_command(
                    "GCS.OBJECT", "ADD", programs.task_id(batch, number, 1), "n1", number)
        pipe.execute()


def key(batch, number):
    return b"TASK:" + programs.task_id(batch, number).hex().encode()


def flush(client, field):
    return client.info("flush")[field]


def begin(server, count=COUNT):
    """Three batches, most of their records on disk."""
    client = server.client()
    for batch in 7, 8, 9:
        client.execute_command("GCS.BATCH", "START", "ID", batch)
        fill(client, batch, count // 3)
    wait_until(lambda: flush(client, "flush_records_on_disk") > count // 2, "records are flushed")
    return client


def rewrite(client):
    """Has the log begin anew: it tells of records in memory only, then."""
    client.execute_command("BGREWRITEAOF")
    wait_until(lambda: persistence(client)["aof_last_rewrite_time_sec"] >= 0, "the log is rewritten")


def restart(server, how):
    getattr(server, how)()
    server.start()
    wait_until(lambda: not persistence(server.client())["loading"], "everything is loaded")
    return server.client()


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("sync", ["always", "everysec"])
def test_records_on_disk_outlive_a_restart(start, how, sync):
    server = start(programs.Server, *SMALL, "--appendonly", "yes", "--appendfsync", sync)
    client = begin(server)
    assert client.delete(key(7, 3)) == 1
    assert client.execute_command("GCS.TASK", "STATE", programs.task_id(7, 4), "RUNNING") == b"OK"
    client.execute_command("GCS.BATCH", "END", 9)
    rewrite(client)
    client.execute_command("GCS.TASK", "STATE", programs.task_id(7, 5), "FAILED")
    assert client.delete(key(7, 6)) == 1
    wait_until(lambda: persistence(client)["aof_buffer_length"] == 0, "all of it is written")
    before = contents(server)
    client = restart(server, how)
    assert flush(client, "flush_records_on_disk") > COUNT // 3
    assert contents(server) == before
    assert client.exists(key(7, 3)) == 0
    assert client.hget(key(7, 4), "state") == b"RUNNING"
    assert client.scard("GC:7") == COUNT // 3 - 2 + COUNT // 30
    assert client.exists("GC:9") == 0
    # And once more: what was taken over counts as what was flushed.
    fill(client, 8, 500, first=COUNT)
    client.execute_command("GCS.BATCH", "END", 7)
    before = contents(server)
    client = restart(server, "stop")
    assert contents(server) == before
    assert client.scard("GC:8") == COUNT // 3 + COUNT // 30 + 550


def test_log_begins_anew_without_what_is_on_disk(start):
    server = start(programs.Server, *SMALL, "--appendonly", "yes")
    client = begin(server)
    before = contents(server)
    rewrite(client)
    assert persistence(client)["aof_current_size"] < 3 << 20
    restart(server, "kill")
    assert contents(server) == before


def test_snapshot_holds_what_is_on_disk(start, tmp_path):
    server = start(programs.Server, *SMALL)
    client = begin(server)
    before = contents(server)
    assert client.execute_command("SAVE") == b"OK" or client.execute_command("SAVE") is True
    after = contents(server)
    assert after == before
    shutil.copy(server.directory / "dump.gcs", tmp_path / "dump.gcs")
    other = start(programs.Server, "--dir", tmp_path)
    wait_until(lambda: not persistence(other.client())["loading"], "the snapshot is loaded")
    assert contents(other) == before


def test_log_is_switched_on_and_off_with_records_on_disk(start):
    server = start(programs.Server, *SMALL)
    client = begin(server)
    client.config_set("appendonly", "yes")
    wait_until(lambda: not persistence(client)["aof_rewrite_in_progress"], "the log is whole")
    fill(client, 7, 500, first=COUNT)
    before = contents(server)
    server.args += ["--appendonly", "yes"]
    client = restart(server, "stop")
    assert contents(server) == before
    client.config_set("appendonly", "no")
    client.config_set("appendonly", "yes")
    wait_until(lambda: not persistence(client)["aof_rewrite_in_progress"], "the log is whole again")
    restart(server, "stop")
    assert contents(server) == before


def test_log_without_its_records_is_refused(start):
    server = start(Launched, *SMALL, "--appendonly", "yes")
    begin(server)
    server.stop()
    flushed = server.directory / "flushed"
    flushed.rename(server.directory / "elsewhere")
    assert f"flushed records, which are not in {flushed}" in fails_to_start(server)
    (server.directory / "elsewhere").rename(flushed)
    restart(server, "stop")


def test_records_of_a_log_that_is_not_loaded_stay(start):
    """Started without its log, the server does not flush over what the log counts on."""
    server = start(programs.Server, *SMALL, "--appendonly", "yes")
    client = begin(server)
    rewrite(client)
    before = contents(server)
    arguments = server.args[:]
    server.args = [word for word in arguments if word not in ("--appendonly", "yes")]
    client = restart(server, "stop")
    assert not client.exists("GC:7")
    client.execute_command("GCS.BATCH", "START", "ID", 7)
    fill(client, 7, 1000)
    with pytest.raises(redis.ResponseError, match="belongs to the append-only file"):
        client.execute_command("GCS.FLUSH", 100)
    server.args = arguments
    restart(server, "stop")
    assert contents(server) == before


def test_records_of_another_log_are_refused(start):
    server = start(Launched, *SMALL, "--appendonly", "yes")
    other = start(Launched, *SMALL, "--appendonly", "yes")
    for one in server, other:
        begin(one)
        one.stop()
    shutil.rmtree(server.directory / "flushed")
    shutil.copytree(other.directory / "flushed", server.directory / "flushed")
    assert "holds the flushed records of another append-only file" in fails_to_start(server)


@pytest.mark.parametrize("kind", ["*.sst", "*.log", "MANIFEST-*", "CURRENT", "IDENTITY", "OPTIONS-*"])
def test_changed_byte_on_disk(start, kind):
    """A file of flushed records with another byte in its middle: refused with the reason, or as good as whole."""
    server = start(Launched, *SMALL, "--appendonly", "yes")
    client = begin(server)
    rewrite(client)
    before = contents(server)
    # One that is killed leaves its last writes in a log of RocksDB's.
    server.stop() if kind == "*.sst" else server.kill()
    files = [path for path in (server.directory / "flushed").glob(kind) if path.stat().st_size > 0]
    assert files, "there is no such file"
    path = max(files, key=lambda path: path.stat().st_size)
    whole = path.read_bytes()
    half = len(whole) // 2
    path.write_bytes(whole[:half] + bytes([whole[half] ^ 0xFF]) + whole[half + 1:])
    if kind in ("IDENTITY", "OPTIONS-*"):
        server.start()
        wait_until(lambda: not persistence(server.client())["loading"], "everything is loaded")
        assert contents(server) == before
        return
    assert "flushed" in fails_to_start(server)
    path.write_bytes(whole)
    restart(server, "stop")
    assert contents(server) == before
