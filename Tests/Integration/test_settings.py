"""gcs-server's settings, from the file and the flags to CONFIG."""

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


def test_config_set_changes_all_or_nothing(server):
    reply = server.cli("CONFIG", "SET", "maxclients", "77", "timeout", "soon")
    assert reply == ("ERR CONFIG SET failed (possibly related to argument 'timeout') - "
                     "argument couldn't be parsed into an integer")
    assert server.cli("CONFIG", "GET", "maxclients") == "maxclients\n10000"
    assert server.cli("CONFIG", "SET", "port", "1").endswith("can't set immutable config")
    assert "'nope'" in server.cli("CONFIG", "SET", "nope", "1")
