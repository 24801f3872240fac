"""gcs.plasma against stores that go away, stand still, or talk nonsense."""

import contextlib
import os
import random
import socket
import struct
import threading
import time

import pytest

import programs
from gcs import errors, plasma
from gcs.plasma import ObjectID, messages, values
from gcs.plasma.flat import Layout, Table


def test_a_store_that_dies_is_told_of_and_views_stay_readable(client, plasma_store):
    object_id = client.put_raw_buffer(b"x" * 100_000)
    view = client.get(object_id)
    subscription = client.subscribe()
    assert subscription.next(5).object_id == object_id
    failures = []

    def wait():
        try:
            client.get(ObjectID.from_random())
        except errors.PlasmaConnectionLost as error:
            failures.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(0.2)
    plasma_store.kill()
    waiter.join(10)
    assert len(failures) == 1
    for call in (client.list, lambda: client.put(1), lambda: client.get(object_id),
                 lambda: subscription.next(5), client.subscribe):
        with pytest.raises(errors.PlasmaConnectionLost):
            call()
    assert bytes(view) == b"x" * 100_000
    view.release()
    client.disconnect()


# ---- stores of our own making


@contextlib.contextmanager
def fake(directory, serve):
    """A listener that gives each connection to `serve`, and then closes it."""
    path = str(directory / "fake")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def run():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError, EOFError):
                    serve(connection)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield path
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        listener.close()


def read_frame(connection):
    head = connection.recv(24, socket.MSG_WAITALL)
    if len(head) < 24:
        raise EOFError
    _, kind, size = struct.unpack("<qqq", head)
    connection.recv(size, socket.MSG_WAITALL)
    return kind


def frame(kind, body):
    return struct.pack("<qqq", 0, kind, len(body)) + body


WELCOME = frame(messages.CONNECT_REPLY, Layout("q").pack(1 << 20))
PLACE = struct.pack("<i4xQQQQi4x", 5, 64, 100, 164, 4, 0)


def get_reply_body(ids=1):
    """A Get's answer of one object in file 5, written by hand: five vectors in a table."""
    parts = [struct.pack("<I", 1) + struct.pack("<I", 4) + struct.pack("<I", 20) + bytes(24),
             struct.pack("<I", 1) + PLACE, struct.pack("<Ii", 1, 5),
             struct.pack("<Iq", 1, 1 << 16), struct.pack("<I", 0)]
    head = struct.pack("<I", 20) + bytes(2) + struct.pack("<7H", 14, 24, 4, 8, 12, 16, 20)
    at, offsets = 20 + 24, []
    for index, part in enumerate(parts):
        offsets.append(at - (24 + 4 * index))
        at += len(part)
    return head + struct.pack("<i5I", 14, *offsets) + b"".join(parts)


ANSWERS = {
    "get": (lambda client: client.get(bytes(20), 0), frame(messages.GET_REPLY, get_reply_body())),
    "contains": (lambda client: client.contains(bytes(20)),
                 frame(messages.CONTAINS_REPLY, Layout("si").pack(bytes(20), 1))),
    "delete": (lambda client: client.delete([bytes(20)]), frame(
        messages.DELETE_REPLY, Layout("ivv").pack(1, [bytes(20)], [b"\0\0\0\0"]))),
}


@pytest.mark.parametrize("call", ANSWERS)
def test_an_answer_that_is_cut_off_at_any_byte(call, tmp_path):
    ask, answer = ANSWERS[call]
    cut = 0

    def serve(connection):
        read_frame(connection)
        connection.sendall(WELCOME)
        read_frame(connection)
        connection.sendall(answer[:cut])

    with fake(tmp_path, serve) as path:
        for cut in range(len(answer)):
            client = plasma.connect(path)
            with pytest.raises(errors.PlasmaConnectionLost, match="closed the connection"):
                ask(client)
            with pytest.raises(errors.PlasmaConnectionLost, match="was lost"):
                ask(client)


def test_a_file_that_does_not_come(tmp_path):
    ask, answer = ANSWERS["get"]

    def serve(connection):
        read_frame(connection)
        connection.sendall(WELCOME)
        read_frame(connection)
        connection.sendall(answer + extra)

    with fake(tmp_path, serve) as path:
        for extra in (b"", b"\0"):
            with pytest.raises(errors.PlasmaConnectionLost, match="did not send the file"):
                ask(plasma.connect(path))


@pytest.mark.parametrize("size", [1 << 16, 100, 8, 0])
def test_a_file_that_is_shorter_than_the_store_says(size, tmp_path):
    ask, answer = ANSWERS["get"]
    file = os.memfd_create("short")
    os.ftruncate(file, size)

    def serve(connection):
        read_frame(connection)
        connection.sendall(WELCOME)
        read_frame(connection)
        connection.sendall(answer)
        socket.send_fds(connection, [b"\0"], [file])
        read_frame(connection)

    try:
        with fake(tmp_path, serve) as path:
            client = plasma.connect(path)
            if size == 1 << 16:
                assert ask(client) == bytes(100)
            else:
                with pytest.raises(errors.PlasmaProtocolError, match="cannot map"):
                    ask(client)
            client.disconnect()
    finally:
        os.close(file)


def test_a_store_that_does_not_answer_is_given_up(tmp_path):
    done = threading.Event()

    def serve(connection):
        read_frame(connection)
        connection.sendall(WELCOME)
        done.wait(10)

    with fake(tmp_path, serve) as path:
        client = plasma.connect(path, reply_timeout=0.3)
        begin = time.monotonic()
        with pytest.raises(errors.PlasmaConnectionLost, match="did not answer within 0.3 s"):
            client.list()
        assert 0.2 < time.monotonic() - begin < 5
        done.set()


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 400 Bad Request\r\n\r\n", struct.pack("<qqq", 0, 16, 1 << 40),
    struct.pack("<qqq", 0, 16, -1), struct.pack("<qqq", 1, 20, 8), frame(18, Layout("").pack()),
], ids=["http", "huge", "negative", "version", "type"])
def test_something_else_at_the_socket(answer, tmp_path):
    def serve(connection):
        read_frame(connection)
        connection.sendall(answer)

    with fake(tmp_path, serve) as path:
        with pytest.raises(errors.PlasmaProtocolError):
            plasma.connect(path)


# ---- bodies


def parsers():
    name = ObjectID(bytes(20))
    return [
        messages.get_reply, messages.list_reply, messages.notifications,
        lambda body: messages.delete_reply(body, 2),
        lambda body: messages.create_reply(body, name, 1),
        lambda body: Table(body).string(0), lambda body: Table(body).integer(1)]


def test_bodies_with_wrong_bytes_are_refused_or_read_but_nothing_else(start):
    """Real answers of the store with bytes changed, and shortened: never another error."""
    store, bodies = start(programs.Store), [get_reply_body()]
    with plasma.connect(store.socket) as client:
        channel = client._connection._channel
        request = channel.request
        channel.request = lambda *args: bodies.append(request(*args)) or bodies[-1]
        ids = [client.put(number) for number in range(3)]
        client.create(ObjectID.from_random(), 10)
        client.get(ids)
        client.list()
        client.delete(ids)
    assert len(bodies) >= 7
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chosen, read, refused = random.Random(seed), 0, 0
    for _ in range(3000):
        body = bytearray(chosen.choice(bodies))
        for _ in range(chosen.randrange(1, 4)):
            at = chosen.randrange(len(body))
            body[at] = chosen.choice([0, 1, 4, 127, 128, 255, chosen.randrange(256)])
        body = bytes(body[:chosen.choice([len(body), chosen.randrange(len(body) + 1)])])
        for parse in parsers():
            try:
                parse(body)
                read += 1
            except (errors.StoreError, ValueError):
                refused += 1
    assert read > 100 and refused > 100


def test_values_with_wrong_bytes_are_refused(start):
    store = start(programs.Store)
    with plasma.connect(store.socket) as client:
        for data in (b"", b"short", struct.pack("<QQ", 0, 1 << 60),
                     struct.pack("<QQ", 1 << 60, 0),
                     struct.pack("<QQQQ", 1, 0, 1 << 60, 1 << 60)):
            object_id = client.put_raw_buffer(data, metadata=values.METADATA)
            with pytest.raises(errors.StoreError, match="value|buffer"):
                client.get(object_id)


def test_what_we_write_is_read_back():
    body = Layout("sBQQiv").pack(b"abc", True, 1 << 63, 7, -5, [b"", b"x" * 21])
    table = Table(body)
    assert table.string(0) == b"abc" and table.boolean(1) and table.integer(2, "Q") == 1 << 63
    assert table.integer(3, "Q") == 7 and table.integer(4) == -5
    assert table.strings(5) == [b"", b"x" * 21] and table.integer(9) == 0
