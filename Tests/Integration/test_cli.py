"""The gcs command line, as people and scripts call it."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import programs
import pytest

SUBCOMMANDS = [
    [], ["status"], ["batch"], ["batch", "list"], ["batch", "show"], ["batch", "end"],
    ["batch", "destroy"], ["reference"], ["demo"], ["memory"],
]


def gcs(*words, server=None, **environment):
    """Runs gcs; a server's address goes into GCS_ADDRESS."""
    variables = {name: value for name, value in os.environ.items() if name != "GCS_ADDRESS"}
    if server is not None:
        variables["GCS_ADDRESS"] = server.address
    return subprocess.run(
        [programs.BIN / "gcs", *map(str, words)], env=variables | environment,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def ok(*words, **options):
    """What gcs prints when all went well."""
    done = gcs(*words, **options)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def refused(*words, **options):
    """The one line of an error."""
    done = gcs(*words, **options)
    assert (done.returncode, done.stdout) == (1, ""), done
    line, rest = done.stderr.split("\n", 1)
    assert rest == "" and line.startswith("gcs: "), done.stderr
    return line.removeprefix("gcs: ")


@pytest.mark.parametrize("words", SUBCOMMANDS, ids=" ".join)
def test_help_says_what_a_subcommand_does(words):
    text = ok(*words, "--help")
    assert text.startswith("OVERVIEW: ") and "USAGE: gcs" in text
    assert max(map(len, text.splitlines())) < 300


@pytest.mark.parametrize("words", [
    ["nonsense"], ["batch", "end"], ["batch", "end", "x"], ["batch", "end", "--", "-3"],
    ["batch", "list", "--status", "gone"], ["batch", "list", "--limit", "0"],
    ["status", "--address", "host:port"], ["status", "--username", "me"],
    ["demo", "--jobs", "0"], ["demo", "--store-size", "1gb", "--jobs", "2"],
    ["reference", "nothing"],
], ids=" ".join)
def test_wrong_usage_ends_with_64(words):
    done = gcs(*words)
    assert done.returncode == 64 and done.stdout == ""
    assert done.stderr.startswith("Error: ") and "Usage: gcs" in done.stderr


@pytest.mark.parametrize("words", [
    ["status"], ["memory"], ["batch", "list"], ["batch", "show", "1"], ["batch", "end", "1"],
    ["batch", "destroy", "1", "--yes"],
], ids=" ".join)
def test_no_server_is_one_clear_line(words, tmp_path):
    port = programs.free_port()
    text = refused(*words, "--address", f"127.0.0.1:{port}")
    assert text == f"cannot connect to 127.0.0.1:{port}: connection refused"
    text = refused(*words, GCS_ADDRESS=f"{tmp_path}/nothing")
    assert text == f"cannot connect to {tmp_path}/nothing: no such file or directory"


def start_batch(client, objects=3, **words):
    """A batch with a task and some objects; its number and its ids."""
    options = [word for name, value in words.items() for word in (name, value)]
    batch = client.execute_command("GCS.BATCH", "START", *options)
    client.execute_command("GCS.TASK", "ADD", programs.task_id(batch, 1), "spec")
    ids = [programs.task_id(batch, 1, index) for index in range(1, objects + 1)]
    for one in ids:
        client.execute_command("GCS.OBJECT", "ADD", one, "n1", 1000)
    return batch, ids


def test_status_of_an_empty_server(server):
    text = ok("status", server=server)
    assert f"server     {server.address}, version" in text and "no nodes" in text
    report = json.loads(ok("status", "--json", server=server))
    assert report["server"]["address"] == server.address
    assert report["tasks"] == report["objects"] == report["log-length"] == 0
    assert report["server"]["used-bytes"] > 0 and report["server"]["uptime-secs"] >= 0
    assert report["nodes"] == []


def test_status_shows_nodes_and_their_lag(server):
    client = server.client()
    client.execute_command("GCS.NODE", "REGISTER", "n1", "ADDRESS", "10.0.0.1", "STORE", "/s")
    client.execute_command("GCS.NODE", "HEARTBEAT", "n1", "objects", 3, "bytes", 3000)
    batch, _ = start_batch(client)
    client.execute_command("GCS.BATCH", "END", batch)
    node, = json.loads(ok("status", "--json", server=server))["nodes"]
    assert (node["id"], node["status"], node["address"], node["store"]) == (
        "n1", "alive", "10.0.0.1", "/s")
    assert (node["objects"], node["bytes"], node["behind"]) == (3, 3000, 1)
    assert abs(node["last-seen-ms"] / 1000 - time.time()) < 60
    text = ok("status", server=server)
    assert "NODE" in text and "n1    alive" in text

    entry = client.xrange("gc:log")[-1][0]
    client.execute_command("GCS.NODE", "ACK", "n1", entry)
    node, = json.loads(ok("status", "--json", server=server))["nodes"]
    assert node["behind"] == 0 and node["acknowledged"] == entry.decode()


def test_batch_list(server):
    client = server.client()
    first, _ = start_batch(client, NAME="first job")
    second, _ = start_batch(client, objects=1, PARENT=first)
    client.execute_command("GCS.BATCH", "END", second, "NOGC")
    batches = {one["id"]: one for one in json.loads(ok("batch", "list", "--json", server=server))}
    assert batches[first]["name"] == "first job" and batches[first]["status"] == "active"
    assert (batches[first]["tasks"], batches[first]["objects"]) == (1, 3)
    assert batches[first]["bytes"] > 0
    assert (batches[second]["status"], batches[second]["parent"]) == ("done", first)

    lines = ok("batch", "list", "--status", "done", server=server).splitlines()
    assert lines[0].split() == [
        "BATCH", "NAME", "STATUS", "AGE", "TASKS", "OBJECTS", "KEPT", "BYTES", "PARENT"]
    assert [line.split()[0] for line in lines[1:]] == [str(second)]


def test_batch_list_stops_at_its_limit(server):
    client = server.client()
    pipeline = client.pipeline(transaction=False)
    for _ in range(1200):
        pipeline.execute_command("GCS.BATCH", "START")
    started = set(pipeline.execute())
    assert len(json.loads(ok("batch", "list", "--json", server=server))) == 100
    everything = json.loads(ok("batch", "list", "--json", "--limit", "5000", server=server))
    assert started <= {batch["id"] for batch in everything}
    done = gcs("batch", "list", "--limit", "7", server=server)
    assert len(done.stdout.splitlines()) == 8 and "--limit" in done.stderr


def test_batch_show(server):
    client = server.client()
    batch, ids = start_batch(client, NAME="mine")
    client.execute_command("GCS.BATCH", "KEEP", batch, ids[0])
    text = ok("batch", "show", batch, server=server)
    facts = dict(line.split(maxsplit=1) for line in text.splitlines())
    assert (facts["batch"], facts["name"], facts["status"]) == (str(batch), "mine", "active")
    assert facts["started"].endswith(" ago") and facts["kept"] == "1"
    report = json.loads(ok("batch", "show", batch, "--members", "--json", server=server))
    assert report["batch"]["id"] == batch
    assert report["members"] == sorted(
        ["TASK:" + programs.task_id(batch, 1).hex()]
        + ["OBJECT:" + one.hex() for one in ids[1:]])
    assert refused("batch", "show", 4711, server=server) == "no such batch 4711"


def test_batch_end(server):
    client = server.client()
    batch, _ = start_batch(client)
    assert ok("batch", "end", batch, server=server) == f"batch {batch} collected\n"
    assert client.exists(f"GC:{batch}") == 0
    assert f"batch {batch} has ended" in refused("batch", "end", batch, server=server)
    assert refused("batch", "end", 4711, server=server) == "no such batch 4711"
    batch, _ = start_batch(client)
    text = ok("batch", "end", batch, "--no-gc", server=server)
    assert text == f"batch {batch} ended, its records and objects stay\n"
    assert json.loads(ok("batch", "end", batch, "--json", server=server)) == {
        "batch": batch, "outcome": "collected"}


def test_batch_destroy_needs_a_yes(server):
    client = server.client()
    batch, ids = start_batch(client)
    client.execute_command("GCS.BATCH", "KEEP", batch, ids[0])
    text = refused("batch", "destroy", batch, server=server)
    assert text == f"destroying batch {batch} needs --yes outside a terminal"
    assert client.exists(f"GC:{batch}") == 1
    text = ok("batch", "destroy", batch, "--yes", server=server)
    assert text == f"batch {batch} destroyed, 4 records released\n"
    assert client.exists(f"GC:{batch}", "OBJECT:" + ids[0].hex()) == 0


def test_a_server_that_is_another_and_wants_a_password(tmp_path):
    """redis-server: it has passwords, and no batches."""
    redis = programs.Program(
        ["redis-server", "--port", 0, "--unixsocket", tmp_path / "s", "--save", "",
         "--requirepass", "secret"], tmp_path).start()
    try:
        programs.wait_until((tmp_path / "s").exists, "redis-server listens", process=redis.process)
        address = ["--address", tmp_path / "s"]
        assert refused("status", *address) == "Authentication required."
        assert "invalid username-password" in refused("status", *address, "--password", "wrong")
        other = f"what answers at {tmp_path}/s is not a gcs-server"
        assert refused("status", *address, "--password", "secret") == other
        assert refused("status", *address, GCS_PASSWORD="secret") == other
        words = ["--username", "default", "--password", "secret"]
        assert refused("status", *address, *words) == other
        assert refused("batch", "list", *address, *words).startswith("unknown command 'GCS.BATCH'")
    finally:
        redis.kill()


@pytest.fixture
def parent():
    """A directory whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="gcs-", dir="/tmp") as path:
        yield pathlib.Path(path)


def run_demo(parent, *words):
    """Starts the demo, with its temporary directory where the test can look."""
    return subprocess.Popen(
        [programs.BIN / "gcs", "demo", "--quick", *map(str, words)],
        env=dict(os.environ, TMPDIR=str(parent)), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def children(process):
    """The processes that a process started and that still run."""
    path = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(word) for word in path.read_text().split()]


@pytest.mark.parametrize("kind", ["ours", "arrow"])
def test_demo(parent, kind):
    words = ["--store-program", programs.arrow_store()] if kind == "arrow" else []
    process = run_demo(parent, "--json", *words)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    report = json.loads(output)
    lru, batches = report["lru"], report["batches"]
    # The store alone loses what is needed and keeps what is not.
    assert lru["long-intact-count"] < lru["long-object-count"]
    assert lru["dead-bytes"] > lru["store-capacity-bytes"] / 4
    assert batches["long-intact-count"] == batches["long-object-count"] == 20
    assert batches["result-intact-count"] == batches["job-count"] == 40
    assert batches["dead-bytes"] == batches["left-batch-count"] == batches["left-object-count"] == 0
    assert batches["clean-nanoseconds"]["count"] == 40
    assert batches["clean-nanoseconds"]["maximum"] < 1e9
    assert not list(parent.iterdir())


# The second phase has a store, a server and a node manager.
@pytest.mark.parametrize("sent, count, pace", [
    (signal.SIGINT, 1, 200), (signal.SIGTERM, 1, 200), (signal.SIGINT, 3, 20),
])
def test_demo_cleans_up_when_it_is_interrupted(parent, sent, count, pace):
    process = run_demo(parent, "--pace", pace)
    started = programs.wait_until(
        lambda: len(children(process)) == count and children(process), f"{count} processes")
    assert len(list(parent.iterdir())) == 1
    process.send_signal(sent)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130 and errors.endswith("gcs: interrupted\n"), errors
    assert not any(pathlib.Path(f"/proc/{pid}").exists() for pid in started)
    assert not list(parent.iterdir())


def node_manager(process):
    """The process id of the demo's node manager."""
    for pid in children(process):
        # The demo also starts children that are gone a moment later.
        with contextlib.suppress(FileNotFoundError):
            if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "gcs-node":
                return pid
    return None


def test_demo_names_the_promises_that_are_broken(parent):
    process = run_demo(parent)
    for line in process.stderr:
        if line.startswith("with batches: "):
            break
    # The node manager is there, but does nothing any more.
    os.kill(node_manager(process), signal.SIGSTOP)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    broken = [line for line in errors.splitlines() if line.startswith("broken promise: ")]
    for words in ["objects of the long job not intact", "not deleted from the store",
                  "dead weight 1 s after the last END", "left 1 s after the long job's END"]:
        assert any(words in line for line in broken), errors
    assert "WITH BATCHES" in output
    assert not list(parent.iterdir())


def test_demo_ends_when_one_of_its_programs_does(parent):
    process = run_demo(parent)
    pid = programs.wait_until(lambda: node_manager(process), "the node manager")
    os.kill(pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "gcs: gcs-node ended by itself" in errors
    assert not list(parent.iterdir())


def test_demo_says_which_program_is_missing(tmp_path):
    text = refused("demo", "--quick", "--store-program", tmp_path / "none")
    assert text == f"cannot find {tmp_path}/none, or it is no program"


def test_reference_comes_from_the_tables():
    text = ok("reference")
    assert "`GCS.BATCH END <batch> [NOGC]`" in text and "| `maxclients` |" in text
    assert "| `store-socket` |" in text
    assert ok("reference", "node") == text[text.index("## gcs-node"):]
    for topic, page in [("commands", '"GCS\\-COMMANDS" 7'), ("server", '"GCS.CONF" 5')]:
        text = ok("reference", topic, "--format", "man")
        assert text.startswith(f".TH {page}\n.SH \"NAME\"\n")
    assert gcs("reference", "--format", "man").returncode == 64
