"""What an append-only file promises: the server is killed at random moments, and knows what it must.

DURABILITY_ROUNDS and DURABILITY_SEED ask for more rounds, and for the same ones again.
"""

import os
import random
import time

import pytest

import durability
from durability import RecordedServer, Rounds
from recorded_disk import compile_recorder

ROUNDS = int(os.environ.get("DURABILITY_ROUNDS", "5"))
SEED = int(os.environ.get("DURABILITY_SEED", "0")) or random.randrange(1, 1 << 31)
# Nearly all records are flushed.
FLUSHING = ["--flush-when-at-least-bytes", "1mb", "--flush-period-secs", "1"]
EVENTS = ["plain", "rewrite", "snapshot", "switch", "loading"]


@pytest.fixture(scope="module")
def recorder(tmp_path_factory):
    library = compile_recorder(tmp_path_factory.mktemp("recorder"))
    if library is None:
        pytest.skip("no C compiler")
    return library


@pytest.fixture
def rounds(recorder, tmp_path):
    """Makes rounds of a server of its own."""
    made = []

    def make(sync, judged_as=None, appendonly="yes", lies=None, flushes=False):
        folder = tmp_path / f"rounds{len(made)}"
        folder.mkdir()
        server = RecordedServer(
            folder, "--appendonly", appendonly, "--appendfsync", sync, *(FLUSHING if flushes else []),
            recorder=recorder, lies=lies)
        server.start()
        made.append(Rounds(server, f"{SEED} {sync}", sync, judged_as, flushes))
        return made[-1]

    yield make
    for one in made:
        one.server.kill()


@pytest.mark.parametrize("flushes", [True, False], ids=["flushing", "in memory"])
@pytest.mark.parametrize("sync", ["always", "everysec"])
def test_nothing_promised_is_lost(rounds, sync, flushes):
    one = rounds(sync, flushes=flushes)
    events = {event: 0 for event in EVENTS}
    powers = 0
    count = ROUNDS if flushes else max(ROUNDS // 4, min(ROUNDS, len(EVENTS)))
    for number in range(count):
        # Some of everything first.
        event = EVENTS[number] if number < len(EVENTS) else one.random.choice(EVENTS)
        power = one.random.random() < 0.5
        events[event] += 1
        powers += power
        problems = one.round(event, power)
        assert not problems, (
            f"round {number} ({event}{', power lost' if power else ''}) of {sync}, "
            f"DURABILITY_SEED={SEED}: " + "; ".join(problems[:5]))
    print(f"\n{sync}, {'flushing' if flushes else 'in memory'}: {count} rounds, seed {SEED}, "
          f"{one.answered} commands answered, "
          f"{', '.join(f'{count} {event}' for event, count in events.items())}; power lost in {powers}, "
          f"not on the disk were {one.server.disk.undone} names and "
          f"{', '.join(f'{lost} bytes of {name}' for name, lost in one.server.disk.lost.items())}; "
          f"{one.judged_on_disk} of {one.judged} records were judged from disk")
    assert one.answered > 0


def test_a_crash_around_the_first_flush(recorder, tmp_path):
    """What is flushed first makes the disk's files, and the log tell of them."""
    chance = random.Random(f"{SEED} first")
    for number in range(max(4, ROUNDS // 2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        server = RecordedServer(
            folder, "--appendonly", "yes", "--appendfsync", "always", "--flush-policy", "none",
            recorder=recorder)
        server.start()
        try:
            tasks = [f"{7:016x}{unique:016x}00000000" for unique in range(200)]
            with server.client() as client:
                client.execute_command("GCS.BATCH", "START", "ID", 7)
                durability.pipelined(client, [("GCS.TASK", "ADD", task, "x" * 500) for task in tasks])
                connection = client.connection_pool.get_connection()
                connection.send_command("GCS.FLUSH", 1000)
                # Until the log is durable, and the files are made.
                time.sleep(chance.choice([0, 0.01, 0.02, 0.05, 0.1, 0.2, 2]) * chance.random())
                server.kill()
            if chance.random() < 0.7:
                server.disk.lose_power(strict=chance.random() < 0.5)
            server.start()
            with server.client() as client:
                replies = durability.pipelined(client, [("GCS.TASK", "GET", task) for task in tasks])
                assert all(durability.fields(reply)[b"spec"] == b"x" * 500 for reply in replies)
                assert client.scard("GC:7") == 200
                client.execute_command("GCS.FLUSH", 1000)
                assert client.info("flush")["flush_records_on_disk"] == 200
        finally:
            server.kill()


def first_problem(one, count, *arguments, **options):
    for _ in range(count):
        problems = one.round(*arguments, **options)
        if problems:
            return problems[0]
    return None


def test_a_server_without_a_log_is_found_out(rounds):
    assert "lost" in (first_problem(rounds("always", appendonly="no"), 1) or "")


def test_a_log_without_its_last_groups_is_found_out(rounds):
    one = rounds("always")
    kill = one.server.kill

    def kill_and_cut():
        # Everything that waits is answered first: then the last group was.
        for thread in durability.threading.enumerate():
            if isinstance(thread, durability.Writer):
                thread.is_stopping = True
                thread.join(10)
        kill()
        one.server.cut_last_groups(3)

    one.server.kill = kill_and_cut
    try:
        assert first_problem(one, 1) is not None
    finally:
        one.server.kill = kill


def test_syncs_that_are_none_are_found_out(rounds):
    try:
        problem = first_problem(rounds("always", lies="/"), 1, power=True) or ""
    except AssertionError as error:
        # So bad that the server does not start: its manifest is empty.
        problem = str(error)
    assert "lost" in problem or "the program ended" in problem


def test_flushed_records_that_were_never_synced_are_found_out(rounds):
    """RocksDB's own log is not on the disk, although it was synced: what it told of is lost."""
    one = rounds("always", lies=".log", flushes=True)
    problem = None
    for _ in range(3):
        try:
            problem = problem or first_problem(one, 1, power=True, seconds=1)
        except AssertionError as error:
            # It may be so bad that the server does not start.
            problem = str(error)
    assert "lost" in problem or "ended" in problem


def test_replies_that_do_not_wait_are_found_out(rounds):
    one = rounds("everysec", judged_as="always")
    assert first_problem(one, 5, power=True, seconds=0.7) is not None


def test_a_stale_log_is_found_out(rounds, tmp_path):
    """A log of an hour ago instead of the present one: a batch that has ended is back."""
    import shutil

    one = rounds("always")
    assert one.round() == []
    folder = one.server.directory / "appendonlydir"
    shutil.copytree(folder, tmp_path / "copy")
    kill = one.server.kill

    def kill_and_go_back():
        kill()
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "copy", folder)

    one.server.kill = kill_and_go_back
    try:
        assert "lost" in (first_problem(one, 1) or "")
    finally:
        one.server.kill = kill
