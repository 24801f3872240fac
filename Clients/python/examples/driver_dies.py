"""A driver that is killed: all that it made goes when its lease of two seconds is over."""

import subprocess
import sys
import time

import gcs

LEASE = 2


def driver():
    gcs.connect()
    with gcs.batch(name="outer", timeout=LEASE) as outer:
        outer.put("outer")
        with gcs.batch(name="inner", timeout=LEASE) as inner:
            print(inner.id, inner.put("inner"), flush=True)
            time.sleep(3600)


def main():
    gcs.connect()
    child = subprocess.Popen(
        [sys.executable, __file__, "driver"], stdout=subprocess.PIPE, text=True)
    batch_id, ref = child.stdout.readline().split()
    time.sleep(LEASE * 2)
    print(f"after {LEASE * 2} s the driver lives, and so does its object:", gcs.get(ref))

    child.kill()
    child.wait()
    killed = time.monotonic()
    while is_active(int(batch_id)) or has_object(ref):
        assert time.monotonic() - killed < LEASE + 2, "the driver left something behind"
        time.sleep(0.05)
    print(f"the driver was killed; {time.monotonic() - killed:.1f} s later all is gone")


def is_active(batch_id):
    try:
        return gcs.batch_info(batch_id).status == "active"
    except gcs.BatchEnded:
        return False


def has_object(ref):
    try:
        return gcs.get(ref) is not None
    except gcs.ObjectNotFound:
        return False


if __name__ == "__main__":
    driver() if "driver" in sys.argv else main()
