"""The examples, and the first one of the README as pasted, against `make run`."""

import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

import programs

PACKAGE = pathlib.Path(__file__).resolve().parents[1]
ROOT = PACKAGE.parents[1]

PRINTED = {
    "nested": ["step 0: 10, objects of the job: 1", "step 1: 60, objects of the job: 2",
               "step 2: 110, objects of the job: 3", "total: 180"],
    "keeping": ["model: {'weights': [0.1, 0.2]}", "report: it went well",
                "objects of the archive: 1"],
    "ends_elsewhere": ["the value: made by another process", "the batch: COLLECTED",
                       r"afterwards: BATCHENDED batch \d+ has ended"],
    "asyncio_batches": ["objects left: 0", "sum: 570"],
    "driver_dies": ["after 4 s the driver lives, and so does its object: inner",
                    r"the driver was killed; \d\.\d s later all is gone"],
}


def test_every_example_is_run():
    assert {path.stem for path in (PACKAGE / "examples").glob("*.py")} == set(PRINTED)


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_prints_what_it_should_and_leaves_nothing(name, server, start, script):
    store = start(programs.Store)
    start(programs.Node, server, store)
    process = script(PACKAGE / "examples" / f"{name}.py")
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0, printed
    lines = printed.splitlines()
    assert len(lines) == len(PRINTED[name]), printed
    for line, expected in zip(lines, PRINTED[name]):
        assert line == expected or re.fullmatch(expected, line), printed
    client, watcher = store.client(), server.client()
    programs.wait_until(lambda: not client.list(), "the store is empty")
    programs.wait_until(
        lambda: set(watcher.keys()) <= {b"GC:0", b"gc:log", b"NODE:n1"}, "the server is empty")


def test_the_first_example_of_the_readme_works_against_make_run(tmp_path):
    text = (PACKAGE / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    promised = re.search(r"It prints (.*?)\n\n", text, re.DOTALL).group(1)

    port, log = programs.free_port(), tmp_path / "run.log"
    with open(log, "wb") as output:
        run = subprocess.Popen(
            [ROOT / "Scripts" / "run.sh"], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env={**os.environ, "GCS_BIN": str(programs.BIN), "PORT": str(port),
                 "TMPDIR": str(tmp_path)},
            start_new_session=True)
    try:
        programs.wait_until(
            lambda: "Ctrl-C ends all three" in log.read_text(), "run.sh explains itself",
            process=run)
        # The code as it is; only the port of this server is not the usual one, which may be taken.
        done = subprocess.run(
            [sys.executable, "-"], input=code, capture_output=True, text=True, timeout=60,
            env={**os.environ, "PYTHONPATH": str(PACKAGE), "GCS_ADDRESS": f"127.0.0.1:{port}"})
        assert done.returncode == 0, done.stderr + log.read_text()
        assert done.stdout.splitlines() == re.findall(r"`(.*?)`", promised)
        os.killpg(run.pid, signal.SIGINT)
        assert run.wait(10) == 0, log.read_text()
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGTERM)
            run.wait()


def test_the_example_of_the_store_by_itself(start):
    text = (PACKAGE / "README.md").read_text()
    section = text.split("## The object store by itself")[1]
    code, promised = re.search(
        r"```python\n(.*?)```\n\nIt prints:\n\n```\n(.*?)```", section, re.DOTALL).groups()
    store = start(programs.Store)
    # The code as it is; only the socket is not in /tmp.
    done = subprocess.run(
        [sys.executable, "-"], input=code.replace("/tmp/plasma", str(store.socket)),
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(PACKAGE)})
    assert done.returncode == 0, done.stderr
    assert done.stdout == promised
