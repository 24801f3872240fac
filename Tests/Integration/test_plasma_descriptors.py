"""What clients hand over to plasma-store: nothing of it stays open once they have gone."""

import array
import contextlib
import os
import pathlib
import signal
import socket
import struct
import tempfile
import time

import pytest

import programs
from plasma_wire import Raw, answers, frame, pass_descriptor, subscribe, table

ID = programs.task_id(42, 1, 1)
CLIENTS = 5
# Descriptors that the system lets one message carry.
FILES_MAX = 253


@pytest.fixture
def ours(start):
    return start(programs.Store, size=16 << 20)


def descriptor_count(store):
    return len(list(pathlib.Path(f"/proc/{store.process.pid}/fd").iterdir()))


def put(into, held, data=b"x", flags=0):
    """Puts a descriptor into a socket's queue, where it waits to be received."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [held.fileno()]))]
    into.sendmsg([data], rights, flags)


def pair(kind=socket.SOCK_STREAM):
    return socket.socketpair(socket.AF_UNIX, kind)


# ---- ways to keep the end of one's own connection open inside the store


def directly(raw):
    return raw.socket


def in_flight(raw):
    near, far = pair()
    put(near, raw.socket)
    return far


def in_flight_in_flight(raw):
    near, far = pair()
    put(near, in_flight(raw))
    return far


def in_flight_before_the_end(raw):
    near, far = pair()
    put(near, raw.socket)
    near.shutdown(socket.SHUT_WR)
    return far


def in_flight_out_of_band(raw):
    near, far = pair()
    put(near, raw.socket, b"xy", socket.MSG_OOB)
    return far


def behind_an_empty_message(kind):
    def give(raw):
        near, far = pair(kind)
        near.send(b"")
        # The store has time to read it.
        raw.later = lambda: put(near, raw.socket)
        return far

    return give


def in_a_line_of_clients(raw):
    """A listening socket that nobody accepts from."""
    with tempfile.TemporaryDirectory() as directory:
        listening, caller = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        listening.bind(f"{directory}/s")
        listening.listen()
        caller.connect(f"{directory}/s")
        put(caller, raw.socket)
        return listening


def nobody_reads(raw):
    near, far = pair()
    near.close()
    return far


def not_connected(raw):
    return socket.socket(socket.AF_UNIX)


def of_a_network(raw):
    return socket.socket(socket.AF_INET)


GIVEN = [
    directly, in_flight, in_flight_in_flight, in_flight_before_the_end, in_flight_out_of_band,
    behind_an_empty_message(socket.SOCK_DGRAM), behind_an_empty_message(socket.SOCK_SEQPACKET),
    in_a_line_of_clients, nobody_reads, not_connected, of_a_network]
NAMES = [
    "its own connection", "in flight", "in flight in flight", "in flight before the end",
    "in flight out of band", "datagrams", "packets", "in a line of clients", "nobody reads",
    "not connected", "of a network"]


# ---- ways to hand a descriptor over


def with_a_request(raw, descriptor):
    pass_descriptor(raw, frame(15, table(ID)), descriptor)


def inside_a_request(raw, descriptor):
    raw.send(frame(15, table(ID)) + frame(15, table(ID))[:10])
    pass_descriptor(raw, frame(15, table(ID))[10:20], descriptor)


def behind_a_waiting_request(raw, descriptor):
    raw.send(frame(9, table([programs.task_id(42, 99, 9)], ("q", -1))))
    subscribe(raw, descriptor)


WAYS = [subscribe, with_a_request, inside_a_request, behind_a_waiting_request]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("give", GIVEN, ids=NAMES)
def test_what_a_client_passes_does_not_keep_it_alive(ours, give, way):
    raws = [Raw(ours) for _ in range(CLIENTS)]
    for number, raw in enumerate(raws):
        raw.create(ID[:-1] + bytes([number]))
    before = descriptor_count(ours)
    for raw in raws:
        raw.later = None
        given = give(raw)
        way(raw, given.fileno())
        if given is not raw.socket:
            given.close()
    assert answers(ours)
    for raw in raws:
        if raw.later is not None:
            with contextlib.suppress(OSError):
                raw.later()
    programs.wait_until(lambda: descriptor_count(ours) <= before, "what was passed is closed")
    for raw in raws:
        raw.later = None
        raw.close()
    programs.wait_until(
        lambda: descriptor_count(ours) <= before - len(raws), "the clients are forgotten")
    other = Raw(ours)
    assert b"objects 0" in other.ask(30, table())[1]


@pytest.mark.parametrize("ways", [(a, b) for a in WAYS for b in WAYS],
                         ids=lambda ways: f"{ways[0].__name__}, {ways[1].__name__}")
def test_two_clients_do_not_keep_each_other_alive(ours, ways):
    """Each hands over one end of a pair, and its connection waits in the other's end."""
    before = descriptor_count(ours)
    for _ in range(CLIENTS):
        one, other = Raw(ours), Raw(ours)
        near, far = pair()
        ways[0](one, near.fileno())
        ways[1](other, far.fileno())
        with contextlib.suppress(OSError):
            put(near, one.socket)
        with contextlib.suppress(OSError):
            put(far, other.socket)
        near.close()
        far.close()
        one.close()
        other.close()
    programs.wait_until(lambda: descriptor_count(ours) <= before, "all is closed")


@pytest.mark.parametrize("kind", ["pipe", "file", "/dev/null", "directory"])
@pytest.mark.parametrize("way", [subscribe, with_a_request], ids=lambda way: way.__name__)
def test_who_passes_what_is_no_socket_is_dropped(ours, kind, way, tmp_path):
    raw = Raw(ours)
    assert raw.ask(15, table(ID))[0] == 16
    before = descriptor_count(ours)
    opened = {
        "pipe": lambda: os.pipe()[1], "file": lambda: os.open(tmp_path / "file", os.O_CREAT),
        "/dev/null": lambda: os.open("/dev/null", os.O_RDWR),
        "directory": lambda: os.open(tmp_path, os.O_RDONLY)}[kind]()
    way(raw, opened)
    assert raw.is_dropped()
    assert "not a socket" in ours.log_text()
    programs.wait_until(lambda: descriptor_count(ours) < before, "its connection is closed")
    os.close(opened)
    assert answers(ours)


# ---- a notification socket whose other side has gone, while its client stays


def stops_writing(near):
    near.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("first", [None, stops_writing], ids=["at once", "half before"])
def test_a_subscriber_that_hangs_up_is_noticed_with_nothing_to_send(ours, first):
    raw = Raw(ours)
    assert raw.ask(15, table(ID))[0] == 16
    before = descriptor_count(ours)
    near, far = pair()
    subscribe(raw, far.fileno())
    far.close()
    assert raw.ask(15, table(ID))[0] == 16
    if first is not None:
        first(near)
        assert raw.ask(15, table(ID))[0] == 16
    assert descriptor_count(ours) == before + 1
    near.close()
    programs.wait_until(lambda: descriptor_count(ours) == before, "its socket is closed")
    assert raw.ask(15, table(ID))[0] == 16


def test_a_subscriber_that_only_says_it_writes_no_more_is_told(ours):
    raw = Raw(ours)
    near, far = pair()
    subscribe(raw, far.fileno())
    far.close()
    near.shutdown(socket.SHUT_WR)
    assert raw.ask(15, table(ID))[0] == 16
    raw.create_sealed(ID)
    near.settimeout(5)
    assert len(near.recv(1000)) > 20


def says_two_bytes(near):
    near.send(b"xy")


def says_something_urgent(near):
    near.send(b"x", socket.MSG_OOB)


def hangs_up(near):
    near.close()


@pytest.mark.parametrize("what", [stops_writing, says_two_bytes, says_something_urgent, hangs_up],
                         ids=lambda what: what.__name__)
@pytest.mark.parametrize("is_kept", [False, True], ids=["given away", "kept"])
def test_a_notification_socket_takes_no_time_afterwards(ours, what, is_kept):
    """Also when the client has the same open file as the store."""
    raws, kept = [Raw(ours) for _ in range(3)], []
    for raw in raws:
        near, far = pair()
        subscribe(raw, far.fileno())
        assert raw.ask(15, table(ID))[0] == 16
        what(near)
        kept.append(near)
        if is_kept:
            kept.append(far)
        else:
            far.close()
    assert answers(ours)
    before = processor_seconds(ours)
    time.sleep(0.5)
    assert processor_seconds(ours) - before < 0.1
    assert answers(ours)


# ---- a network socket whose last close waits for its peer


LINGER_SECONDS = 5


@contextlib.contextmanager
def lingering():
    """A socket with more unsent bytes than its peer has room for, which is told to linger."""
    with socket.socket() as listening, socket.socket() as lingerer:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        lingerer.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, LINGER_SECONDS))
        lingerer.connect(listening.getsockname())
        peer, _ = listening.accept()
        lingerer.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                lingerer.send(bytes(100_000))
        yield lingerer
        peer.close()


def alone(raw, lingerer):
    with_a_request(raw, lingerer.fileno())


def to_subscribe(raw, lingerer):
    subscribe(raw, lingerer.fileno())


def as_one_of_many(raw, lingerer):
    with open("/dev/null", "rb") as file:
        pass_descriptor(
            raw, frame(15, table(ID)), *[file.fileno()] * (FILES_MAX - 1), lingerer.fileno())


def urgently(raw, lingerer):
    put(raw.socket, lingerer, flags=socket.MSG_OOB)


def urgently_in_a_queue(raw, lingerer):
    near, far = pair()
    put(near, lingerer, flags=socket.MSG_OOB)
    subscribe(raw, far.fileno())


def in_a_queue(raw, lingerer):
    near, far = pair()
    put(near, lingerer)
    with_a_request(raw, far.fileno())


def in_a_queue_in_a_queue(raw, lingerer):
    near, far = pair(socket.SOCK_DGRAM)
    put(near, lingerer)
    outer, given = pair()
    put(outer, far)
    subscribe(raw, given.fileno())


def behind_an_error(raw, lingerer):
    """In the queue of a connection that the store closes, behind more than it reads at once."""
    # A socket of Python's with a time-out would wait for the queue to be read.
    raw.socket.settimeout(None)
    raw.send(frame(15, table(ID), version=3) + bytes(65536))
    pass_descriptor(raw, b"x", lingerer.fileno())


@pytest.mark.parametrize("way", [
    alone, to_subscribe, as_one_of_many, urgently, urgently_in_a_queue, in_a_queue,
    in_a_queue_in_a_queue, behind_an_error,
], ids=lambda way: way.__name__)
def test_nobody_waits_for_a_lingering_socket(ours, way):
    assert answers(ours)
    before = descriptor_count(ours)
    with lingering() as lingerer:
        raw = Raw(ours)
        # The last to close it has to be the store.
        ours.process.send_signal(signal.SIGSTOP)
        way(raw, lingerer)
        lingerer.close()
        ours.process.send_signal(signal.SIGCONT)
        begin = time.monotonic()
        for _ in range(10):
            assert answers(ours)
            time.sleep(0.01)
        raw.close()
        programs.wait_until(
            lambda: descriptor_count(ours) <= before, "all is closed", LINGER_SECONDS / 2)
        assert time.monotonic() - begin < LINGER_SECONDS / 2
        assert ours.stop() == 0


def processor_seconds(store):
    fields = pathlib.Path(f"/proc/{store.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
