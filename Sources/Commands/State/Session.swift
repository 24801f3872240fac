internal import Glibc
public import RESP

/// A session's place in memory; the same for its whole life.
public typealias SessionPointer = UnsafeMutablePointer<Session>

/// One connection as the server knows it: protocol, subscriptions, unread input and unsent output.
///
/// Without buffers while idle. The fields that every command touches come first.
public struct Session {
    /// What the connection still does.
    public enum Phase: UInt8, Sendable {
        /// It is served.
        case open
        /// It is closed when its output is sent; its input is ignored.
        case closing
        /// It is closed at once.
        case dropped
    }

    /// Which replies CLIENT REPLY lets through.
    public enum ReplyMode: UInt8, Sendable {
        /// All.
        case on
        /// None.
        case off
        /// All but that of the next command.
        case skipNext
        /// All but that of this command.
        case skipThis
    }

    /// Its number, from 1 on; never used again.
    public let id: UInt64
    /// What the connection still does.
    public var phase = Phase.open
    /// 2 or 3.
    public var version: UInt8 = 2
    /// Which replies it gets.
    public var replyMode = ReplyMode.on
    /// Whether the server's list of connections with output or a new phase has it.
    public var isDirty = false
    /// Its channels and patterns.
    public var subscriptionCount: Int32 = 0
    /// Whether the server's list of connections that wait has it.
    public internal(set) var isWaiting = false
    /// The part of the loop's output that is its own.
    public var chunkStart = 0
    /// The end of that part.
    public var chunkEnd = 0
    /// Output that was not sent in its turn.
    public var queue = ByteQueue()
    /// Bytes at the end of the queue that wait for a sync, and of these the ones that wait for the next.
    public var held = (byteCount: 0, laterByteCount: 0)
    /// Bytes at the front of the queue that were there before this turn and wait for room only.
    public var sendableByteCount = 0
    /// Input of a request that is not complete, or that waits.
    public var input: UnsafeMutablePointer<HeldInput>?
    /// What answers in slices or later, and keeps further requests waiting.
    public var pending: Pending?
    /// Whoever moves its bytes; set by the transport.
    public var transport: UnsafeMutableRawPointer?

    /// Milliseconds since 1970.
    public let connectedAt: Int64
    /// Milliseconds since 1970 of its last input.
    public var lastActiveAt: Int64
    /// Milliseconds since 1970 from which its output is above the soft limit; 0 while below.
    public var aboveSoftLimitSince: Int64 = 0
    /// The peer's address and port, or the socket's path.
    public let peer: String
    /// The server's address and port of this connection.
    public let local: String
    /// Whether the peer came over a socket file.
    public let isLocal: Bool
    /// CLIENT SETNAME.
    public var name: [UInt8] = []
    /// CLIENT SETINFO LIB-NAME.
    public var libraryName: [UInt8] = []
    /// CLIENT SETINFO LIB-VER.
    public var libraryVersion: [UInt8] = []
    /// The last command, in small letters.
    public var lastCommand = -1
    /// Channels it subscribed to.
    public var channels: Set<[UInt8]> = []
    /// Patterns it subscribed to.
    public var patterns: Set<[UInt8]> = []
    /// Its place in the server's list of sessions.
    var position = 0

    init(id: UInt64, peer: String, local: String, isLocal: Bool, now: Int64) {
        self.id = id
        self.peer = peer
        self.local = local
        self.isLocal = isLocal
        connectedAt = now
        lastActiveAt = now
    }

    /// Whether only commands about subscriptions are allowed.
    public var isInSubscribeMode: Bool { version == 2 && subscriptionCount > 0 }
}

/// Input that could not be answered yet.
public struct HeldInput: ~Copyable {
    private var base: UnsafeMutablePointer<UInt8>
    /// Where the bytes begin: what was answered is forgotten when room is needed.
    private var head = 0
    /// Bytes there are.
    public private(set) var count = 0
    private var capacity: Int
    /// Where the parser stands in the request at the start.
    public var parser: RequestParser

    /// Room for `capacity` bytes; goes on with a parser that has read a part.
    public init(capacity: Int, parser: consuming RequestParser) {
        self.capacity = capacity
        self.parser = parser
        base = Self.resized(nil, capacity)
    }

    deinit { free(base) }

    /// The bytes.
    public var bytes: UnsafeMutablePointer<UInt8> { base + head }

    /// Room for more bytes, at least `byteCount`; `commit(_:)` those that were written.
    public mutating func reserve(_ byteCount: Int) -> UnsafeMutableBufferPointer<UInt8> {
        if capacity - head - count < byteCount, head > 0 {
            base.update(from: bytes, count: count)
            head = 0
        }
        if capacity - count < byteCount {
            while capacity - count < byteCount { capacity *= 2 }
            base = Self.resized(base, capacity)
        }
        return UnsafeMutableBufferPointer(start: bytes + count, count: capacity - head - count)
    }

    /// Counts bytes that were written to what `reserve(_:)` gave.
    public mutating func commit(_ byteCount: Int) { count += byteCount }

    /// Adds bytes.
    public mutating func append(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int) {
        reserve(byteCount).baseAddress?.update(from: bytes, count: byteCount)
        commit(byteCount)
    }

    /// By `realloc`, which moves the pages of a large word rather than its bytes.
    private static func resized(
        _ bytes: UnsafeMutablePointer<UInt8>?, _ capacity: Int
    ) -> UnsafeMutablePointer<UInt8> {
        guard let block = realloc(bytes, capacity) else {
            preconditionFailure("the system has no memory left for a request of \(capacity) bytes")
        }
        return block.assumingMemoryBound(to: UInt8.self)
    }

    /// Forgets the first `byteCount` bytes.
    public mutating func removeFirst(_ byteCount: Int) {
        count -= byteCount
        head += byteCount
    }
}

/// Bytes waiting to be sent.
public struct ByteQueue {
    private var base: UnsafeMutablePointer<UInt8>?
    private var capacity = 0
    private var head = 0
    private var tail = 0

    /// An empty queue, without memory.
    public init() {}

    /// Bytes that wait.
    public var count: Int { tail - head }

    /// The first byte that waits.
    public var start: UnsafeMutablePointer<UInt8>? { base.map { $0 + head } }

    /// Adds bytes at the end.
    public mutating func append(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int) {
        if capacity - tail < byteCount { makeRoom(byteCount) }
        if let base { (base + tail).update(from: bytes, count: byteCount) }
        tail += byteCount
    }

    private mutating func makeRoom(_ byteCount: Int) {
        let count = tail - head
        var newCapacity = max(capacity, 4096)
        while newCapacity < (count + byteCount) * 5 / 4 { newCapacity *= 2 }
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: newCapacity)
        if let base {
            larger.update(from: base + head, count: count)
            base.deallocate()
        }
        base = larger
        capacity = newCapacity
        (head, tail) = (0, count)
    }

    /// Forgets the first `byteCount` bytes; an empty queue gives its memory back.
    public mutating func removeFirst(_ byteCount: Int) {
        head += byteCount
        if head == tail { release() }
    }

    /// Forgets everything.
    public mutating func release() {
        base?.deallocate()
        self = ByteQueue()
    }
}
