"""The first steps of README.md, with redis-cli as people type them."""

import json
import queue
import subprocess
import threading

import programs

TASK = programs.task_id(42, 1).hex()
OBJECTS = [programs.task_id(42, 1, index).hex() for index in (1, 2)]


def hash_of(text):
    words = text.split("\n")
    return dict(zip(words[::2], words[1::2]))


class Subscriber:
    """redis-cli in another terminal; a thread collects what it prints."""

    def __init__(self, server, channel):
        self.process = subprocess.Popen(
            ["redis-cli", "-p", str(server.port), "SUBSCRIBE", channel],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._collect, daemon=True).start()

    def read(self, count):
        return [self.lines.get(timeout=10) for _ in range(count)]

    def close(self):
        self.process.kill()
        self.process.wait()

    def _collect(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))


def test_a_batch_from_start_to_end(server):
    subscriber = Subscriber(server, "GC:42")
    try:
        assert subscriber.read(3) == ["subscribe", "GC:42", "1"]
        assert server.cli("GCS.BATCH", "START", "ID", 42, "NAME", "first") == "42"
        assert server.cli("GCS.TASK", "ADD", TASK, "my task") == "1"
        for hexadecimal in OBJECTS:
            assert server.cli("GCS.OBJECT", "ADD", hexadecimal, "node1", 100) == "1"

        members = server.cli("SMEMBERS", "GC:42").split("\n")
        assert sorted(members) == sorted(
            ["TASK:" + TASK] + ["OBJECT:" + text for text in OBJECTS])
        record = hash_of(server.cli("HGETALL", "OBJECT:" + OBJECTS[0]))
        assert record["batch"] == "42" and record["bytes"] == "100"

        assert server.cli("GCS.BATCH", "KEEP", 42, OBJECTS[1]) == "1"
        assert server.cli("GCS.BATCH", "END", 42) == "COLLECTED"
        kind, channel, text = subscriber.read(3)
        assert (kind, channel) == ("message", "GC:42")
        message = json.loads(text)
        assert message.pop("id").count("-") == 1
        assert message == {
            "batch": 42, "reason": "end", "tasks": 1, "objects": 1,
            "kept": [OBJECTS[1]], "adopted": [],
        }
    finally:
        subscriber.close()

    assert server.cli("EXISTS", "TASK:" + TASK, "OBJECT:" + OBJECTS[0], "GC:42") == "0"
    assert server.cli("GCS.TASK", "GET", TASK) == ""
    # What was kept belongs to the parent, the root.
    assert server.cli("SISMEMBER", "GC:0", "OBJECT:" + OBJECTS[1]) == "1"
    assert hash_of(server.cli("HGETALL", "OBJECT:" + OBJECTS[1]))["batch"] == "0"
    late = server.cli("GCS.OBJECT", "ADD", OBJECTS[0], "node1", 100)
    assert late.startswith("BATCHENDED batch 42 has ended"), late
