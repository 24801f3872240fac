"""put and get through a real store, and the driver that is killed."""

import pathlib
import signal
import time

import pytest

import gcs
import programs

LEASE = 2

DRIVER = f"""
import sys, time
import numpy
import gcs
gcs.connect()

def descend(depth):
    with gcs.batch(name=f"depth {{depth}}", timeout={LEASE}) as b:
        for index in range(20):
            b.add_task("work", args=[b.put(numpy.arange(1000) * index)])
        with gcs.batch(timeout={LEASE}) as kept:
            kept.keep(kept.put("kept for the parent"))
        if depth == 4:
            print("ready", flush=True)
            while True:
                b.put(bytes(100))
                time.sleep(0.002)
        descend(depth + 1)

descend(0)
"""


def test_a_driver_killed_in_nested_batches_leaves_nothing(cluster, server, store, script):
    with gcs.batch(name="of another driver", timeout=LEASE) as ours:
        ref = ours.put("stays")
        driver = script("-c", DRIVER)
        assert driver.stdout.readline() == "ready\n"
        # Longer than the lease: so far the batches live by being renewed.
        time.sleep(LEASE + 1)
        client, watcher = store.client(), server.client()
        assert driver.poll() is None
        assert len(client.list()) > 105 and len(watcher.keys("GC:*")) == 7

        driver.send_signal(signal.SIGKILL)
        driver.wait()
        killed = time.monotonic()
        programs.wait_until(
            lambda: watcher.keys("GC:*") and len(watcher.keys("GC:*")) == 2
            and not watcher.keys("TASK:*") and len(watcher.keys("OBJECT:*")) == 1
            and len(client.list()) == 1,
            "everything is gone", seconds=LEASE + 2)
        print(f"gone {time.monotonic() - killed:.2f} s after the kill")
        assert gcs.get(ref) == "stays"
        assert set(watcher.keys("GC:*")) == {b"GC:0", f"GC:{ours.id}".encode()}


def test_put_get_keep_and_end(cluster, server, store):
    import numpy

    with gcs.batch() as outer:
        with gcs.batch() as b:
            kept = b.put(numpy.arange(1000))
            dropped = b.put({"a": [1, None, "x"]})
            assert gcs.get(dropped) == {"a": [1, None, "x"]}
            assert b.keep(kept) == 1
        client = store.client()
        programs.wait_until(lambda: len(client.list()) == 1, "the store is emptied")
        assert (gcs.get(kept) == numpy.arange(1000)).all()
        with pytest.raises(gcs.ObjectNotFound, match=str(dropped)):
            gcs.get(dropped)
        assert outer.info().objects == 1
    programs.wait_until(lambda: not client.list(), "the store is emptied")


def test_put_uses_the_current_batch(cluster):
    with gcs.batch() as b:
        assert gcs.put(1).batch_id == b.id
    assert gcs.put(1).batch_id == gcs.ROOT


def test_get_waits_as_long_as_it_is_told(cluster):
    import threading

    with gcs.batch() as b:
        ref = b.new_object_id()
        timer = threading.Timer(0.3, lambda: b.put("late", ref))
        timer.start()
        with pytest.raises(gcs.ObjectNotFound):
            gcs.get(ref)
        assert gcs.get(ref, timeout=5) == "late"
        timer.join()
        begin = time.monotonic()
        with pytest.raises(gcs.ObjectNotFound):
            gcs.get(b.new_object_id(), timeout=0.2)
        assert 0.15 < time.monotonic() - begin < 2


def test_the_store_refuses_in_its_own_words(cluster, store, tmp_path):
    with gcs.batch() as b:
        ref = b.put(1)
        with pytest.raises(gcs.StoreError, match="already holds"):
            b.put(2, ref)
        with pytest.raises(gcs.StoreError, match="does not fit|not.* enough|full"):
            b.put(bytes(store.size * 2))
        store.kill()
        with pytest.raises(gcs.StoreError):
            b.put(3)
        store.start()
        assert gcs.get(b.put(4)) == 4
    path = tmp_path / "nothing"
    with gcs.Client(cluster.address, store=str(path)) as client:
        with pytest.raises(gcs.StoreError, match=str(path)):
            client.put(1)


def test_the_child_of_a_fork_has_its_own_connection_to_the_store(cluster):
    import multiprocessing

    context = multiprocessing.get_context("fork")
    with gcs.batch() as b:
        mine = b.put("mine")
        queue = context.Queue()
        child = context.Process(target=lambda: queue.put((gcs.get(mine), b.put("the child's"))))
        child.start()
        value, theirs = queue.get(timeout=10)
        child.join(10)
        assert value == "mine" and gcs.get(theirs) == "the child's" and gcs.get(mine) == "mine"


def test_a_store_is_found_only_where_it_is(cluster, start, server, store):
    second = start(programs.Store)
    start(programs.Node, server, second, "n2")
    with gcs.Client(server.address) as client:
        with pytest.raises(gcs.StoreError, match="several stores"):
            client.put(1)
    with gcs.Client(server.address, store=str(pathlib.Path(store.socket))) as client:
        assert client.get(client.put(1)) == 1


def test_values_in_the_serialization_of_pyarrow_where_asked_for(cluster, store):
    import numpy

    with gcs.Client(cluster.address, store_client="pyarrow") as theirs:
        with theirs.batch(timeout=30) as b:
            ref = b.put([numpy.arange(10), "x"])
            assert (theirs.get(ref)[0] == numpy.arange(10)).all()
            assert store.client().get(pyarrow_id(ref))[1] == "x"
            assert isinstance(gcs.get(ref), memoryview), "its bytes, as it is no pickle"
            with pytest.raises(gcs.StoreError, match="already holds"):
                b.put(1, ref)
            with pytest.raises(gcs.ObjectNotFound):
                theirs.get(b.new_object_id(), timeout=0.1)
    with pytest.raises(ValueError, match="plasma, pyarrow, found 'arrow'"):
        gcs.Client(cluster.address, store_client="arrow")


def pyarrow_id(ref):
    from pyarrow import plasma

    return plasma.ObjectID(bytes(ref))
