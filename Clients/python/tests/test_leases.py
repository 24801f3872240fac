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
    child, batch = map(int, program.stdout.readline().split())
    try:
        assert gcs.batch_info(batch).status == "active"
        program.kill()
        program.wait()
        programs.wait_until(lambda: is_gone(connected, batch), "the lease ends", seconds=4)
        os.kill(child, 0)  # it still lives, and has a lease of its own
    finally:
        os.kill(child, signal.SIGKILL)
    assert not any(connected.batch_info(int(other)).timeout_ms is None for other in active(server))


FORKS = """
import os, sys, time
import gcs
gcs.connect()
with gcs.batch(timeout=2) as b:
    child = os.fork()
    if child == 0:
        with gcs.Client().batch(timeout=2):
            time.sleep(3600)
    print(child, b.id, flush=True)
    time.sleep(3600)
"""


def is_gone(client, batch):
    try:
        return client.batch_info(batch).status != "active"
    except (gcs.BatchEnded, gcs.NoSuchBatch):
        return True


def active(server):
    _, batches = server.client().execute_command("GCS.BATCH", "LIST")
    return [batch for batch in batches if batch != 0]
