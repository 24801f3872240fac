"""Leases: renewed while the process lives, and over soon after it was killed."""

import os
import signal
import threading
import time

import pytest

import gcs
import programs


def test_a_lease_is_renewed_while_the_process_lives(connected):
    with gcs.batch(timeout=1) as outer, gcs.batch(timeout=1.5) as inner:
        assert outer.info().timeout_ms <= 1000 < inner.info().timeout_ms <= 2000
        lowest = 2000
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            lowest = min(lowest, outer.info().timeout_ms)
            time.sleep(0.05)
        # Every third of a second, and some time for a busy machine.
        assert lowest > 200


def test_one_thread_renews_all_batches(connected):
    with gcs.batch(timeout=1):
        batches = [gcs.start_batch(timeout=1) for _ in range(200)]
        renewing = [thread for thread in threading.enumerate() if thread.name == "gcs-leases"]
        assert len(renewing) == 1
        time.sleep(2.5)
        assert all(gcs.batch_info(batch).status == "active" for batch in batches)


def test_without_a_timeout_there_is_no_lease(connected):
    with gcs.batch(timeout=None) as b:
        assert b.info().timeout_ms is None
    assert connected._renewer._thread is None


def test_what_ended_is_renewed_no_more(connected):
    with gcs.batch(timeout=1) as b, gcs.batch(timeout=1, no_cleanup=True) as c:
        assert set(connected._renewer._leases) == {b.id, c.id}
    assert not connected._renewer._leases
    batch = gcs.start_batch(timeout=1)
    connected.run(gcs.client.commands.destroy(batch))  # as if from elsewhere
    programs.wait_until(lambda: not connected._renewer._leases, "the lease is given up")


def test_a_timeout_that_was_lifted_stays_lifted(connected, server):
    with gcs.batch(timeout=1) as b:
        assert server.client().persist(f"GC:{b.id}")
        programs.wait_until(lambda: not connected._renewer._leases, "the lease is given up")
        assert b.info().timeout_ms is None


def test_a_lease_ends_with_its_client(server):
    client = gcs.Client(server.address)
    batch = client.start_batch(timeout=1)
    client.close()
    with gcs.Client(server.address) as other:
        programs.wait_until(lambda: is_gone(other, batch), "the batch times out", seconds=3)


def test_another_process_may_take_a_lease_over(connected, server):
    with gcs.Client(server.address) as first:
        batch = first.start_batch(timeout=1)
        gcs.renew_batch(batch, timeout=1)
    time.sleep(2)
    assert gcs.batch_info(batch).status == "active"
    gcs.end_batch(batch)
    with pytest.raises(gcs.BatchEnded):
        gcs.renew_batch(batch, timeout=1)


def test_a_lease_outlasts_a_short_absence_of_the_server(connected, server):
    with gcs.batch(timeout=2) as b:
        os.kill(server.process.pid, signal.SIGSTOP)
        time.sleep(1)
        os.kill(server.process.pid, signal.SIGCONT)
        time.sleep(2.5)
        assert b.info().status == "active"


def test_the_child_of_a_fork_does_not_renew(connected, script, server):
    program = script("-c", FORKS)
    child, batch, batch_of_child = map(int, program.stdout.readline().split())
    try:
        assert gcs.batch_info(batch).status == "active"
        program.kill()
        program.wait()
        programs.wait_until(lambda: is_gone(connected, batch), "the lease ends", seconds=4)
        time.sleep(2)
        # The child lives and renews what it began itself, with the client that it inherited.
        assert gcs.batch_info(batch_of_child).status == "active"
    finally:
        os.kill(child, signal.SIGKILL)
    programs.wait_until(
        lambda: is_gone(connected, batch_of_child), "the lease of the child ends", seconds=4)
    assert server.client().keys("GC:*") == [b"GC:0"]


def test_the_server_may_be_reached_by_a_unix_socket(start, tmp_path):
    path = tmp_path / "gcs.sock"
    start(programs.Server, "--unixsocket", path)
    with gcs.Client(f"unix://{path}") as client, client.batch(timeout=1) as b:
        time.sleep(2)
        assert b.info().status == "active"


def test_a_wait_for_an_object_does_not_hold_up_the_lease(cluster):
    with gcs.batch(timeout=1) as b:
        with pytest.raises(gcs.ObjectNotFound):
            b.get(b.new_object_id(), timeout=2.5)
        assert b.info().status == "active"


FORKS = """
import os, sys, time
import gcs
gcs.connect()
with gcs.batch(timeout=2) as b:
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        gcs.set_current_batch_id(gcs.ROOT)  # else its batch would go with the parent's
        with gcs.batch(timeout=2) as own:
            os.write(sender, str(own.id).encode())
            time.sleep(3600)
    print(child, b.id, int(os.read(receiver, 20)), flush=True)
    time.sleep(3600)
"""


def is_gone(client, batch):
    try:
        return client.batch_info(batch).status != "active"
    except (gcs.BatchEnded, gcs.NoSuchBatch):
        return True
