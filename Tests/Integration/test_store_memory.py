"""plasma-store's quotas, external store, fallback file and limits, with real clients and processes."""

import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys

import pytest

import programs

SIZE = 10 << 20
PART = 1 << 20


class Store(programs.Store):
    """Ours with more flags."""

    def __init__(self, directory, *flags, size=SIZE):
        super().__init__(directory, size=size)
        self.args += [str(flag) for flag in flags]


def plasma():
    import pyarrow.plasma

    return pyarrow.plasma


def object_id(number):
    return plasma().ObjectID(programs.task_id(42, number, 1))


def data(number, size=PART):
    return bytes([number % 251]) * size


def put(client, number, size=PART, metadata=b""):
    """Writes through the client's own map, as large objects are."""
    buffer = client.create(object_id(number), size, metadata)
    memoryview(buffer).cast("B")[:] = data(number, size)
    client.seal(object_id(number))
    del buffer


def facts(client):
    """The debug string, by the first word of its lines."""
    found = {}
    for line in client.debug_string().splitlines():
        words = line.split()
        if len(words) > 1 and words[1].isdigit():
            found[words[0]] = int(words[1])
    return found


def files(directory):
    return [name for name in pathlib.Path(directory).rglob("*") if name.is_file()]


# ---- the external store


@pytest.mark.parametrize("scheme", ["file://", ""])
def test_three_times_the_store(start, tmp_path, scheme):
    place = tmp_path / "external"
    store = start(Store, "-e", f"{scheme}{place}")
    client = store.client()
    for number in range(30):
        put(client, number, metadata=b"about %d" % number)
    assert len(client.list()) == 30
    assert files(place)
    other = store.client()
    for number in range(30):
        assert other.contains(object_id(number))
        [(metadata, found)] = other.get_buffers([object_id(number)], with_meta=True)
        assert found.to_pybytes() == data(number), number
        assert metadata == b"about %d" % number
        del found
    assert facts(client)["restored"] >= 20
    client.delete([object_id(number) for number in range(30)])
    assert not client.list()
    programs.wait_until(
        lambda: not [name for name in files(place) if name.suffix == ".objects"],
        "the files of deleted objects are gone")
    assert store.stop(signal.SIGTERM) == 0
    assert not list(place.iterdir())


def test_what_a_killed_store_left_is_swept(start, tmp_path):
    place = tmp_path / "external"
    store = start(Store, "-e", place)
    client = store.client()
    for number in range(20):
        put(client, number)
    [left] = place.iterdir()
    store.kill()
    assert files(left)
    second = start(Store, "-e", place)
    programs.wait_until(lambda: not left.exists(), "what was left is swept")
    assert second.is_running()
    programs.wait_until(lambda: "removed what 1 stores left" in second.log_text(), "it says so")


def test_a_hashtable_is_a_directory_of_ones_own(start, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    store = start(Store, "-e", "hashtable://test")
    client = store.client()
    for number in range(20):
        put(client, number)
    [place] = tmp_path.glob("plasma-store-*")
    assert place.stat().st_mode & 0o777 == 0o700
    assert files(place)
    assert client.get_buffers([object_id(0)])[0].to_pybytes() == data(0)
    os.chmod(place, 0o777)
    refused = subprocess.run(
        [*store.args[:2], tmp_path / "second", *store.args[3:]], capture_output=True, text=True,
        timeout=30)
    assert refused.returncode == 1
    assert "only its owner writes to" in refused.stderr


def test_a_full_disk_refuses_and_loses_nothing(start, tmp_path):
    store = start(Store, "-e", tmp_path / "external")
    client = store.client()
    for number in range(10):
        put(client, number)
    hard = resource.prlimit(store.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(store.process.pid, resource.RLIMIT_FSIZE, (100_000, hard))
    with pytest.raises(plasma().PlasmaStoreFull):
        client.create(object_id(10), PART)
    assert "cannot take them" in store.log_text()
    assert client.evict(SIZE) == 0
    for number in range(10):
        assert client.get_buffers([object_id(number)])[0].to_pybytes() == data(number)
    # With room again everything goes on.
    resource.prlimit(store.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    put(client, 10)
    for number in range(11):
        assert client.get_buffers([object_id(number)])[0].to_pybytes() == data(number)


def test_subscribers_hear_of_deletions_in_the_external_store(start, tmp_path):
    store = start(Store, "-e", tmp_path / "external")
    client, listener = store.client(), store.client()
    for number in range(20):
        put(client, number)
    listener.subscribe()
    for _ in range(20):
        listener.get_next_notification()
    client.delete([object_id(0)])
    assert listener.get_next_notification() == (object_id(0), -1, -1)


# ---- quotas


def test_quotas_of_pyarrows_clients(start):
    store = start(Store)
    owner, other = store.client(), store.client()
    owner.set_client_options("owner", 3 * PART)
    with pytest.raises(plasma().PlasmaStoreFull):
        owner.set_client_options("owner", PART)
    with pytest.raises(plasma().PlasmaStoreFull):
        other.set_client_options("other", 5 * PART)
    for number in range(3):
        put(owner, number)
    for number in range(100, 120):
        put(other, number)
    assert all(owner.contains(object_id(number)) for number in range(3))
    put(owner, 3)
    assert not owner.contains(object_id(0))


# ---- the fallback file


def test_the_fallback_file_takes_what_memory_cannot(start, tmp_path):
    store = start(Store, "--fallback-bytes", "4m", "--fallback-dir", tmp_path)
    client, reader = store.client(), store.client()
    held = [client.create(object_id(number), PART) for number in range(10)]
    put(client, 20)
    put(client, 21)
    assert reader.get_buffers([object_id(20)])[0].to_pybytes() == data(20)
    assert facts(client)["fallback"] == 2 * PART
    held += [client.create(object_id(number), PART) for number in (30, 31)]
    held.append(reader.get_buffers([object_id(20)])[0])
    held.append(reader.get_buffers([object_id(21)])[0])
    with pytest.raises(plasma().PlasmaStoreFull):
        client.create(object_id(40), PART)
    assert not [name for name in files(tmp_path) if name.name.startswith("plasma") and
                name.stat().st_size > PART], "the file has no name"


def test_a_fallback_directory_that_is_not_there(start, tmp_path):
    store = start(Store, "--fallback-bytes", "4m", "--fallback-dir", tmp_path / "missing")
    client = store.client()
    held = [client.create(object_id(number), PART) for number in range(10)]
    with pytest.raises(plasma().PlasmaStoreFull):
        client.create(object_id(20), PART)
    assert "missing" in store.log_text()
    assert len(held) == 10 and store.is_running()


@pytest.fixture
def small_disk(tmp_path):
    """A directory on a file system of 4 MiB; skips where it cannot be mounted."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", path], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def test_a_full_disk_under_the_fallback_file(start, small_disk):
    store = start(Store, "--fallback-bytes", "8m", "--fallback-dir", small_disk)
    client = store.client()
    held = [client.create(object_id(number), PART) for number in range(10)]
    put(client, 20)
    put(client, 21)
    # In use, so that neither makes room for the next.
    held += client.get_buffers([object_id(20), object_id(21)])
    assert facts(client)["fallback"] == 2 * PART
    (small_disk / "others").write_bytes(bytes(2 * PART - 64 * 1024))
    with pytest.raises(plasma().PlasmaStoreFull):
        client.create(object_id(22), PART)
    assert "No space left on device" in store.log_text()
    assert facts(client)["fallback"] == 2 * PART
    for number in (20, 21):
        assert client.get_buffers([object_id(number)])[0].to_pybytes() == data(number)
    # With room again everything goes on.
    (small_disk / "others").unlink()
    put(client, 22)
    assert client.get_buffers([object_id(22)])[0].to_pybytes() == data(22)
    assert len(held) == 12


# ---- clients that are killed

VICTIM = '''
import sys, threading, warnings
warnings.simplefilter("ignore")
from pyarrow import plasma
path, one, two, three = sys.argv[1:]
ids = [plasma.ObjectID(bytes.fromhex(name)) for name in (one, two, three)]
client = plasma.connect(path)
client.set_client_options("victim", 4 << 20)
client.subscribe()
unsealed = client.create(ids[0], 1 << 20)
held = client.get_buffers([ids[1]])
print("ready", flush=True)
waiting = plasma.connect(path)
waiting.get_buffers([ids[2]])
'''


def test_a_killed_client_leaves_nothing_behind(start, tmp_path):
    store = start(Store, "-e", tmp_path / "external")
    client = store.client()
    for number in range(12):
        put(client, number)
    descriptors = pathlib.Path(f"/proc/{store.process.pid}/fd")
    before = facts(client)
    count = len(list(descriptors.iterdir()))
    for _ in range(5):
        names = [object_id(number).binary().hex() for number in (100, 0, 999)]
        victim = subprocess.Popen(
            [sys.executable, "-c", VICTIM, str(store.socket), *names], stdout=subprocess.PIPE)
        assert victim.stdout.readline() == b"ready\n"
        programs.wait_until(lambda: facts(client)["clients"] == 3, "it waits", process=victim)
        assert facts(client)["quotas"] == 1
        rows = client.list()
        assert rows[object_id(100)]["state"] == "created"
        assert rows[object_id(0)]["ref_count"] == 1
        with pytest.raises(plasma().PlasmaStoreFull):
            client.set_client_options("me", 4 << 20)
        victim.kill()
        victim.wait()
        victim.stdout.close()
        programs.wait_until(lambda: facts(client)["clients"] == 1, "it is forgotten")
        rows = client.list()
        assert object_id(100) not in rows
        assert all(row["ref_count"] == 0 for row in rows.values())
        now = facts(client)
        assert now["quotas"] == 0 and now["objects"] == before["objects"]
        assert now["evictable"] == now["used"]
        assert len(list(descriptors.iterdir())) == count
    put(client, 999)
    assert facts(client)["clients"] == 1


# ---- limits


def test_limits_are_flags(start):
    store = start(Store, "--max-clients", 2, "--max-ids", 10, "--max-request-bytes", "8k")
    client, second = store.client(), store.client()
    assert len(client.get_buffers([object_id(number) for number in range(10)], timeout_ms=0)) == 10
    with socket.socket(socket.AF_UNIX) as third:
        third.settimeout(5)
        third.connect(str(store.socket))
        assert third.recv(1) == b""
    with pytest.raises(OSError):
        second.get_buffers([object_id(number) for number in range(11)], timeout_ms=0)
    assert "at most 10 entries, found 11" in store.log_text()
    assert client.store_capacity() == SIZE


def test_help_names_every_flag_with_its_default(tmp_path):
    done = subprocess.run(
        [programs.BIN / "plasma-store", "--help"], capture_output=True, text=True, timeout=30)
    for flag in ["-e STORE", "-h ", "--fallback-bytes BYTES", "--max-clients COUNT",
                 "--max-ids COUNT", "--max-request-bytes BYTES", "--max-notification-bytes BYTES",
                 "--max-buffer-bytes BYTES", "--max-unread-seconds SECONDS",
                 "--max-restore-seconds SECONDS"]:
        assert flag in done.stdout
    assert "(10000)" in done.stdout and "(1048576)" in done.stdout
