"""What an append-only file promises: the server is killed at random moments, and knows what it must.

DURABILITY_ROUNDS and DURABILITY_SEED ask for more rounds, and for the same ones again.
"""

import os
import random

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
    assert "lost" in (first_problem(rounds("always", lies="/"), 1, power=True) or "")


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
