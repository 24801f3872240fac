"""What people start by hand: make run's script, the example files, the smoke test's client."""

import os
import pathlib
import signal
import subprocess
import sys

import programs

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_run_starts_three_programs_and_ends_them_on_ctrl_c(tmp_path):
    port = programs.free_port()
    log = tmp_path / "run.log"
    with open(log, "wb") as output:
        script = subprocess.Popen(
            [ROOT / "Scripts" / "run.sh"], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env={**os.environ, "GCS_BIN": str(programs.BIN), "PORT": str(port),
                 "TMPDIR": str(tmp_path)},
            start_new_session=True)
    try:
        programs.wait_until(
            lambda: "Ctrl-C ends all three" in log.read_text(), "run.sh explains itself",
            process=script)
        programs.wait_until(
            lambda: "local" in cli(port, "GCS.NODE", "LIST"), "the node is registered")
        os.killpg(script.pid, signal.SIGINT)
        assert script.wait(10) == 0, log.read_text()
    finally:
        if script.poll() is None:
            os.killpg(script.pid, signal.SIGTERM)
            script.wait()
    assert "Connection refused" in cli(port, "PING")
    assert [path for path in tmp_path.iterdir() if path != log] == []


def cli(port, *words):
    done = subprocess.run(
        ["redis-cli", "-p", str(port), *words], capture_output=True, text=True, timeout=10)
    return done.stdout + done.stderr


def test_the_example_file_starts_a_server(tmp_path):
    server = programs.Server(tmp_path)
    server.args.insert(1, str(ROOT / "conf" / "gcs.conf"))
    server.start()
    try:
        assert server.cli("CONFIG", "GET", "maxclients") == "maxclients\n10000"
        assert server.stop() == 0
    finally:
        server.kill()


def test_gcs_node_refuses_what_it_does_not_know(tmp_path):
    for arguments, word in [
            (["--nope", "1"], "nope"), (["--node-id", "a b"], "node-id"),
            (["--gcs-address", "here:there"], "gcs-address")]:
        done = subprocess.run(
            [programs.BIN / "gcs-node", *arguments], cwd=tmp_path, capture_output=True, text=True,
            timeout=10)
        assert done.returncode != 0
        assert word in done.stdout + done.stderr


def test_the_smoke_client_empties_two_stores(server, start):
    stores = [start(programs.Store), start(programs.Store)]
    names = [f"node{index}" for index in (1, 2)]
    for name, store in zip(names, stores):
        start(programs.Node, server, store, name)
    done = subprocess.run(
        [sys.executable, ROOT / "docker" / "smoke.py", server.address,
         *(f"{name}={store.socket}" for name, store in zip(names, stores))],
        capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "what was kept reads back" in done.stdout
