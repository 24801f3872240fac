"""gcs-server's settings, from the file and the flags to CONFIG."""

import os
import pathlib
import subprocess

import programs
import pytest


def refused(tmp_path, *arguments):
    """Starts the server with arguments that it must refuse; returns what it says."""
    done = subprocess.run(
        [programs.BIN / "gcs-server", *map(str, arguments)], cwd=tmp_path,
        capture_output=True, text=True, timeout=10)
    assert done.returncode != 0, "it started"
    return done.stdout + done.stderr


@pytest.mark.parametrize("arguments, words", [
    (["--nope", "3"], ["nope", "no such setting"]),
    (["--maxclients", "x"], ["maxclients", "couldn't be parsed into an integer"]),
    (["--port", "70000"], ["port", "between 0 and 65535"]),
    (["--server-cpulist", "0-"], ["server-cpulist", "must be a list of processors"]),
    (["--bio-cpulist", "1023"], ["bio-cpulist 1023", "may use none of these processors"]),
    (["missing.conf"], ["missing.conf", "no such file or directory"]),
])
def test_flags_are_refused_with_the_reason(tmp_path, arguments, words):
    text = refused(tmp_path, *arguments)
    assert all(word in text.lower() for word in words), text


def test_a_bad_line_of_the_file_is_named(tmp_path):
    (tmp_path / "bad.conf").write_text("# one\ntimeout 5\nmaxclients none\n")
    text = refused(tmp_path, "bad.conf")
    assert "line 3" in text and "maxclients" in text, text


def test_file_flags_and_config_rewrite(start, tmp_path):
    conf = tmp_path / "gcs.conf"
    conf.write_text("# mine\ntimeout 7\n\n# clients\nmaxclients 50\n")
    # The file comes first, as for redis-server.
    server = programs.Server(tmp_path)
    server.args.insert(1, str(conf))
    server.args += ["--loglevel", "warning"]
    server.start()
    try:
        client = server.client()
        assert client.config_get("timeout") == {"timeout": "7"}
        assert client.config_get("log*")["loglevel"] == "warning"
        assert client.config_set("maxclients", 60, "batch_tombstone_secs", 5)
        assert client.config_rewrite()
        text = conf.read_text()
        assert text.startswith("# mine\ntimeout 7\n\n# clients\nmaxclients 60\n")
        assert "batch-tombstone-secs 5" in text and "loglevel warning" in text
        client.close()
        server.stop()
        server.start()
        assert server.cli("CONFIG", "GET", "batch-tombstone-secs") == "batch-tombstone-secs\n5"
    finally:
        server.kill()


def processors_of_threads(server):
    """Where each thread may run, the loop's first."""
    threads = pathlib.Path(f"/proc/{server.process.pid}/task")
    return [os.sched_getaffinity(int(thread)) for thread in sorted(
        (one.name for one in threads.iterdir()), key=lambda name: int(name) != server.process.pid)]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor")
def test_threads_run_where_the_settings_say(start):
    """Those of the disk apart from the loop's, RocksDB's and the log's included; else anywhere."""
    first, *others = sorted(os.sched_getaffinity(0))
    names = (str(first), ",".join(map(str, others)))
    kept = ("--appendonly", "yes", "--appendfsync", "always")
    for loop, disk in ((1, 1), (1, 0), (0, 1), (0, 0)):
        server = start(
            programs.Server, *kept, *("--server-cpulist", names[0]) * loop, *("--bio-cpulist", names[1]) * disk)
        client = server.client()
        client.execute_command("GCS.BATCH", "START", "ID", 7)
        for number in range(2000):
            client.execute_command("GCS.TASK", "ADD", programs.task_id(7, number, 0), "x" * 100)
        assert client.execute_command("GCS.FLUSH", 1000) >= 1000
        assert client.config_get("server-cpulist") == {"server-cpulist": names[0] * loop}
        found = processors_of_threads(server)
        assert len(found) >= 6, "the log's, two of the disk, two of RocksDB"
        everywhere = {first, *others}
        assert found[0] == ({first} if loop else everywhere)
        # The log's may be beside the loop, where it is allowed to.
        allowed = [set(others)] if disk else [everywhere] + [{one} for one in everywhere]
        assert all(one in allowed for one in found[1:]), found
        server.stop()


def test_config_set_changes_all_or_nothing(server):
    reply = server.cli("CONFIG", "SET", "maxclients", "77", "timeout", "soon")
    assert reply == ("ERR CONFIG SET failed (possibly related to argument 'timeout') - "
                     "argument couldn't be parsed into an integer")
    assert server.cli("CONFIG", "GET", "maxclients") == "maxclients\n10000"
    assert server.cli("CONFIG", "SET", "port", "1").endswith("can't set immutable config")
    assert "'nope'" in server.cli("CONFIG", "SET", "nope", "1")
