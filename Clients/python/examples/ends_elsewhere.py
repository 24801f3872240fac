"""A batch that begins in one process, is used in a second, and ends in a third."""

import multiprocessing
import sys

import gcs


def begin(answer):
    gcs.connect()
    # No time-out: the batch outlives this process, and somebody has to end it.
    answer.send(gcs.start_batch(name="from one process to another"))


def work(batch_id, answer):
    gcs.connect()
    gcs.set_current_batch_id(batch_id)
    answer.send(gcs.put("made by another process"))


def finish(batch_id, answer):
    gcs.connect()
    answer.send(gcs.end_batch(batch_id).value)


def in_another_process(function, *args):
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=function, args=(*args, sender))
    process.start()
    answer = receiver.recv()
    process.join()
    return answer


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    gcs.connect()
    batch_id = in_another_process(begin)
    ref = in_another_process(work, batch_id)
    print("the value:", gcs.get(ref))
    print("the batch:", in_another_process(finish, batch_id))
    try:
        gcs.batch_info(batch_id)
    except gcs.BatchEnded as error:
        print("afterwards:", error)
        sys.exit(0)
    sys.exit("the batch is still there")
