"""The clients people have: redis-py in both protocol versions and with asyncio, redis-cli's modes."""

import asyncio
import json
import socket
import subprocess
import threading
import time

import pytest

import programs


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def client(request, server):
    return server.client(protocol=request.param)


def fields(reply):
    """A map of either protocol version as a dictionary."""
    if isinstance(reply, dict):
        return reply
    return dict(zip(reply[::2], reply[1::2]))


def test_batches_tasks_and_objects(client):
    batch = client.execute_command("GCS.BATCH", "START", "NAME", "job")
    assert batch > 1_600_000_000_000_000
    task = programs.task_id(batch, 1)
    assert client.execute_command("GCS.TASK", "ADD", task, b"\x00spec\xff", "STATE", "RUNNING") == 1
    found = fields(client.execute_command("GCS.TASK", "GET", task))
    assert found[b"spec"] == b"\x00spec\xff" and found[b"state"] == b"RUNNING"
    assert client.execute_command("GCS.OBJECT", "ADD", task.hex(), "n1", 10) == 1
    info = fields(client.execute_command("GCS.BATCH", "INFO", batch))
    assert (info[b"tasks"], info[b"objects"], info[b"name"]) == (1, 1, b"job")
    assert client.smembers(f"GC:{batch}") == {
        b"TASK:" + task.hex().encode(), b"OBJECT:" + task.hex().encode()}
    assert client.execute_command("GCS.BATCH", "END", batch) == b"COLLECTED"
    assert client.smembers(f"GC:{batch}") == set()
    with pytest.raises(Exception, match="has ended"):
        client.execute_command("GCS.BATCH", "END", batch)


def test_the_key_space(client):
    client.execute_command("GCS.BATCH", "START", "ID", 9)
    tasks = [programs.task_id(9, number) for number in range(500)]
    pipeline = client.pipeline(transaction=False)
    for task in tasks:
        pipeline.execute_command("GCS.TASK", "ADD", task, b"spec")
    assert pipeline.execute() == [1] * 500
    keys = {b"TASK:" + task.hex().encode() for task in tasks}
    assert set(client.scan_iter(match="TASK:*", count=50)) == keys
    assert set(client.sscan_iter("GC:9")) == keys
    assert set(client.keys("TASK:*")) == keys
    assert client.scard("GC:9") == 500
    assert client.randomkey() in keys | {b"GC:9", b"GC:0", b"gc:log"}
    assert set(client.scan_iter(_type="SET")) == {b"GC:0", b"GC:9"}
    key = keys.pop()
    assert client.type(key) == b"hash" and client.hgetall(key)[b"state"] == b"PENDING"
    assert client.hmget(key, "batch", "nothing") == [b"9", None]
    assert client.delete(key) == 1 and client.exists(key) == 0
    assert client.expire("GC:9", 100) and 0 < client.ttl("GC:9") <= 100 and client.persist("GC:9")
    assert client.unlink("GC:9") == 1 and client.dbsize() == 2


def test_large_replies_come_whole_while_others_are_served(server):
    writer = server.client()
    writer.execute_command("GCS.BATCH", "START", "ID", 8)
    for start in range(0, 400_000, 20_000):
        pipeline = writer.pipeline(transaction=False)
        for number in range(start, start + 20_000):
            pipeline.execute_command("GCS.TASK", "ADD", programs.task_id(8, number), b"spec")
        pipeline.execute()
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(b"SMEMBERS GC:8\r\nPING\r\n")
        waits = []
        for _ in range(200):
            started = time.monotonic()
            assert writer.ping()
            waits.append(time.monotonic() - started)
        data = bytearray()
        while not data.endswith(b"+PONG\r\n"):
            data += slow.recv(1 << 20)
        assert data.startswith(b"*400000\r\n")
        assert data.count(b"\r\nTASK:0000000000000008") == 400_000
    assert sorted(waits)[-10] < 0.05
    assert len(writer.smembers("GC:8")) == 400_000


def test_the_log_as_a_stream(client):
    client.execute_command("GCS.BATCH", "START", "ID", 3)
    client.execute_command("GCS.BATCH", "END", 3)
    entries = client.xrange("gc:log")
    assert entries[0][1] == {b"batch": b"3", b"reason": b"end", b"kept": b"", b"adopted": b""}
    assert client.xlen("gc:log") == 1
    assert client.xinfo_stream("gc:log")["length"] == 1
    assert not client.xread({"gc:log": entries[0][0]}, block=50)


def test_subscribers_hear_of_it(server, client):
    subscription = client.pubsub(ignore_subscribe_messages=True)
    subscription.psubscribe("GC:*")
    other = server.client()
    other.execute_command("GCS.BATCH", "START", "ID", 4)
    time.sleep(0.1)
    other.execute_command("GCS.BATCH", "END", 4)
    message = None
    deadline = time.monotonic() + 5
    while message is None and time.monotonic() < deadline:
        message = subscription.get_message(timeout=1)
    assert json.loads(message["data"])["batch"] == 4
    subscription.close()


def test_asyncio(server):
    import redis.asyncio

    async def one(client, number):
        batch = await client.execute_command("GCS.BATCH", "START")
        task = programs.task_id(batch, number)
        await client.execute_command("GCS.TASK", "ADD", task, b"spec")
        assert await client.execute_command("SCARD", f"GC:{batch}") == 1
        await client.execute_command("GCS.BATCH", "END", batch)

    async def all_of_them():
        async with redis.asyncio.Redis(
                port=server.port, protocol=3, max_connections=300) as client:
            await asyncio.gather(*(one(client, number) for number in range(200)))

    asyncio.run(all_of_them())
    assert server.client().execute_command("GCS.BATCH", "LIST") == [b"0", [0]]


def test_commands_describe_themselves(client):
    assert client.command_count() > 50
    assert len(client.execute_command("COMMAND")) == client.command_count()
    assert "gcs.batch" in {name.decode() if isinstance(name, bytes) else name
                           for name in client.command_list()}
    assert client.config_get("maxclients") == {"maxclients": "10000"} or client.config_get(
        "maxclients") == {b"maxclients": b"10000"}
    assert client.info()["redis_version"].startswith("7.") and client.info("gcs")["gcs_batches"] == 1


@pytest.mark.parametrize("mode", [["--scan"], ["--bigkeys"], ["--memkeys"], ["--stat", "-i", "0.1"],
                                  ["--latency", "-i", "0.2"], ["-3", "HELLO"]])
def test_modes_of_redis_cli(server, mode):
    client = server.client()
    client.execute_command("GCS.BATCH", "START", "ID", 1)
    client.execute_command("GCS.TASK", "ADD", programs.task_id(1, 1), b"spec")
    process = subprocess.Popen(
        ["stdbuf", "-oL", "redis-cli", "-p", str(server.port), *mode], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        output, _ = process.communicate(timeout=1.5)
        assert process.returncode == 0
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    assert output.strip() and "ERR" not in output and "Error" not in output


def test_redis_cli_pipe(server):
    words = ["GCS.TASK", "ADD", programs.task_id(6, 1).hex(), "spec"]
    request = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    done = subprocess.run(
        ["redis-cli", "-p", str(server.port), "--pipe"], input=request * 1000, text=True,
        capture_output=True, timeout=30)
    assert "errors: 0, replies: 1000" in done.stdout


def test_redis_benchmark(server):
    done = subprocess.run(
        ["redis-benchmark", "-p", str(server.port), "-n", "5000", "-P", "16", "-q", "-t", "ping"],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "requests per second" in done.stdout


def test_sixteen_writers_at_once(server):
    batch = server.client().execute_command("GCS.BATCH", "START")
    errors = []

    def write(writer):
        client = server.client()
        for number in range(500):
            task = programs.task_id(batch, writer * 1000 + number)
            if client.execute_command("GCS.TASK", "ADD", task, b"x") != 1:
                errors.append((writer, number))

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and server.client().scard(f"GC:{batch}") == 8000


def test_it_ends_cleanly(server):
    client = server.client()
    client.ping()
    assert server.stop() == 0
    server.start()
    assert server.cli("SHUTDOWN", "NOSAVE") == ""
    programs.wait_until(lambda: not server.is_running(), "SHUTDOWN ends the process")
    assert server.stop() == 0
