"""gcs memory: who holds which memory, and why it is not freed."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import programs
import pytest
from test_cli import gcs, ok, refused

WORKER = """
import sys, warnings
warnings.simplefilter("ignore")
from pyarrow import plasma
client = plasma.connect(sys.argv[1])
held = client.get_buffers([plasma.ObjectID(bytes.fromhex(id)) for id in sys.argv[2:]])
print(sum(buffer.size for buffer in held), flush=True)
sys.stdin.readline()
"""


def put(client, number, size):
    """An object; its id is `number`, 20 bytes."""
    from pyarrow import plasma

    client.create_and_seal(plasma.ObjectID(number), b"x" * size)


@contextlib.contextmanager
def worker(store, *ids):
    """A process that gets objects and keeps their buffers until it is told to end."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, store.socket, *(one.hex() for one in ids)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert int(process.stdout.readline()) > 0
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def memory(server, *words):
    return json.loads(ok("memory", "--json", *words, server=server))


def test_memory_that_a_worker_still_holds(start, server):
    """Objects stay because a worker still holds a buffer: who, which batch; then they go."""
    store = start(programs.Store)
    start(programs.Node, server, store)
    client = server.client()
    batch = client.execute_command("GCS.BATCH", "START", "NAME", "nightly")
    ids = [programs.task_id(batch, 1, index) for index in range(1, 5)]
    with contextlib.closing(DriverStore(store)) as driver:
        for one in ids:
            driver.put(one, 1 << 20)
    programs.wait_until(lambda: client.scard(f"GC:{batch}") == 4, "the objects are reported")

    with worker(store, *ids[:2]) as process:
        programs.wait_until(
            lambda: memory(server)["count"] == 2, "the pins are reported")
        programs.wait_until(
            lambda: memory(server)["stats"]["usage"].get("pinned-bytes") == 2 << 20, "a heartbeat")
        text = ok("memory", "--batch", batch, "--units", "MB", server=server)
        lines = [line.split() for line in text.splitlines() if "PINNED_IN_MEMORY  " in line]
        assert len(lines) == 2
        for line in lines:
            assert line[:6] == ["n1", str(process.pid), "worker", "PINNED_IN_MEMORY", "1.048", "MB"]
            assert line[6:8] == [str(batch), "nightly"]
        assert "Pinned by processes: 2.097 MB, 2 objects" in text
        unreferenced = memory(server, "--unreferenced")["unreferenced"]
        assert {one["object"] for one in unreferenced} == {one.hex() for one in ids[2:]}
        assert all(one["nodes"] == ["n1"] for one in unreferenced)

        client.execute_command("GCS.BATCH", "END", batch)
        programs.wait_until(
            lambda: memory(server)["stats"]["usage"].get("used-bytes") == 2 << 20,
            "what nobody holds is gone")
        rows = memory(server)["references"]
        assert [(row["pid"], row["batch"], row["batch-status"]) for row in rows] == [
            (process.pid, batch, "ended")] * 2
        assert {row["object"] for row in rows} == {one.hex() for one in ids[:2]}
        text = ok("memory", server=server)
        assert f"{process.pid}  worker  PINNED_IN_MEMORY" in text and "ended" in text

        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(10) == 0
    programs.wait_until(
        lambda: memory(server)["stats"]["usage"].get("used-bytes") == 0, "the memory is free")
    programs.wait_until(lambda: memory(server)["count"] == 0, "no pin is left")
    assert "No process holds a reference" in ok("memory", server=server)


class DriverStore:
    """A client of the store in this process."""

    def __init__(self, store):
        self.client = store.client()

    def put(self, number, size):
        put(self.client, number, size)

    def close(self):
        self.client.disconnect()


def test_pins_are_told_anew_to_another_server_and_by_another_node_manager(start):
    """What a server or node manager forgets, the store still knows; no pin stays by mistake."""
    server = start(programs.Server)
    store = start(programs.Store)
    node = start(programs.Node, server, store)
    ids = [programs.task_id(0, 7, index) for index in range(1, 3)]
    with contextlib.closing(DriverStore(store)) as driver:
        for one in ids:
            driver.put(one, 1000)
        with worker(store, ids[0]) as first, worker(store, *ids) as second:
            wanted = {(first.pid, ids[0].hex()), (second.pid, ids[0].hex()),
                      (second.pid, ids[1].hex())}

            def pins():
                rows = memory(server)["references"]
                return {(row["pid"], row["object"]) for row in rows}

            programs.wait_until(lambda: pins() == wanted, "both workers' pins")
            server.kill()
            server.start()
            programs.wait_until(lambda: pins() == wanted, "both workers' pins, told anew")
            node.kill()
            first.kill()
            first.wait()
            node.start()
            wanted = {pin for pin in wanted if pin[0] != first.pid}
            programs.wait_until(lambda: pins() == wanted, "the second worker's pins")
    programs.wait_until(lambda: not pins(), "no pin")


def test_arrow_store_tells_how_much_it_holds(start, server):
    store = start(programs.Store, arrow=True)
    start(programs.Node, server, store)
    with contextlib.closing(DriverStore(store)) as driver:
        driver.put(programs.task_id(0, 7, 1), 5000)
        programs.wait_until(
            lambda: memory(server, "--stats-only")["stats"]["usage"].get("bytes") == 5000,
            "the object is told")
    usage = memory(server, "--stats-only")["stats"]["usage"]
    assert usage["capacity"] == store.size and "pinned-bytes" not in usage
    text = ok("memory", "--stats-only", server=server)
    assert "Plasma memory usage 4.9 KiB, 1 objects, " in text and "needed" in text


def add(client, node, pid, kind, number, *words):
    object_id = programs.task_id(0, number, 1)
    client.execute_command("GCS.REF", "ADD", node, pid, kind, object_id, *words)


@pytest.fixture
def references(server):
    """A server that was told of five references."""
    client = server.client()
    add(client, "n1", 41, "LOCAL_REFERENCE", 1, "BYTES", 15, "SITE", "driver.py:12", "DRIVER")
    add(client, "n1", 42, "USED_BY_PENDING_TASK", 1, "BYTES", 15)
    add(client, "n1", 42, "PINNED_IN_MEMORY", 2, "BYTES", 3_000_254, "SITE", "worker.py:3")
    add(client, "n1", 40, "ACTOR_HANDLE", 3)
    add(client, "n2", 41, "CAPTURED_IN_OBJECT", 4, "BYTES", 7, "SITE", "driver.py:12")
    return server


def order(server, *words):
    return [row["pid"] for row in memory(server, *words)["references"] if row["node"] == "n1"]


def test_orders_and_limits(references):
    assert order(references) == [40, 41, 42, 42]
    assert order(references, "--desc") == [42, 42, 41, 40]
    assert order(references, "--sort-by", "pid") == [40, 41, 42, 42]
    rows = memory(references, "--sort-by", "REFERENCE_TYPE", "--node", "n1")["references"]
    assert [row["type"] for row in rows] == [
        "ACTOR_HANDLE", "LOCAL_REFERENCE", "PINNED_IN_MEMORY", "USED_BY_PENDING_TASK"]
    assert order(references, "--desc", "-n", "1") == [42]
    assert memory(references, "--node", "n2")["count"] == 1
    assert memory(references, "--batch", "12")["count"] == 0


def test_text_is_aligned_and_says_what_is_unknown(references):
    lines = ok("memory", "--units", "MB", server=references).splitlines()
    assert lines[0].startswith("======== Object references status: ")
    summary = lines.index("--- Summary for node address: n1 ---")
    assert lines[summary + 1].split("  ")[0] == "Mem Used by Objects"
    assert lines[summary + 2].startswith("3.000 MB + 1 unknown")
    table = lines.index("--- Object references for node address: n1 ---")
    rows = lines[table + 1:table + 6]
    assert {row.index(word) for row, word in zip(
        rows, ["OBJECT  ", "000000000000000000", "0000000", "000000", "00000"])}
    place = rows[0].index("OBJECT  ")
    assert all(row[place:place + 40].isalnum() and row[place - 2:place] == "  "
               for row in rows[1:])
    assert "< 0.001 MB" in rows[2] and "3.000 MB" in rows[4] and " ? " in rows[1]
    assert not any("e-" in row for row in rows)
    text = ok("memory", "--group-by", "STACK_TRACE", server=references)
    assert "--- Summary for stack trace: driver.py:12 ---" in text
    assert "--- Summary for stack trace: (unknown) ---" in text
    footer = ok("memory", "--stats-only", server=references)
    for word in ("used ", "needed ", "consumed "):
        assert f"\n{word}" in footer
    assert "ACTOR_HANDLE: 1, 0 B, 1 of unknown size" in footer


def test_what_a_program_told_cannot_move_the_cursor(server):
    client = server.client()
    add(client, "n1", 41, "LOCAL_REFERENCE", 1, "SITE", "evil\x1b[2J\nline")
    text = ok("memory", server=server)
    assert "evil?[2J?line" in text and "\x1b" not in text
    assert memory(server)["references"][0]["site"] == "evil\x1b[2J\nline"


@pytest.mark.parametrize("words, allowed", [
    (["--group-by", "node"], ["NODE_ADDRESS", "STACK_TRACE"]),
    (["--sort-by", "bytes"], ["OBJECT_SIZE", "PID", "REFERENCE_TYPE"]),
    (["--units", "MiB"], ["B", "KB", "MB", "GB"]),
    (["--num-entries", "0"], ["--num-entries must be at least 1, found 0"]),
    (["--interval", "0"], ["--interval must be 1 to 86400 seconds, found 0"]),
    (["--stats-only", "--unreferenced"], ["exclude each other"]),
], ids=lambda value: " ".join(value))
def test_wrong_values_name_what_is_allowed(words, allowed):
    done = gcs("memory", *words)
    assert done.returncode == 64 and done.stdout == ""
    assert all(word in done.stderr for word in allowed), done.stderr


def test_refusals_of_the_server_are_one_line(server):
    assert refused("memory", "--unreferenced", "--batch", "12", server=server) == "no such batch 12"
    assert "invalid node id" in refused("memory", "--node", "a b", server=server)


def test_a_long_list_into_a_closed_pipe(server):
    client = server.client()
    pipeline = client.pipeline(transaction=False)
    for number in range(20_000):
        pipeline.execute_command(
            "GCS.REF", "ADD", "n1", number % 50, "LOCAL_REFERENCE",
            programs.task_id(0, number, 1), "BYTES", number)
    pipeline.execute()
    assert memory(server, "--desc", "-n", "3")["references"][2]["bytes"] == 19_997
    assert len(memory(server)["references"]) == 20_000
    process = start_gcs(server, "memory")
    assert process.stdout.readline().startswith("========")
    process.stdout.close()
    assert process.wait(30) == 0 and process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_watch_ends_with_a_signal(references, sent):
    process = start_gcs(references, "memory", "--stats-only", "--watch", "--interval", "1")
    seen = 0
    while seen < 2:
        seen += process.stdout.readline().startswith("========")
    process.send_signal(sent)
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def start_gcs(server, *words):
    return subprocess.Popen(
        [programs.BIN / "gcs", *words], env=os.environ | {"GCS_ADDRESS": server.address},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
