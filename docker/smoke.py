"""Puts objects of one batch into several stores, ends the batch, and looks at what is left.

Usage: smoke.py SERVER:PORT NODE=SOCKET [NODE=SOCKET ...]
"""

import sys
import time
import warnings

import numpy
import redis

# pyarrow 11 says at each call that it is the last one with Plasma.
warnings.simplefilter("ignore", DeprecationWarning)
from pyarrow import plasma  # noqa: E402

OBJECTS_PER_NODE = 100


def wait_until(what, condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"{what}: not within {seconds} s")
        time.sleep(0.05)
    print(f"ok: {what}", flush=True)


def object_id(batch, task, index):
    return batch.to_bytes(8, "big") + task.to_bytes(8, "big") + index.to_bytes(4, "big")


def main(address, *nodes):
    host, port = address.rsplit(":", 1)
    server = redis.Redis(host=host, port=int(port), decode_responses=True)
    sockets = dict(node.split("=", 1) for node in nodes)
    stores = {name: plasma.connect(socket) for name, socket in sockets.items()}

    wait_until(
        "every node is registered",
        lambda: all(server.exists(f"NODE:{name}") for name in sockets))
    batch = server.execute_command("GCS.BATCH", "START", "NAME", "smoke")
    kept = []
    for task, store in enumerate(stores.values(), 1):
        for index in range(1, OBJECTS_PER_NODE + 1):
            store.put(numpy.full(1000, index), plasma.ObjectID(object_id(batch, task, index)))
        kept.append(object_id(batch, task, 1))
    total = OBJECTS_PER_NODE * len(stores)
    wait_until(
        f"the server knows all {total} objects of batch {batch}",
        lambda: server.scard(f"GC:{batch}") == total)
    assert server.execute_command("GCS.BATCH", "KEEP", batch, *kept) == len(kept)
    server.execute_command("GCS.BATCH", "END", batch)
    wait_until(
        "each store holds only the object that was kept",
        lambda: all(
            [object.binary() for object in store.list()] == [own]
            for store, own in zip(stores.values(), kept)))
    for store, own in zip(stores.values(), kept):
        assert (store.get(plasma.ObjectID(own)) == 1).all()
    print("ok: what was kept reads back")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
