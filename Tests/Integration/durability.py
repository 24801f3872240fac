"""Rounds of crashes: a server that is killed while clients write to it, and what it must know afterwards."""

import json
import os
import random
import subprocess
import threading
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import programs
from durability_writers import ENDED, Flusher, Writer, fields, object_value, task_value
from recorded_disk import RecordedDisk

WRITERS = 8
# What `everysec` may lose.
WINDOW = 1.5


class RecordedServer(programs.Server):
    """gcs-server with a recorder of what is on the disk preloaded.

    `lies` is a part of paths: such files are never synced, whatever the server is told.
    """

    def __init__(self, directory, *settings, recorder=None, lies=None):
        super().__init__(directory, "--dir", directory, *settings)
        self.disk = RecordedDisk(directory)
        self.environment = dict(os.environ)
        if recorder:
            self.environment |= {
                "LD_PRELOAD": str(recorder), "DURABILITY_NOTES": str(self.disk.notes)}
        if lies:
            self.environment["DURABILITY_LIES"] = lies

    def launch(self):
        """Starts the process, and does not wait for it."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.args, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment)

    def start(self):
        self.launch()
        programs.wait_until(self._answers, "gcs-server answers", 120, self.process)
        return self

    def segments(self):
        """The files of the log, in their order."""
        folder = self.directory / "appendonlydir"
        manifest = folder / "appendonly.aof.manifest"
        if not manifest.exists():
            return []
        return [folder / line.split()[1] for line in manifest.read_text().splitlines()]

    def cut_last_groups(self, count):
        """Takes the last groups of the log away, as if they had never been written."""
        mark = b"\r\n$8\r\nGCS.LOAD\r\n$4\r\nMARK\r\n"
        path = [path for path in self.segments() if mark in path.read_bytes()][-1]
        data = path.read_bytes()
        place = len(data)
        for _ in range(count + 1):
            place = data.rfind(mark, 0, place)
        assert place > 0, "fewer groups than are to be cut off"
        # The mark: six lines behind the count of its words.
        end = place + len(mark)
        for _ in range(6):
            end = data.index(b"\r\n", end) + 2
        os.truncate(path, end)


class Listener(threading.Thread):
    """A node that hears of deletions and acknowledges them; notes what it heard of and said, and when."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.heard = []
        self.acknowledged = []
        self.ready = threading.Event()
        self.is_stopping = False

    def run(self):
        client = redis.Redis(
            port=self.port, protocol=2, socket_timeout=20, retry=Retry(NoBackoff(), 0))
        try:
            listener = client.pubsub()
            listener.psubscribe("GC:*")
            listener.get_message(timeout=5)
            self.ready.set()
            while not self.is_stopping:
                message = listener.get_message(timeout=0.05)
                if message is None or message["type"] != "pmessage":
                    continue
                told = json.loads(message["data"])
                names = (told["batch"],) if "batch" in told else tuple(told["objects"])
                self.heard.append((time.monotonic(), told["id"], names))
                if len(self.heard) % 8 == 0:
                    client.execute_command("GCS.NODE", "ACK", "fast", told["id"])
                    self.acknowledged.append((time.monotonic(), told["id"]))
        except (OSError, redis.RedisError):
            pass
        finally:
            self.ready.set()


class Rounds:
    """A server's life in rounds: writes, a crash, a start, and a judgement."""

    def __init__(self, server, seed, sync, judged_as=None, flushes=False):
        self.server = server
        self.flushes = flushes
        self.random = random.Random(seed)
        self.sync = sync
        # The rule to judge by; another one shows that a loss is found.
        self.rule = judged_as or sync
        self.things = [{} for _ in range(WRITERS)]
        self.counters = [0] * WRITERS
        self.ended = []
        self.answered = 0
        self.started = set()
        # Records that were judged, and those of them that were on disk only; starts with nothing.
        self.judged = 0
        self.judged_on_disk = 0
        self.forgotten = 0

    # A round.

    def round(self, event="plain", power=False, seconds=None):
        """Lets clients write, does `event` at a random moment, crashes, starts, and judges.

        Returns what is wrong.
        """
        problems = self.prepare()
        writers, others = self.begin_writing()
        duration = seconds or self.random.uniform(0.2, 2.8 if self.sync == "everysec" else 1.2)
        floor = self.disturb(event, duration, writers)
        killed = time.monotonic()
        self.server.kill()
        for thread in [*writers, *others]:
            thread.is_stopping = True
            thread.join(30)
        problems += [writer.problem for writer in writers if writer.problem]
        if power:
            self.server.disk.lose_power(strict=self.random.random() < 0.5)
        if event == "loading":
            self.kill_loading()
        self.server.start()
        return problems + self.judge(writers, others[0], killed, floor)

    def prepare(self):
        """Registers nodes, and looks that no number of a batch is given twice."""
        with self.server.client() as client:
            for node in ["fast", "slow"]:
                client.execute_command("GCS.NODE", "REGISTER", node)
            batch = client.execute_command("GCS.BATCH", "START")
            problems = [f"batch {batch} was started twice"] if batch in self.started else []
            self.started.add(batch)
            # It stays where it is until the next round: nobody else writes to it.
            client.execute_command("GCS.BATCH", "END", batch)
        self.prepared = time.monotonic()
        self.own_batch = int(batch)
        return problems

    def begin_writing(self):
        listener = Listener(self.server.port)
        listener.start()
        listener.ready.wait(10)
        writers = [
            Writer(number, self.server.port, self.things[number], self.counters[number],
                   self.random.random(), is_large=self.flushes)
            for number in range(WRITERS)]
        others = [listener]
        if self.flushes:
            others.append(Flusher(self.server.port, self.random.random()))
        for thread in [*writers, *others[1:]]:
            thread.start()
        return writers, others

    def disturb(self, event, duration, writers):
        """Waits for the moment of the crash; how much of each writer's work was promised before it."""
        if event in ("plain", "loading"):
            time.sleep(duration)
            return None
        time.sleep(duration * self.random.random())
        with self.server.client() as client:
            if event == "rewrite":
                client.execute_command("BGREWRITEAOF")
            elif event == "snapshot":
                client.execute_command("BGSAVE")
            elif event == "switch":
                return self.switch(client, writers)
        time.sleep(self.random.expovariate(1 / 0.1))
        return None

    def switch(self, client, writers):
        """Switches the log off and on again: until it is whole, only what was before counts."""
        floor = [leading(writer, None) for writer in writers]
        if self.sync == "everysec":
            floor = [leading(writer, time.monotonic() - WINDOW) for writer in writers]
        if self.flushes:
            # Of any age: it would be loaded where there is neither the old log nor a whole new one.
            (self.server.directory / "dump.gcs").unlink(missing_ok=True)
        client.config_set("appendonly", "no")
        time.sleep(self.random.uniform(0, 0.2))
        try:
            client.config_set("appendonly", "yes")
        except redis.ResponseError:
            # What was flushed meanwhile, no log tells of.
            return floor
        if self.random.random() < 0.5:
            time.sleep(self.random.expovariate(1 / 0.05))
            if client.info("persistence")["aof_rewrite_in_progress"]:
                return floor
        programs.wait_until(
            lambda: not client.info("persistence")["aof_rewrite_in_progress"], "the log is whole")
        time.sleep(self.random.uniform(0, 0.5))
        return None

    def kill_loading(self):
        for _ in range(self.random.randrange(1, 4)):
            self.server.launch()
            time.sleep(self.random.uniform(0, 0.3))
            self.server.kill()

    # The judgement.

    def judge(self, writers, listener, killed, floor):
        cutoff = None if self.rule == "always" else killed - WINDOW
        with self.server.client() as client:
            if self.flushes:
                self.count_flushed(client)
            found, problems = observe(client, writers)
            if floor is not None and self.flushes and not found:
                # The log of before told of other flushed records, and the new one was not whole.
                self.forget()
                return problems
            entries = read_entries(client)
            problems += self.judge_nodes(client, listener, cutoff, floor)
            problems += self.judge_ended(client)
            last = entries[-1][0] if entries else "0-0"
            for node in ["fast", "slow"]:
                try:
                    client.execute_command("GCS.NODE", "ACK", node, last)
                except redis.ResponseError as error:
                    if cutoff is None or self.prepared <= cutoff:
                        problems.append(f"lost: node {node}: {error}")
        for number, writer in enumerate(writers):
            self.answered += sum(1 for o in writer.operations if o.answered)
            low = floor[number] if floor else leading(writer, cutoff)
            moments, wrong = agreement(writer, found, low)
            problems += wrong
            if not moments:
                continue
            # What came and went leaves no trace but in the deletion log: it tells moments apart.
            count, wrong = min(
                ((moment, judge_entries(writer, moment, entries)) for moment in moments),
                key=lambda judged: len(judged[1]))
            problems += wrong
            self.adopt(number, writer, count)
        known = {key for things in self.things for key in things}
        if cutoff is not None and self.prepared > cutoff:
            # Its end was too late to be promised, but its start may have been durable.
            known.add(("batch", self.own_batch))
            self.end_own_batch()
        if not problems:
            problems += [f"phantom: {key} is {found[key]}, nobody wrote that" for key in found
                         if key not in known and found[key] != ENDED][:5]
        if floor is None:
            problems += judge_heard(listener, entries, cutoff)
        return problems

    def end_own_batch(self):
        with self.server.client() as client:
            try:
                client.execute_command("GCS.BATCH", "END", self.own_batch)
            except redis.ResponseError:
                # Neither its start was durable.
                pass

    def count_flushed(self, client):
        # What the log still tells of is in memory after a start.
        if self.random.random() < 0.7:
            client.execute_command("GCS.FLUSH", 1_000_000)
        info = client.info("flush")
        self.judged += client.dbsize()
        self.judged_on_disk += info["flush_records_on_disk"]

    def forget(self):
        """Goes on with a server that has nothing."""
        self.things = [{} for _ in range(WRITERS)]
        self.ended = []
        self.started = set()
        self.forgotten += 1

    def adopt(self, number, writer, count):
        """Goes on from what the server knows."""
        things = dict(writer.base)
        for operation in writer.operations[:count]:
            things.update(operation.changes)
        self.ended += [key[1] for key, value in things.items() if value == ENDED]
        self.things[number] = {
            key: value for key, value in things.items() if value not in (None, ENDED)}
        self.counters[number] = writer.counter

    def judge_nodes(self, client, listener, cutoff, floor):
        told = client.execute_command("GCS.NODE", "REGISTER", "fast").decode()
        said = [id for at, id in listener.acknowledged if cutoff is None or at <= cutoff]
        if floor is None and said and log_id(told) < log_id(said[-1]):
            return [f"lost: node fast had acknowledged {said[-1]}, the server knows of {told}"]
        return []

    def judge_ended(self, client):
        """Batches that ended in earlier rounds have ended."""
        sample = self.random.sample(self.ended, min(100, len(self.ended)))
        states = batch_states(client, sample)
        return [f"batch {batch} had ended and is {state}"
                for batch, state in states.items() if state != ENDED]


def log_id(text):
    return tuple(map(int, text.split("-")))


def leading(writer, cutoff):
    """How many of a writer's operations were answered, or were answered by a moment."""
    count = 0
    for operation in list(writer.operations):
        if operation.answered is None or (cutoff is not None and operation.answered > cutoff):
            break
        count += 1
    return count


def agreement(writer, found, low):
    """After how many of a writer's operations, at least `low`, all of its things were as they were
    found: each such number; with what is wrong when there is none."""
    operations = writer.operations
    sent = sum(1 for operation in operations if operation.sent is not None)
    history = {key: [(0, value)] for key, value in writer.base.items()}
    for index, operation in enumerate(operations[:sent]):
        for key, value in operation.changes.items():
            history.setdefault(key, [(0, None)]).append((index + 1, value))
    # How many things agree at each moment, as differences.
    agreeing = [0] * (sent + 2)
    wrong = []
    for key, values in history.items():
        ends = [start for start, _ in values[1:]] + [sent + 1]
        spans = [(start, end) for (start, value), end in zip(values, ends)
                 if value == found.get(key)]
        for start, end in spans:
            agreeing[start] += 1
            agreeing[end] -= 1
        if not any(end > low for _, end in spans):
            kind = "lost" if spans else "phantom"
            wanted = [value for (_, value), end in zip(values, ends) if end > low]
            wrong.append(f"{kind}: {key} is {found.get(key)!r:.200}, not {wanted[0]!r:.200} "
                         f"(writer {writer.number}, {low} of {sent} count; it was "
                         f"{[(at, repr(value)[:80]) for at, value in values]})")
    if wrong:
        return [], wrong[:5]
    total = 0
    moments = []
    for moment in range(sent + 1):
        total += agreeing[moment]
        if total == len(history) and moment >= low:
            moments.append(moment)
    if not moments:
        return [], [f"writer {writer.number}: its things are of different moments"]
    return moments, []


def judge_entries(writer, count, entries):
    """The deletion log tells once of what went, and of nothing else."""
    times = {}
    for _, names in entries:
        for name in names:
            times[name] = times.get(name, 0) + 1
    problems = []
    for index, operation in enumerate(writer.operations):
        for name in operation.entries:
            told = times.get(name, 0)
            if told != (1 if index < count else 0):
                problems.append(f"the deletion log tells {told} times of {name}")
    return problems[:5]


def judge_heard(listener, entries, cutoff):
    """What was published is in the deletion log under the same id."""
    known = dict(entries)
    return [f"{id} was published for {names} and is {known.get(id)} in the deletion log"
            for at, id, names in listener.heard
            if (cutoff is None or at <= cutoff) and known.get(id) != names][:5]


# What a server knows.

def read_entries(client):
    entries = []
    for id, fields in client.execute_command("XRANGE", "gc:log", "-", "+"):
        objects = fields.get(b"objects") if isinstance(fields, dict) else dict(
            zip(fields[::2], fields[1::2])).get(b"objects")
        if objects is not None:
            names = tuple(objects.decode().split(","))
        else:
            flat = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2]))
            names = (int(flat[b"batch"]),)
        entries.append((id.decode(), names))
    return entries


def pipelined(client, commands):
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return pipeline.execute(raise_on_error=False)


def batch_states(client, batches):
    replies = pipelined(client, [("GCS.BATCH", "INFO", batch) for batch in batches])
    states = {}
    for batch, reply in zip(batches, replies):
        if isinstance(reply, redis.ResponseError):
            states[batch] = ENDED if str(reply).startswith("BATCHENDED") else None
            continue
        info = fields(reply)
        states[batch] = (
            info[b"status"].decode(), info[b"parent"], info[b"name"].decode(),
            frozenset(info[b"depends-on"]))
    return states


def observe(client, writers):
    """All that a server knows, by the names that writers have for things; and what is wrong with it."""
    names = [key.decode() for key in client.scan_iter(count=1000)]
    listed = {("task", name[5:]) for name in names if name.startswith("TASK:")}
    listed |= {("object", name[7:]) for name in names if name.startswith("OBJECT:")}
    batches = {int(name[3:]) for name in names if name.startswith("GC:")} - {0}
    asked = set(listed)
    for writer in writers:
        keys = [*writer.base, *(key for one in writer.operations for key in one.changes)]
        batches |= {key[1] for key in keys if key[0] == "batch"}
        # What is not listed may be there all the same.
        asked |= {key for key in keys if key[0] in ("task", "object")}
    found = {("batch", batch): state for batch, state in
             batch_states(client, sorted(batches)).items() if state is not None}
    problems = []
    for kind, value in [("task", task_value), ("object", object_value)]:
        ids = sorted(key[1] for key in asked if key[0] == kind)
        replies = pipelined(client, [(f"GCS.{kind.upper()}", "GET", id) for id in ids])
        for id, reply in zip(ids, replies):
            if isinstance(reply, redis.ResponseError):
                problems.append(f"GET of {kind} {id}: {reply}")
            elif reply is not None:
                found[kind, id] = value(reply)
            if (reply is not None) != ((kind, id) in listed):
                problems.append(f"{kind} {id} is {'not ' if reply is not None else ''}listed, "
                                f"and GET gives {reply!r:.100}")
    problems += judge_counts(client, found, names)
    for reference in references(client):
        found["reference", reference[b"pid"], reference[b"object"].decode()] = True
    return found, problems[:5]


def judge_counts(client, found, names):
    """Counts are those of what is there: of all keys, and of each batch."""
    problems = []
    if client.dbsize() != len(set(names)):
        problems.append(f"DBSIZE is {client.dbsize()}, and SCAN lists {len(set(names))} keys")
    members = {key[1]: set() for key, value in found.items() if key[0] == "batch" and value != ENDED}
    counts = {batch: {"task": 0, "object": 0} for batch in members}
    for (kind, id), value in ((key, found[key]) for key in found if key[0] in ("task", "object")):
        batch = value[2] if kind == "task" else value[4]
        if batch not in members:
            continue
        if kind == "task" or not value[2]:
            members[batch].add(f"{kind.upper()}:{id}".encode())
            counts[batch][kind] += 1
    batches = sorted(members)
    cards = pipelined(client, [("SCARD", f"GC:{batch}") for batch in batches])
    lists = pipelined(client, [("SMEMBERS", f"GC:{batch}") for batch in batches])
    infos = pipelined(client, [("GCS.BATCH", "INFO", batch) for batch in batches])
    for batch, card, listed, info in zip(batches, cards, lists, infos):
        if card != len(listed) or set(listed) != members[batch]:
            problems.append(
                f"batch {batch}: SCARD {card}, SMEMBERS {len(listed)}, there are "
                f"{len(members[batch])}; {sorted(set(listed) ^ members[batch])[:3]}")
        info = fields(info)
        told = {"task": info[b"tasks"], "object": info[b"objects"]}
        if told != counts[batch]:
            problems.append(f"batch {batch}: INFO tells {told}, there are {counts[batch]}")
    return problems


def references(client):
    cursor = b"0"
    while True:
        cursor, page = client.execute_command("GCS.MEMORY", "REFS", "CURSOR", cursor, "COUNT", 250)
        yield from map(fields, page)
        if int(cursor) == 0:
            return
