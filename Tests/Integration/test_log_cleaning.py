"""What is alive survives the parts of the append-only file that told it, after hundreds of megabytes more."""

import random

import pytest

from programs import Server, task_id, wait_until
from test_log import add_tasks, contents, persistence, segments

LOG = ["--appendonly", "yes", "--appendfsync", "everysec"]


class Logged(Server):
    def __init__(self, directory, *settings, port=None):
        super().__init__(directory, "--dir", directory, *LOG, *settings, port=port)


def add_all_kinds(client):
    """Things of each kind, written once."""
    client.execute_command("GCS.NODE", "REGISTER", "n1", "ADDRESS", "here", "STORE", "/tmp/s")
    for batch in (1, 2, 3):
        client.execute_command("GCS.BATCH", "START", "ID", batch, "NAME", f"batch {batch}")
    client.execute_command("GCS.BATCH", "START", "ID", 4, "PARENT", 3, "TIMEOUT", 3600)
    client.execute_command("GCS.BATCH", "DEPEND", 1, 2)
    pipeline = client.pipeline(transaction=False)
    for number in range(300):
        batch = number % 4 + 1
        task, made = task_id(batch, number), task_id(batch, number, 1)
        pipeline.execute_command(
            "GCS.TASK", "ADD", task, f"cold {number}", "STATE", "FINISHED", "ACTOR",
            task_id(0, number % 5), "ARGS", 1, task_id(number % 3 + 1, number + 1, 1))
        pipeline.execute_command("GCS.OBJECT", "ADD", made, "n1", 100 + number)
        if number % 7 == 0:
            pipeline.execute_command("GCS.OBJECT", "PIN", made)
        if number % 11 == 0:
            pipeline.execute_command("GCS.BATCH", "TRANSFER", 1, made)
        if number % 13 == 0:
            pipeline.execute_command("GCS.REF", "ADD", "n1", 9, "LOCAL_REFERENCE", made, "BYTES", 5)
    pipeline.execute_command("GCS.BATCH", "KEEP", 4, task_id(4, 3, 1))
    for ended in range(100, 150):
        pipeline.execute_command("GCS.BATCH", "START", "ID", ended)
        pipeline.execute_command("GCS.TASK", "ADD", task_id(ended, 1), "gone")
        pipeline.execute_command("GCS.BATCH", "END", ended)
    pipeline.execute()


def write_over(client, source, megabytes, numbers, size):
    """Tasks of the first batch, over and over, now larger and now smaller: so they move in memory."""
    written = 0
    while written < megabytes << 20:
        chosen = source.sample(numbers, min(len(numbers), 400))
        length = source.randrange(size // 2, size)
        replies = add_tasks(client, 1, chosen, size=length)
        assert not [one for one in replies if isinstance(one, Exception)]
        written += length * len(chosen)


@pytest.mark.parametrize("cold", [0, 2000], ids=["most was written over", "much was not"])
def test_what_is_alive_is_loaded(start, cold):
    source = random.Random(cold)
    server = start(Logged)
    with server.client() as client:
        add_all_kinds(client)
        add_tasks(client, 2, range(10_000, 10_000 + cold), size=15_000)
        hot = list(range(20_000, 21_000))
        add_tasks(client, 1, hot)
        write_over(client, source, 250, hot, 12_000)
    for _ in range(2):
        first = segments(server)[0].name
        assert first != "appendonly.aof.1.incr.aof", "no part has gone"
        before = contents(server)
        server.kill()
        server.start()
        wait_until(lambda: not persistence(server.client())["loading"], "everything is loaded")
        assert contents(server) == before
        with server.client() as client:
            assert client.execute_command("GCS.MEMORY", "REFS")
            # What was loaded, and not told since, is told again by the parts that come.
            write_over(client, source, 250, hot, 12_000)
        assert segments(server)[0].name != first
    assert server.stop() == 0
