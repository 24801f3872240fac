"""Objects that have no room in memory go to disk and come back: with our store, node manager and server."""

import json
import os
import random
import re
import subprocess
import time

import numpy
import pytest
from pyarrow import plasma

import programs
from programs import wait_until

MIB = 1 << 20
DURABLE_ROUNDS = int(os.environ.get("SPILL_ROUNDS", "3"))


def put_id(batch, number):
    """The id of the object number `number` that a driver puts."""
    return batch.to_bytes(8, "big") + number.to_bytes(8, "big") + (0x80000001).to_bytes(4, "big")


def content(number, size):
    """Bytes that only this object has."""
    return numpy.random.default_rng(number).integers(0, 256, size, dtype=numpy.uint8).tobytes()


def put(client, object_id, data, metadata=b""):
    buffer = client.create(plasma.ObjectID(object_id), len(data), metadata)
    numpy.frombuffer(buffer, dtype=numpy.uint8)[:] = numpy.frombuffer(data, dtype=numpy.uint8)
    client.seal(plasma.ObjectID(object_id))
    del buffer


def get(client, object_id, seconds=30):
    """The bytes of an object and its metadata, however long it takes to come back."""
    ids = [plasma.ObjectID(object_id)]
    [(metadata, data)] = client.get_buffers(ids, timeout_ms=int(seconds * 1000), with_meta=True)
    assert data is not None, f"object {object_id.hex()} did not come"
    return data.to_pybytes(), metadata


def files(directory):
    """The files with objects below a directory."""
    return sorted(path for path in directory.rglob("*-multi-*"))


def spilled_urls(server, ids):
    """Where the server says that objects are on disk; None for those of which it says nothing."""
    with server.client() as client:
        pipeline = client.pipeline(transaction=False)
        for object_id in ids:
            pipeline.execute_command("GCS.OBJECT", "GET", object_id)
        return [url_of(reply) for reply in pipeline.execute()]


def url_of(reply):
    if reply is None:
        return None
    locations = dict(zip(reply[::2], reply[1::2]))[b"locations"]
    found = [dict(zip(place[::2], place[1::2])).get(b"url") for place in locations]
    return next((url.decode() for url in found if url), None)


def spilled_url(server, object_id):
    return spilled_urls(server, [object_id])[0]


class Spilling:
    """A server, a store, and a node manager that spills."""

    def __init__(self, start, tmp_path, size, *settings):
        self.directories = [tmp_path / "spill-a", tmp_path / "spill-b"]
        self.server = start(programs.Server)
        self.store = start(programs.Store, size=size)
        paths = ",".join(map(str, self.directories))
        self.node = start(
            programs.Node, self.server, self.store, "n1", "--object-spilling-directory", paths,
            "--loglevel", "verbose", *settings)
        self.client = self.store.client()

    def files(self):
        return [path for directory in self.directories for path in files(directory)]

    def start_batch(self, batch):
        assert self.server.cli("GCS.BATCH", "START", "ID", batch) == str(batch)

    def end_batch(self, batch):
        assert self.server.cli("GCS.BATCH", "END", batch) == "COLLECTED"


@pytest.fixture
def spilling(start, tmp_path):
    def make(size=32 * MIB, *settings):
        return Spilling(start, tmp_path, size, *settings)

    return make


def test_job_of_three_times_the_store(spilling):
    world = spilling()
    world.start_batch(1)
    sizes = [MIB + 17 * number for number in range(96)]
    for number, size in enumerate(sizes):
        put(world.client, put_id(1, number), content(number, size), b"meta%d" % number)
    assert world.files(), "nothing was spilled"
    for number, size in enumerate(sizes):
        data, metadata = get(world.client, put_id(1, number))
        assert data == content(number, size)
        assert metadata == b"meta%d" % number
    world.end_batch(1)
    wait_until(lambda: not world.files(), "no spilled file is left")
    wait_until(lambda: not world.client.list(), "the store is empty")
    text = world.node.log_text()
    assert "cannot" not in text and "refused" not in text


def test_restore_by_message_and_free(spilling):
    world = spilling()
    world.start_batch(2)
    for number in range(60):
        put(world.client, put_id(2, number), content(number, MIB))
    wait_until(lambda: spilled_url(world.server, put_id(2, 0)), "the first object is spilled")
    first = plasma.ObjectID(put_id(2, 0))
    wait_until(lambda: not world.client.contains(first), "it is gone from memory")
    world.server.cli("PUBLISH", "NODE:n1", "restore " + put_id(2, 0).hex())
    wait_until(lambda: world.client.contains(first), "it is in memory again")
    # What is in memory and on disk goes from both.
    url = spilled_url(world.server, put_id(2, 0))
    path, offset, size = re.fullmatch(r"(.*)\?offset=(\d+)&size=(\d+)", url).groups()
    assert int(size) == MIB + 72 and int(offset) % (MIB + 72) == 0
    same_file = [n for n in range(60) if (spilled_url(world.server, put_id(2, n)) or "").startswith(path)]
    world.server.cli("GCS.OBJECT", "FREE", *(put_id(2, n).hex() for n in same_file))
    wait_until(lambda: not os.path.exists(path), "the file went with its last object")
    wait_until(lambda: not world.client.contains(first), "the object went from memory")
    assert world.files(), "other objects stay on disk"
    for number in set(range(60)) - set(same_file):
        assert get(world.client, put_id(2, number))[0] == content(number, MIB)


def gcs(world, *words):
    """Runs gcs against the world's server: its exit code, what it printed, and its error."""
    done = subprocess.run(
        [programs.BIN / "gcs", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env=os.environ | {"GCS_ADDRESS": world.server.address}, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_the_command_line_restores_an_object(spilling):
    world = spilling()
    world.start_batch(2)
    for number in range(60):
        put(world.client, put_id(2, number), content(number, MIB), b"meta%d" % number)
    first = put_id(2, 0)
    wait_until(lambda: spilled_url(world.server, first), "the first object is spilled")
    wait_until(
        lambda: not world.client.contains(plasma.ObjectID(first)), "it is gone from memory")
    assert gcs(world, "object", "restore", first.hex()) == (
        0, f"object {first.hex()} is in memory on n1\n", "")
    # At once, without waiting for anything: gcs has waited.
    assert world.client.contains(plasma.ObjectID(first))
    assert get(world.client, first, seconds=0) == (content(0, MIB), b"meta0")
    assert spilled_url(world.server, first), "the copy on disk stays"
    # What is in memory stays there, and scripts learn where and how large.
    code, text, _ = gcs(world, "object", "restore", first.hex(), "--json")
    assert code == 0
    assert json.loads(text) == {"object": first.hex(), "node": "n1", "bytes": MIB + 5}
    code, _, error = gcs(world, "object", "restore", put_id(2, 99).hex())
    assert code == 1 and "no such object" in error
    # Nobody is there to bring back what a node has that has gone.
    second = next(
        put_id(2, number) for number in range(1, 60)
        if not world.client.contains(plasma.ObjectID(put_id(2, number))))
    world.node.stop()
    code, _, error = gcs(world, "object", "restore", second.hex())
    assert code == 1 and "node n1" in error and "is away" in error


def test_batches_keep_their_objects_apart(spilling):
    world = spilling()
    for batch in (3, 4):
        world.start_batch(batch)
    for number in range(60):
        put(world.client, put_id(3 + number % 2, number), content(number, MIB))
    world.end_batch(3)
    for number in range(1, 60, 2):
        assert get(world.client, put_id(4, number))[0] == content(number, MIB)
    world.end_batch(4)
    wait_until(lambda: not world.files(), "no spilled file is left")


def test_changed_bytes_are_never_restored(spilling):
    world = spilling()
    world.start_batch(5)
    for number in range(50):
        put(world.client, put_id(5, number), content(number, MIB))
    wait_until(lambda: spilled_url(world.server, put_id(5, 0)), "the first object is spilled")
    wait_until(
        lambda: not world.client.contains(plasma.ObjectID(put_id(5, 0))), "it is gone from memory")
    path, offset, _ = re.fullmatch(
        r"(.*)\?offset=(\d+)&size=(\d+)", spilled_url(world.server, put_id(5, 0))).groups()
    with open(path, "r+b") as file:
        file.seek(int(offset) + 72 + 12345)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(AssertionError, match="did not come"):
        get(world.client, put_id(5, 0), seconds=2)
    wait_until(lambda: "cannot be brought back" in world.node.log_text(), "the log says why")
    assert "has checksum" in world.node.log_text()
    assert not world.client.contains(plasma.ObjectID(put_id(5, 0)))
    assert get(world.client, put_id(5, 1))[0] == content(1, MIB)


def test_used_objects_stay_and_what_cannot_fit_is_refused(spilling):
    world = spilling(16 * MIB, "--oom-grace-period-secs", "1")
    world.start_batch(6)
    for number in range(14):
        put(world.client, put_id(6, number), content(number, MIB))
    reader = world.store.client()
    held = reader.get_buffers([plasma.ObjectID(put_id(6, n)) for n in range(13)], timeout_ms=20_000)
    # Nearly everything is in use: nothing can go, and what is used is not touched.
    started = time.monotonic()
    with pytest.raises(plasma.PlasmaStoreFull):
        world.client.create(plasma.ObjectID(put_id(6, 99)), 8 * MIB)
    assert 0.9 < time.monotonic() - started < 10
    for number, buffer in enumerate(held):
        assert buffer.to_pybytes() == content(number, MIB)
    del held, buffer
    wait_until(lambda: put_or_full(world.client, put_id(6, 100), 8 * MIB), "there is room again")


def put_or_full(client, object_id, size):
    try:
        put(client, object_id, bytes(size))
        return True
    except plasma.PlasmaStoreFull:
        return False


def test_full_file_system_stops_and_resumes(start, tmp_path):
    # The limit lies just above what the file system holds now: a few files, then no more.
    status = os.statvfs(tmp_path)
    used = status.f_blocks - status.f_bfree
    total = (used + status.f_bavail) * status.f_frsize
    ballast = tmp_path / "ballast"
    ballast.write_bytes(b"x" * (64 * MIB))
    limit = (used * status.f_frsize + 40 * MIB) / total
    world = Spilling(
        start, tmp_path, 16 * MIB, "--oom-grace-period-secs", "1",
        "--local-fs-capacity-threshold", f"{limit:.9f}")
    world.start_batch(7)
    filled = 0
    while put_or_full(world.client, put_id(7, filled), MIB):
        filled += 1
        assert filled < 60
    assert "spilling stops" in world.node.log_text()
    assert "the limit is" in world.node.log_text()
    # Nothing is lost meanwhile, and it goes on by itself.
    ballast.unlink()
    wait_until(lambda: put_or_full(world.client, put_id(7, filled), MIB), "it goes on", 20)
    assert "spilling goes on" in world.node.log_text()
    for number in range(filled):
        assert get(world.client, put_id(7, number))[0] == bytes(MIB)


def test_leftovers_of_a_node_that_nobody_knows_are_swept(spilling):
    world = spilling()
    world.start_batch(8)
    for number in range(60):
        put(world.client, put_id(8, number), content(number, MIB))
    assert world.files()
    world.node.kill()
    # A server that knows nothing: what is on disk is nobody's.
    for program in (world.store, world.server):
        program.kill()
        program.start()
    world.node.start()
    wait_until(lambda: not world.files(), "the leftovers are gone")


def test_arrows_store_is_left_alone(start, tmp_path, server):
    store = start(programs.Store, arrow=True)
    node = start(
        programs.Node, server, store, "n1", "--object-spilling-directory", tmp_path / "spill")
    wait_until(lambda: "is not ours: no spilling" in node.log_text(), "the log says so")
    client = store.client()
    for number in range(100):
        client.put(content(number, MIB))
    assert store.is_running() and not files(tmp_path / "spill")


def test_kills_lose_nothing_that_was_reported_spilled(spilling):
    seed = int(os.environ.get("SPILL_SEED", random.randrange(1 << 32)))
    print(f"seed {seed}: SPILL_SEED={seed} replays it")
    chance = random.Random(seed)
    world = spilling(16 * MIB, "--min-spilling-size", "4mb")
    world.start_batch(9)
    next_number = 0
    for round_number in range(DURABLE_ROUNDS):
        client = world.store.client()
        deadline = time.monotonic() + chance.uniform(0.05, 0.6)
        while time.monotonic() < deadline:
            try:
                put(client, put_id(9, next_number), content(next_number, MIB // 2))
            except plasma.PlasmaStoreFull:
                break
            next_number += 1
        victims = chance.choice([[world.node], [world.store], [world.node, world.store]])
        for program in victims:
            program.kill()
        urls = spilled_urls(world.server, [put_id(9, number) for number in range(next_number)])
        spilled = {number: url for number, url in enumerate(urls) if url}
        for program in reversed(victims):
            program.start()
        client = world.store.client()
        wait_until(lambda: no_orphans(world), "no orphan file is left", 20)
        for number in chance.sample(sorted(spilled), min(8, len(spilled))):
            assert get(client, put_id(9, number))[0] == content(number, MIB // 2), (
                f"round {round_number}: object {number} of {spilled[number]}")
    assert next_number > 0
    urls = spilled_urls(world.server, [put_id(9, number) for number in range(next_number)])
    print(f"{DURABLE_ROUNDS} rounds, {next_number} objects put, {sum(map(bool, urls))} on disk")
    for number, url in enumerate(urls):
        if url:
            assert get(client, put_id(9, number))[0] == content(number, MIB // 2)
    world.end_batch(9)
    wait_until(lambda: not world.files(), "no spilled file is left", 20)
    leftover = [path for d in world.directories for path in d.rglob("*.part")]
    assert not leftover


def no_orphans(world):
    """Whether the server names every file on disk for at least one object."""
    found = set(map(str, world.files()))
    parts = [path for directory in world.directories for path in directory.rglob("*.part")]
    if parts:
        return False
    with world.server.client() as client:
        keys = list(client.scan_iter("OBJECT:*", count=1000))
    urls = spilled_urls(world.server, [key.removeprefix(b"OBJECT:") for key in keys])
    return found <= {url.split("?")[0] for url in urls if url}
