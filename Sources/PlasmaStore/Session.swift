public import PlasmaProtocol

/// One client: what it sent and was not worked on, what it is owed, what it is being done for it.
public final class Session {
    /// Its number in the store.
    let number: UInt32
    /// The client's process; 0 when unknown.
    public let processID: Int32
    /// What it calls itself.
    public internal(set) var name = ""
    /// Bytes received and not worked on.
    public var input = ByteBuffer()
    /// Replies not sent.
    public var output = ReplyQueue()
    /// The request that is being carried out; its frame is the first in `input`.
    var operation: (any Operation)?
    /// Whether the request waits for something other than a turn.
    var isWaiting = false
    /// When a waiting request gives up, in monotonic milliseconds.
    public internal(set) var deadline: Int64?
    /// A message that is skipped, because its objects cannot fit.
    var refusal: Refusal?
    /// Whether a byte that carries a socket has to come next.
    var isAwaitingDescriptor = false
    /// A socket that came before the Subscribe that it belongs to was worked on.
    public internal(set) var passed: PassedSocket?
    /// Segments whose descriptor was sent, one bit each.
    var knownSegments: UInt64 = 0
    /// The client's notifications.
    public internal(set) var subscription: Subscription?
    /// Whether it knows our extension of the protocol.
    var isExtended = false
    /// Bytes of the create that waits for the node manager to make room; 0 for none.
    var heldByteCount = 0
    /// Since when it waits, in monotonic milliseconds.
    var heldSince: Int64 = 0
    /// Whether the caller was told to look at it.
    var isChanged = false
    /// Whether it stands in the line of sessions with work left.
    var isQueued = false
    /// Whether the client is gone and what it held is being released.
    var isClosing = false
    /// Why the client has to be dropped.
    public internal(set) var failure: String?
    /// Whether it left by itself, with a message.
    public internal(set) var hasLeft = false
    /// Buffered bytes that the service has counted for it.
    var countedByteCount = 0
    /// For the owner of the socket.
    public var context: AnyObject?

    init(number: UInt32, processID: Int32) {
        self.number = number
        self.processID = processID
    }

    /// Keeps a socket for the Subscribe that it belongs to; a second one is not expected.
    func accept(_ socket: PassedSocket) {
        if passed != nil { refusePassed() } else { passed = socket }
    }

    /// Drops a client whose socket no Subscribe can claim any more: all that it sent is worked on.
    func checkPassed() {
        guard passed != nil, input.isEmpty, !isAwaitingDescriptor else { return }
        refusePassed()
    }

    private func refusePassed() {
        passed = nil
        failure = "sent a descriptor that nothing asked for"
    }

    /// Whether the client must be closed now.
    public var isFinished: Bool { failure != nil || hasLeft }

    /// Bytes of the memory that its buffers take.
    var bufferByteCount: Int {
        input.touchedByteCount + output.touchedByteCount
            + (subscription?.queue.touchedByteCount ?? 0)
    }
}

/// A message of which the rest is skipped before it is refused.
struct Refusal {
    /// The request that gets the refusal.
    let reply: MessageType
    /// Bytes of it that are not here yet.
    var unread: Int
}

/// A client's notifications: what it was not sent yet, and how far its first full report is.
public final class Subscription {
    /// What the client gave for them.
    public let socket: PassedSocket
    /// Notifications not sent.
    public var queue = ByteBuffer()
    /// Bytes of the first notification in the queue when a part of it was sent.
    private var restByteCount = 0
    /// The next slot of the full report; `nil` when it is done.
    var nextSlot: UInt32? = 1
    /// Whether the first full report is not done.
    public var isReporting: Bool { nextSlot != nil }
    /// Objects sealed later than this are told by themselves.
    let sealedOrderMax: UInt64
    /// Whether more came than the limit allows, or the socket is broken.
    public internal(set) var isBroken = false

    init(_ socket: PassedSocket, sealedOrderMax: UInt64) {
        self.socket = socket
        self.sealedOrderMax = sealedOrderMax
    }

    /// Bytes to send in one system call: whole notifications, as many as fit into `limit`.
    ///
    /// Arrow's clients take it that what `recv` gives them is not cut inside a notification.
    public func sendableByteCount(limit: Int) -> Int {
        var end = restByteCount
        while end == 0 || end < limit, let next = nextByteCount(at: end) {
            if end > 0, end + next > limit { break }
            end += next
        }
        return min(end, queue.count)
    }

    /// Forgets bytes that were sent.
    public func consume(_ byteCount: Int) {
        var end = restByteCount
        while end < byteCount, let next = nextByteCount(at: end) { end += next }
        queue.consume(byteCount)
        restByteCount = max(0, end - byteCount)
    }

    /// Bytes of the notification at a place in the queue; `nil` at its end.
    private func nextByteCount(at position: Int) -> Int? {
        guard position + Notification.headerByteCount <= queue.count else { return nil }
        let bytes = queue.bytes
        let body = bytes.loadUnaligned(fromByteOffset: position, as: Int64.self)
        return Notification.headerByteCount + Int(Int64(littleEndian: body))
    }
}
