"""Clients that write to a server, each to things of its own, and know what it must be after every one of
their commands."""

import random
import threading
import time

import redis

STATES = ["PENDING", "RUNNING", "FINISHED", "FAILED", "CANCELLED", "LOST"]
ENDED = "ended"


class Operation:
    """A command, the reply that it must have, and what it changes: things and what they are then."""

    __slots__ = ("words", "reply", "changes", "entries", "sent", "answered")

    def __init__(self, words, reply, changes, entries=()):
        self.words = words
        self.reply = reply
        self.changes = changes
        # What the deletion log must tell of it: batches by number, objects by name.
        self.entries = entries
        self.sent = None
        self.answered = None


def fields(reply):
    return dict(zip(reply[::2], reply[1::2])) if isinstance(reply, list) else reply


def task_value(reply):
    """A task by what GCS.TASK GET gives."""
    info = fields(reply)
    return (info[b"spec"].decode(), info[b"state"].decode(), info[b"batch"])


def object_value(reply):
    """An object by what GCS.OBJECT GET gives."""
    info = fields(reply)
    places = [fields(place) for place in info[b"locations"]]
    return (
        info[b"bytes"], bool(info[b"pinned"]), bool(info[b"kept"]),
        frozenset((place[b"node"].decode(), place[b"copy"].decode()) for place in places),
        info[b"batch"])


class Told:
    """Equal to each reply that tells a thing."""

    def __init__(self, value, read):
        self.value = value
        self.read = read

    def __eq__(self, reply):
        return isinstance(reply, (list, dict)) and self.read(reply) == self.value

    def __repr__(self):
        return f"{self.value!r:.300}"


class Flusher(threading.Thread):
    """Has records flushed at random moments."""

    def __init__(self, port, seed):
        super().__init__(daemon=True)
        self.port = port
        self.random = random.Random(seed)
        self.is_stopping = False

    def run(self):
        connection = redis.Connection(port=self.port, socket_timeout=20)
        try:
            connection.connect()
            while not self.is_stopping:
                time.sleep(self.random.expovariate(1 / 0.1))
                count = self.random.choice([[], [10], [300], [10_000]])
                connection.send_command("GCS.FLUSH", *count)
                try:
                    connection.read_response()
                except redis.ResponseError:
                    # The log is not whole, or the server is loading: another time.
                    pass
        except (OSError, redis.RedisError):
            pass
        finally:
            connection.disconnect()


class Writer(threading.Thread):
    """Sends random commands, alone and in pipelines, until its connection ends.

    `things` is what there must be, by ("task", id), ("object", id), ("batch", number) and ("reference",
    process, id):

    - a task: its specification, state and batch;
    - an object: bytes, pinned, kept, locations, batch;
    - a batch: status, parent, name, the batches that it depends on; or "ended".
    """

    def __init__(self, number, port, things, counter, seed, is_large=False):
        super().__init__(daemon=True)
        self.is_large = is_large
        self.sizes = [60, 300, 4000, 12000] if is_large else [20, 60, 300, 4000]
        self.thing_count_max = 1500 if is_large else 700
        self.batch_count_max = 14 if is_large else 7
        self.number = number
        self.port = port
        self.base = things
        self.things = dict(things)
        self.counter = counter
        self.random = random.Random(seed)
        self.operations = []
        self.problem = None
        self.is_stopping = False

    # The things that the next command may be about.

    def live(self, kind):
        return [key for key, value in self.things.items()
                if key[0] == kind and value is not None and value != ENDED]

    def active(self):
        return [key[1] for key in self.live("batch") if self.things[key][0] == "active"]

    def children(self, batch):
        return [key[1] for key in self.live("batch") if self.things[key][1] == batch]

    def dependents(self, batch):
        return [key[1] for key in self.live("batch") if batch in self.things[key][3]]

    def leaves(self):
        return [batch for batch in self.active() if not self.children(batch)]

    def next_number(self):
        self.counter += 1
        return self.counter

    def pick(self, items):
        return self.random.choice(items) if items else None

    # Commands. Each gives an operation, or None when nothing is there for it.

    def start_batch(self):
        number = ((self.number + 1) << 32) + self.next_number()
        words = ["GCS.BATCH", "START", "ID", number]
        parents = [b for b in self.active() if not self.dependents(b)]
        parent = self.pick(parents) if self.random.random() < 0.5 else None
        name = f"writer {self.number}" if self.random.random() < 0.5 else ""
        words += ["PARENT", parent] if parent else []
        words += ["NAME", name] if name else []
        value = ("active", parent or 0, name, frozenset())
        return Operation(words, number, {("batch", number): value})

    def add_task(self, task=None):
        batch = self.pick(self.active())
        if task is None:
            task = f"{batch:016x}{self.next_number():016x}00000000"
        else:
            batch = self.things["task", task][2]
        specification = f"{self.number} {self.next_number()} ".ljust(
            self.random.choice(self.sizes), "s")
        state = self.pick(STATES)
        is_new = self.things.get(("task", task)) is None
        return Operation(
            ["GCS.TASK", "ADD", task, specification, "STATE", state], int(is_new),
            {("task", task): (specification, state, batch)})

    def replace_task(self):
        key = self.pick(self.live("task"))
        return self.add_task(key[1]) if key else None

    def set_state(self):
        key = self.pick(self.live("task"))
        if key is None:
            return None
        state = self.pick(STATES)
        specification, _, batch = self.things[key]
        return Operation(["GCS.TASK", "STATE", key[1], state], b"OK",
                         {key: (specification, state, batch)})

    def add_object(self, name=None):
        batch = self.pick(self.active())
        if name is None:
            name = f"{batch:016x}{self.next_number():016x}00000001"
        size, pinned, kept, places, batch = self.things.get(
            ("object", name)) or (0, False, False, frozenset(), batch)
        node = self.pick(["na", "nb", "nc"])
        copy = self.pick(["primary", "secondary"])
        size = self.next_number()
        words = ["GCS.OBJECT", "ADD", name, node, size]
        words += ["SECONDARY"] if copy == "secondary" else []
        others = frozenset(place for place in places if place[0] != node)
        value = (size, pinned, kept, others | {(node, copy)}, batch)
        return Operation(words, int(others == places), {("object", name): value})

    def add_copy(self):
        key = self.pick(self.live("object"))
        return self.add_object(key[1]) if key else None

    def remove_copy(self):
        key = self.pick(self.live("object"))
        if key is None or not self.things[key][3]:
            return None
        size, pinned, kept, places, batch = self.things[key]
        place = self.pick(sorted(places))
        return Operation(["GCS.OBJECT", "REMOVE", key[1], place[0]], 1,
                         {key: (size, pinned, kept, places - {place}, batch)})

    def pin(self):
        key = self.pick(self.live("object"))
        if key is None:
            return None
        size, pinned, kept, places, batch = self.things[key]
        if not pinned:
            return Operation(["GCS.OBJECT", "PIN", key[1]], 1, {key: (size, True, kept, places, batch)})
        # In the root are those whose batch has ended and which their pins saved.
        left = None if batch == 0 else (size, False, kept, places, batch)
        return Operation(["GCS.OBJECT", "UNPIN", key[1]], 1, {key: left}, () if left else (key[1],))

    def keep(self):
        keys = [key for key in self.live("object") if self.parent(self.things[key][4])]
        key = self.pick(keys)
        if key is None:
            return None
        size, pinned, kept, places, batch = self.things[key]
        return Operation(["GCS.BATCH", "KEEP", batch, key[1]], int(not kept),
                         {key: (size, pinned, True, places, batch)})

    def parent(self, batch):
        value = self.things.get(("batch", batch))
        return value[1] if value and value != ENDED else 0

    def transfer(self):
        key, batch = self.pick(self.live("object")), self.pick(self.active())
        if key is None:
            return None
        size, pinned, _, places, old = self.things[key]
        if old == batch:
            return None
        return Operation(["GCS.BATCH", "TRANSFER", batch, key[1]], 1,
                         {key: (size, pinned, False, places, batch)})

    def free(self):
        key = self.pick([key for key in self.live("object") if not self.things[key][1]])
        return key and Operation(["GCS.OBJECT", "FREE", key[1]], 1, {key: None}, (key[1],))

    def depend(self):
        leaves = self.leaves()
        if len(leaves) < 2:
            return None
        batch, other = self.random.sample(leaves, 2)
        status, parent, name, needs = self.things["batch", batch]
        if self.things["batch", other][3] or self.dependents(batch) or other in needs:
            return None
        # Not on one that still takes children: END of that one would end them too.
        if self.parent(batch) == other or self.parent(other) == batch:
            return None
        return Operation(["GCS.BATCH", "DEPEND", batch, other], 1,
                         {("batch", batch): (status, parent, name, needs | {other})})

    def end_batch(self):
        batch = self.pick(self.leaves())
        if batch is None:
            return None
        _, parent, name, needs = self.things["batch", batch]
        if self.dependents(batch):
            return Operation(["GCS.BATCH", "END", batch], b"DEFERRED",
                             {("batch", batch): ("deferred", parent, name, needs)})
        # Deferred ones that only this one needed go with it.
        gone = [batch] + [
            other for other in needs
            if self.things["batch", other][0] == "deferred" and self.dependents(other) == [batch]]
        changes = {("batch", other): ENDED for other in gone}
        for key in self.live("task"):
            if self.things[key][2] in gone:
                changes[key] = None
        for key in self.live("object"):
            size, pinned, kept, places, owner = self.things[key]
            if owner in gone:
                heir = self.parent(owner) if kept else 0
                changes[key] = (
                    (size, pinned, False, places, heir) if kept or pinned else None)
        return Operation(["GCS.BATCH", "END", batch], b"COLLECTED", changes, tuple(gone))

    def refer(self):
        key, process = self.pick(self.live("object")), self.random.randrange(1, 9)
        if key is None:
            return None
        name = ("reference", process, key[1])
        is_new = self.things.get(name) is None
        action = "ADD" if is_new else "REMOVE"
        return Operation(
            ["GCS.REF", action, f"w{self.number}", process, "LOCAL_REFERENCE", key[1]], 1,
            {name: True if is_new else None})

    def clear(self):
        process = self.random.randrange(1, 9)
        held = [key for key in self.live("reference") if key[1] == process]
        return Operation(["GCS.REF", "CLEAR", f"w{self.number}", process], len(held),
                         {key: None for key in held})

    def read(self):
        key = self.pick(self.live("task") + self.live("object"))
        if key is None:
            return None
        read = task_value if key[0] == "task" else object_value
        return Operation([f"GCS.{key[0].upper()}", "GET", key[1]], Told(self.things[key], read), {})

    def count(self):
        batch = self.pick(self.active())
        count = sum(1 for key in self.live("task") if self.things[key][2] == batch)
        count += sum(1 for key in self.live("object")
                     if self.things[key][4] == batch and not self.things[key][2])
        return Operation(["SCARD", f"GC:{batch}"], count, {})

    CHOICES = [
        (add_task, 20), (replace_task, 15), (set_state, 15), (add_object, 15), (add_copy, 8),
        (remove_copy, 5), (pin, 6), (keep, 4), (transfer, 4), (free, 4), (start_batch, 4),
        (end_batch, 4), (refer, 8), (clear, 1), (depend, 2), (read, 15), (count, 1),
    ]

    def next_operation(self):
        active = len(self.active())
        choose = None
        if active < 2:
            choose = Writer.start_batch
        elif active > self.batch_count_max or len(self.things) > self.thing_count_max:
            choose = Writer.end_batch
        while True:
            method = choose or self.random.choices(
                [choice for choice, _ in self.CHOICES], [weight for _, weight in self.CHOICES])[0]
            # Batches that live longer hold more.
            is_early = method is Writer.end_batch and self.is_large and self.random.random() < 0.7
            operation = None if is_early and choose is None else method(self)
            if operation is not None:
                break
            choose = None
        for key, value in operation.changes.items():
            self.things[key] = value
        # What is gone is remembered by the operations, not here.
        for key in [key for key in operation.changes if self.things[key] in (None, ENDED)]:
            del self.things[key]
        self.operations.append(operation)
        return operation

    # Sending.

    def run(self):
        connection = redis.Connection(port=self.port, socket_timeout=20)
        try:
            connection.connect()
            while not self.is_stopping and self.problem is None:
                count = self.random.choice([1, 1, 1, 2, 8, 32])
                self.send(connection, [self.next_operation() for _ in range(count)])
        except (OSError, redis.ConnectionError, redis.TimeoutError) as error:
            if isinstance(error, (TimeoutError, redis.TimeoutError)):
                self.problem = f"writer {self.number}: no reply within 20 s"
        finally:
            connection.disconnect()

    def send(self, connection, operations):
        now = time.monotonic()
        for operation in operations:
            operation.sent = now
        connection.send_packed_command(
            connection.pack_commands([operation.words for operation in operations]))
        for operation in operations:
            try:
                reply = connection.read_response()
            except redis.ResponseError as error:
                reply = error
            operation.answered = time.monotonic()
            if reply != operation.reply:
                self.problem = (
                    f"writer {self.number}: {operation.words} was answered {reply!r}, "
                    f"not {operation.reply!r}")
                return
