"""The object store's wire, written by hand: frames, and a client without manners."""

import array
import socket
import struct


def table(*fields):
    """A FlatBuffers root table; a field is an int of 4 bytes, ("q", int), ("B", int), bytes, a list
    of bytes or of ints of 8 bytes, or None. Written from the back, as FlatBuffers' own builders do."""
    slots, inline = [], b""
    late = []
    position = 4
    for field in fields:
        if field is None:
            slots.append(0)
            continue
        size = 8 if isinstance(field, tuple) and field[0] == "q" else 4
        while position % size:
            position, inline = position + 1, inline + b"\0"
        slots.append(position)
        if isinstance(field, tuple):
            code, value = field
            inline += struct.pack("<" + code, value).ljust(size, b"\0")
        elif isinstance(field, int):
            inline += struct.pack("<i", field)
        else:
            late.append((position, field))
            inline += b"\0\0\0\0"
        position += size
    vtable = struct.pack(f"<HH{len(slots)}H", 4 + 2 * len(slots), position, *slots)
    start = (4 + len(vtable) + 7) // 8 * 8
    out = bytearray(struct.pack("<I", start))
    out += b"\0" * (start - len(vtable) - 4) + vtable
    out += struct.pack("<i", len(vtable)) + inline

    def string(value):
        while len(out) % 4:
            out.append(0)
        at = len(out)
        out.extend(struct.pack("<I", len(value)) + value + b"\0")
        return at

    for position, value in late:
        if isinstance(value, bytes):
            at = string(value)
        elif value and isinstance(value[0], int):
            while len(out) % 8 != 4:
                out.append(0)
            at = len(out)
            out.extend(struct.pack(f"<I{len(value)}q", len(value), *value))
        else:
            while len(out) % 4:
                out.append(0)
            at = len(out)
            out.extend(struct.pack("<I", len(value)) + b"\0" * 4 * len(value))
            for index, one in enumerate(value):
                entry = at + 4 + 4 * index
                target = string(one)
                struct.pack_into("<I", out, entry, target - entry)
        struct.pack_into("<I", out, start + position, at - start - position)
    return bytes(out)


def field(body, slot, start=None):
    """Where a field of the root table, or of the table at `start`, lies; `None` when it is absent."""
    if start is None:
        start, = struct.unpack_from("<I", body)
    vtable = start - struct.unpack_from("<i", body, start)[0]
    if 4 + 2 * slot >= struct.unpack_from("<H", body, vtable)[0]:
        return None
    offset, = struct.unpack_from("<H", body, vtable + 4 + 2 * slot)
    return start + offset if offset else None


def follow(body, at):
    """What the offset at `at` points to."""
    return at + struct.unpack_from("<I", body, at)[0]


def listed_ids(body):
    """The ids in a List reply."""
    objects = field(body, 0)
    if objects is None:
        return []
    start = follow(body, objects)
    count, = struct.unpack_from("<I", body, start)
    found = []
    for index in range(count):
        one = follow(body, field(body, 0, follow(body, start + 4 + 4 * index)))
        found.append(bytes(body[one + 4:one + 24]))
    return found


def frame(kind, body, version=0, length=None):
    return struct.pack("<qqq", version, kind, len(body) if length is None else length) + body


class Raw:
    """A connection without manners."""

    def __init__(self, store):
        self.socket = socket.socket(socket.AF_UNIX)
        # With a time-out, connect would not wait for its turn in a long line of clients.
        self.socket.connect(str(store.socket))
        self.socket.settimeout(10)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # the store has dropped us meanwhile, which is its right

    def read(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def reply(self):
        version, kind, length = struct.unpack("<qqq", self.read(24))
        assert version == 0
        return kind, self.read(length)

    def ask(self, kind, body):
        self.send(frame(kind, body))
        return self.reply()

    def is_dropped(self, seconds=5):
        """Whether the store closes the connection, after whatever it still says."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(1 << 16):
                pass
        except (TimeoutError, socket.timeout):
            return False
        except OSError:
            pass
        return True

    def create_sealed(self, name):
        self.ask(3, table(name, ("B", 1), b"data", b"meta", b"12345678"))

    def create(self, name, size=100):
        kind, body = self.ask(1, table(name, ("B", 1), ("q", size), ("q", 0), 0))
        assert kind == 2
        self.socket.recvmsg(1, 1024)  # the byte that carries the descriptor
        return body

    def close(self):
        self.socket.close()


def pass_descriptor(raw, data, *descriptors):
    """Sends bytes that carry descriptors."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
    raw.socket.sendmsg([data], rights)


def subscribe(raw, descriptor):
    raw.send(frame(23, table()))
    pass_descriptor(raw, b"\0", descriptor)


def answers(store):
    """Whether another client is served."""
    raw = Raw(store)
    kind, _ = raw.ask(15, table(b"z" * 20))
    raw.close()
    return kind == 16 and store.is_running()
