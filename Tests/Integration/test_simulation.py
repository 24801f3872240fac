"""`gcs simulate`: random lives of the whole system, in the release build."""

import os
import re
import resource
import shlex
import subprocess

import programs

# As anybody starts it: the program itself sees to it that a seed gives the same world.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "SWIFT_DETERMINISTIC_HASHING"}
# Thousands of servers in one process: none may leave its memory behind.
ADDRESS_SPACE_MAX = 1 << 30


def simulate(*args):
    return subprocess.run(
        [programs.BIN / "gcs", "simulate", *map(str, args)], capture_output=True, text=True,
        env=ENVIRONMENT, timeout=120, preexec_fn=limit_memory)


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_MAX, ADDRESS_SPACE_MAX))


def test_no_deletion_is_lost_and_nothing_is_deleted_too_early():
    run = simulate("--seeds", 200)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.startswith("200 seeds passed")


def test_a_run_can_begin_anywhere():
    last = simulate("--seeds", 3, "--from", 2**64 - 4)
    assert last.stdout.startswith("3 seeds passed")
    beyond = simulate("--seeds", 4, "--from", 2**64 - 4)
    assert beyond.returncode != 0
    assert "leaves no 4 seeds below 2^64" in beyond.stderr
    watched = simulate(3, "--from", 2)
    assert watched.returncode != 0
    assert "--from goes with --seeds" in watched.stderr


def test_a_server_with_a_log_is_restarted():
    traces = [simulate(seed).stdout for seed in range(1, 21)]
    assert any(re.search(r"the server starts, with [1-9]\d* bytes of log", t) for t in traces)


def test_a_world_can_be_watched_and_is_the_same_each_time():
    first, second = simulate(17), simulate(17)
    assert first.returncode == 0
    assert first.stdout == second.stdout
    *lines, last = first.stdout.splitlines()
    assert last == "seed 17: passed"
    assert len(lines) > 500
    assert all(re.match(r" *\d+\.\d{3}  \S", line) for line in lines)


def test_a_world_that_goes_wrong_says_how_to_replay_it():
    run = simulate("--seeds", 1000, "--plant", "forgets-kept")
    assert run.returncode == 1
    what, how = run.stdout.splitlines()
    assert "deleted" in what
    again = shlex.split(how.removeprefix("replay it with its trace: "))
    replay = subprocess.run(again, capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert replay.returncode == 1
    assert replay.stdout.splitlines()[-1] == what
