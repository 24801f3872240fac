/// What clients may ask of the store, and what happens above it.
public struct StoreLimits: Sendable {
    /// Objects named in one message; above it the client is dropped.
    public var idCountMax = 1 << 20
    /// Bytes of a message that only names objects; above it the client is dropped.
    public var requestByteCountMax = 64 << 20
    /// Open connections; above it new ones are closed at once.
    public var sessionCountMax = 10_000
    /// Unsent bytes of replies from which on a client's further requests wait.
    public var backlogByteCountMax = 1 << 20
    /// Unread bytes a client may send ahead while a request of it is being carried out; above it
    /// they stay in the socket, and a client that waits for an object is dropped.
    public var aheadByteCountMax = 256 << 10
    /// Unsent notifications of one subscriber; above it its subscription ends.
    public var notificationByteCountMax = 64 << 20
    /// Bytes kept of a client's name; the rest is left out.
    public var nameByteCountMax = 256
    /// Seconds for which a Get waits for room to bring an object back from the external store,
    /// while all others are in use; then it is answered without the object.
    public var restoreSecondsMax: Int64 = 60
    /// Seconds for which primary copies stay after the node manager that spilled them has left; then
    /// they may be evicted.
    public var guardSecondsMax: Int64 = 600
    /// Bytes buffered for all clients together, beside the store's capacity; above it the client
    /// with the most is dropped.
    public var bufferByteCountMax = 1 << 30
    /// Seconds after which a client that takes none of its replies is dropped.
    public var unreadSecondsMax: Int64 = 60
    /// Milliseconds that a node manager may let creates wait after the last room that it made.
    public var graceMillisecondsMax: Int64 = 3_600_000
    /// Objects handled in one go before others get their turn.
    public var sliceCountMax = 32
    /// Bytes copied in one go before others get their turn.
    public var sliceByteCountMax = 128 << 10
    /// Requests of one client answered in one go before others get their turn.
    public var requestCountPerTurn = 32

    /// The limits of a store that was not told otherwise.
    public init() {}
}

/// The time, as the store needs it; set by the caller before each turn.
public struct StoreTime: Equatable, Sendable {
    /// Seconds since 1970, which clients see.
    public var unixSeconds: Int64
    /// Milliseconds of a clock that never jumps, for time-outs.
    public var monotonicMilliseconds: Int64

    /// A point in time.
    public init(unixSeconds: Int64, monotonicMilliseconds: Int64) {
        self.unixSeconds = unixSeconds
        self.monotonicMilliseconds = monotonicMilliseconds
    }

    /// Wrapping milliseconds, for ages of free memory.
    var tick: UInt32 { UInt32(truncatingIfNeeded: monotonicMilliseconds) }
}
