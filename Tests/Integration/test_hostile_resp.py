"""Peers that break the protocol, lie or never read: they are told once or dropped, others notice nothing."""

import os
import random
import resource
import socket
import struct
import threading
import time

import pytest

import programs

HTTP = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: x\r\n\r\n"
ENDED = object()

# What is sent, and what the peer gets: the start of an error, or ENDED for a closed connection.
BROKEN = {
    "negative bulk": (b"*1\r\n$-1\r\n", b"-ERR Protocol error: invalid bulk length"),
    "bulk above the limit": (b"*2\r\n$4\r\nECHO\r\n$536870913\r\n", b"-ERR Protocol error: invalid bulk"),
    "huge bulk count": (b"*1\r\n$99999999999999999999\r\n", b"-ERR Protocol error: invalid bulk length"),
    "bulk count of letters": (b"*1\r\n$abc\r\n", b"-ERR Protocol error: invalid bulk length"),
    "huge word count": (b"*99999999999\r\n", b"-ERR Protocol error: invalid multibulk length"),
    "word count above the limit": (b"*1048577\r\n", b"-ERR Protocol error: invalid multibulk length"),
    "word count of letters": (b"*x\r\n", b"-ERR Protocol error: invalid multibulk length"),
    "word count without digits": (b"*\r\n", b"-ERR Protocol error: invalid multibulk length"),
    "integer for a bulk": (b"*1\r\n:1\r\n", b"-ERR Protocol error: expected '$', got ':'"),
    "nested array": (b"*1\r\n*1\r\n$4\r\nPING\r\n", b"-ERR Protocol error: expected '$', got '*'"),
    "zero byte for a bulk": (b"*1\r\n\x00\r\n", b"-ERR Protocol error: expected '$', got '?'"),
    "bare carriage return": (b"*1\r\r\n", b"-ERR Protocol error"),
    "open quotation": (b'PING "abc\r\n', b"-ERR Protocol error: unbalanced quotes in request"),
    "endless inline line": (b"a" * 70_000, b"-ERR Protocol error: too big inline request"),
    "http": (HTTP, ENDED),
    "http post": (b"POST / HTTP/1.1\r\nHost: x\r\n\r\nFLUSHALL\r\n", ENDED),
    "tls hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40) + b"\n", b"-ERR unknown command"),
}

# Bad requests that leave the connection open: each gets one error, and PING after it its answer.
REFUSED = {
    "empty name": b"*1\r\n$0\r\n\r\n",
    "unknown command": b"*1\r\n$3\r\nFOO\r\n",
    "name of 10,000 bytes": b"*1\r\n$10000\r\n" + b"x" * 10_000 + b"\r\n",
    "zero bytes in a name": b"*1\r\n$4\r\nP\x00NG\r\n",
    "id of 19 bytes": b"*4\r\n$8\r\nGCS.TASK\r\n$3\r\nADD\r\n$19\r\n" + b"x" * 19 + b"\r\n$1\r\na\r\n",
    "id of 39 digits": b"GCS.TASK ADD " + b"0" * 39 + b" a\r\n",
    "id without bytes": b"*4\r\n$8\r\nGCS.TASK\r\n$3\r\nADD\r\n$0\r\n\r\n$1\r\na\r\n",
    "unknown batch": b"GCS.BATCH END 99\r\n",
    "end of the root": b"GCS.BATCH END 0\r\n",
    "batch of letters": b"GCS.BATCH END many\r\n",
    "number beyond 64 bits": b"GCS.BATCH END 9223372036854775808\r\n",
    "arguments that are not there": b"GCS.TASK ADD " + b"0" * 40 + b" spec ARGS 1000000000 x\r\n",
    "negative count of arguments": b"GCS.TASK ADD " + b"0" * 40 + b" spec ARGS -1\r\n",
    "cursor of letters": b"SCAN x\r\n",
    "unknown setting": b"CONFIG SET nothing 1\r\n",
    "setting out of range": b"CONFIG SET maxclients 0\r\n",
}


def connect(server):
    connection = socket.create_connection(("127.0.0.1", server.port), 10)
    connection.settimeout(10)
    return connection


def read_until_end(connection):
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    server = programs.Server(tmp_path_factory.mktemp("hostile")).start()
    yield server
    server.kill()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_protocol_ends_the_connection(shared, name):
    sent, expected = BROKEN[name]
    with connect(shared) as connection, connect(shared) as other:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        data = read_until_end(connection)
        if expected is not ENDED:
            assert data.startswith(expected)
        other.sendall(b"PING\r\n")
        assert other.recv(100) == b"+PONG\r\n"


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_request_gets_one_error(shared, name):
    with connect(shared) as connection:
        connection.sendall(REFUSED[name] + b"*1\r\n$4\r\nPING\r\n")
        data = b""
        while not data.endswith(b"+PONG\r\n"):
            chunk = connection.recv(65536)
            assert chunk, data
            data += chunk
        assert data.startswith(b"-") and data.count(b"\r\n") == 2
    assert shared.client().execute_command("GCS.BATCH", "LIST") == [b"0", [0]]


def test_half_a_request_waits_and_is_answered_when_whole(shared):
    request = b"*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n"
    for cut in range(1, len(request)):
        with connect(shared) as connection, connect(shared) as other:
            connection.sendall(request[:cut])
            other.sendall(b"PING\r\n")
            assert other.recv(100) == b"+PONG\r\n"
            connection.sendall(request[cut:])
            assert connection.recv(100) == b"$5\r\nhello\r\n"


def test_random_bytes(shared):
    generator = random.Random(20240611)
    for _ in range(300):
        with connect(shared) as connection:
            kind = generator.randrange(3)
            data = generator.randbytes(generator.randrange(1, 3000))
            if kind == 1:
                data = b"*%d\r\n" % generator.randrange(1, 9) + data
            if kind == 2:
                request = bytearray(b"*3\r\n$9\r\nGCS.BATCH\r\n$5\r\nSTART\r\n$2\r\nID\r\n")
                request[generator.randrange(len(request))] = generator.randrange(256)
                data = bytes(request)
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            read_until_end(connection)
    assert shared.client().ping()


def test_large_words_come_back_whole_and_their_memory_goes(server):
    before = server.memory()
    value = os.urandom(8 << 20) * 8
    client = server.client()
    assert client.echo(value) == value
    client.execute_command("GCS.BATCH", "START", "ID", 5)
    task = programs.task_id(5, 1)
    assert client.execute_command("GCS.TASK", "ADD", task, value) == 1
    fields = client.execute_command("GCS.TASK", "GET", task)
    assert fields[fields.index(b"spec") + 1] == value
    client.execute_command("GCS.BATCH", "END", 5)
    programs.wait_until(
        lambda: server.memory() < before + (80 << 20), "the memory of 64 MB words comes back")


def test_a_claim_of_512_mb_takes_no_memory(server):
    before = server.memory()
    connections = [connect(server) for _ in range(100)]
    for connection in connections:
        connection.sendall(b"*2\r\n$4\r\nECHO\r\n$536870912\r\nstart")
    assert server.client().ping()
    assert server.memory() < before + (64 << 20)
    for connection in connections:
        connection.close()
    assert server.client().ping()


def test_a_flood_behind_a_late_reply_waits_at_the_client(server):
    count = 300_000
    before = server.memory()
    with connect(server) as flooder:
        flooder.settimeout(60)
        flooder.sendall(b"XREAD BLOCK 0 STREAMS gc:log $\r\n")
        flood = b"".join(b"*2\r\n$4\r\nECHO\r\n$6\r\n%06d\r\n" % number for number in range(count))
        sender = threading.Thread(target=flooder.sendall, args=(flood,))
        sender.start()
        client = server.client()
        for _ in range(50):
            assert client.ping()
            assert server.memory() < before + (4 << 20)
            time.sleep(0.01)
        assert sender.is_alive()
        client.execute_command("GCS.BATCH", "START", "ID", 5)
        client.execute_command("GCS.BATCH", "END", 5)
        expected = b"".join(b"$6\r\n%06d\r\n" % number for number in range(count))
        received = bytearray()
        while not received.endswith(expected[-12:]):
            received += flooder.recv(1 << 20)
        sender.join()
        assert received.startswith(b"*1\r\n*2\r\n$6\r\ngc:log\r\n")
        assert received[-len(expected):] == expected
        assert b"ECHO" not in received


def test_who_never_reads_is_dropped(start):
    limits = "normal 4mb 2mb 2 pubsub 1mb 512kb 2"
    server = start(programs.Server, "--client-output-buffer-limit", *limits.split())
    before = server.memory()
    client = server.client()
    with connect(server) as deaf, connect(server) as deaf_subscriber:
        deaf_subscriber.sendall(b"SUBSCRIBE news\r\n")
        deaf_subscriber.recv(100)
        request = b"*2\r\n$4\r\nECHO\r\n$100000\r\n" + b"x" * 100_000 + b"\r\n"
        with pytest.raises(OSError):
            for _ in range(2000):
                deaf.sendall(request)
        for _ in range(1000):
            client.publish("news", b"y" * 10_000)
            if client.execute_command("PUBSUB", "NUMSUB", "news")[1] == 0:
                break
        assert client.execute_command("PUBSUB", "NUMSUB", "news")[1] == 0
    assert client.ping()
    programs.wait_until(lambda: server.memory() < before + (32 << 20), "their memory comes back")
    assert "client-output-buffer-limit" in server.log_text()


def test_ten_thousand_idle_connections(start):
    count = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 200
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"the system allows {hard} open files, {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    server = start(programs.Server, "--maxclients", count + 10)
    client = server.client()
    client.ping()
    before = server.memory()
    idle = [connect(server) for _ in range(count)]
    programs.wait_until(
        lambda: client.info("clients")["connected_clients"] > count, "all are connected")
    assert (server.memory() - before) / count < 4096
    started = time.monotonic()
    for _ in range(1000):
        client.ping()
    assert time.monotonic() - started < 5
    for connection in random.Random(1).sample(idle, 50):
        connection.sendall(b"PING\r\n")
        assert connection.recv(100) == b"+PONG\r\n"
    for connection in idle:
        connection.close()
    programs.wait_until(
        lambda: client.info("clients")["connected_clients"] < 50, "all are gone", 30)


def test_above_maxclients_a_peer_is_told(start):
    server = start(programs.Server, "--maxclients", 3)
    programs.wait_until(
        lambda: "connected_clients:1" in server.cli("INFO", "clients"), "only redis-cli is connected")
    time.sleep(0.2)
    kept = [connect(server) for _ in range(3)]
    for connection in kept:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100) == b"+PONG\r\n"
    with connect(server) as refused:
        assert read_until_end(refused) == b"-ERR max number of clients reached\r\n"
    kept.pop().close()
    programs.wait_until(lambda: server.cli("PING") == "PONG", "the place is free again")


def test_a_reset_in_the_middle_of_a_large_reply(server):
    client = server.client()
    client.execute_command("GCS.BATCH", "START", "ID", 7)
    pipeline = client.pipeline(transaction=False)
    for number in range(20_000):
        pipeline.execute_command("GCS.TASK", "ADD", programs.task_id(7, number), b"spec")
    pipeline.execute()
    for _ in range(20):
        connection = connect(server)
        connection.sendall(b"SMEMBERS GC:7\r\nKEYS *\r\n" * 3)
        connection.recv(1000)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert client.execute_command("SCARD", "GC:7") == 20_000
    assert len(client.execute_command("SMEMBERS", "GC:7")) == 20_000
