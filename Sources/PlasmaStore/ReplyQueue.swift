public import PlasmaProtocol

/// What a client has to be sent: bytes, and descriptors that go between them.
public struct ReplyQueue: ~Copyable {
    /// The bytes; consumed by the sender through `consume(_:)`.
    public var bytes = ByteBuffer()
    /// A long reply that comes after them; nothing may be queued behind it.
    private var later = ByteBuffer()
    /// Descriptors and how many of `bytes` go before each.
    private var descriptors: [(offset: Int, number: Int32)] = []

    /// More are not copied: others would wait for that.
    private static let copiedByteCountMax = 64 << 10

    /// An empty queue.
    public init() {}

    /// Whether there is nothing to send.
    public var isEmpty: Bool { bytes.isEmpty && later.isEmpty && descriptors.isEmpty }

    /// Whether a long reply waits behind others: nothing may be queued until it is their turn.
    var isFull: Bool { !later.isEmpty }

    /// Bytes of memory taken.
    var touchedByteCount: Int { bytes.touchedByteCount + later.touchedByteCount }

    /// Bytes that go before the next descriptor.
    public var sendableCount: Int { min(descriptors.first?.offset ?? .max, bytes.count) }

    /// The descriptor that is next, once the bytes before it are gone; goes with one byte.
    public var nextDescriptor: Int32? {
        guard let first = descriptors.first, first.offset == 0 else { return nil }
        return first.number
    }

    /// Hands over the bytes, for a reply to be written behind them; it puts them back.
    mutating func takeBytes() -> ByteBuffer {
        precondition(later.isEmpty, "a reply queued behind a long one")
        var taken = ByteBuffer()
        swap(&taken, &bytes)
        return taken
    }

    /// Forgets bytes that were sent.
    public mutating func consume(_ byteCount: Int) {
        bytes.consume(byteCount)
        for index in descriptors.indices { descriptors[index].offset -= byteCount }
        if bytes.isEmpty, !later.isEmpty { swap(&bytes, &later) }
    }

    /// Forgets everything that was not sent.
    mutating func clear() {
        bytes.consume(bytes.count)
        later.consume(later.count)
        descriptors = []
    }

    /// Gives up memory that is not used now.
    mutating func takeIdleBlock() -> (base: UnsafeMutableRawPointer, byteCount: Int)? {
        later.isEmpty ? later.takeBlock() : nil
    }

    /// Forgets the descriptor that was sent.
    public mutating func consumeDescriptor() { descriptors.removeFirst() }

    /// Sends a descriptor after everything that is queued now.
    mutating func append(descriptor: Int32) {
        descriptors.append((bytes.count + later.count, descriptor))
    }

    /// Appends a frame; a long one is taken over instead of copied.
    mutating func append(_ frame: consuming ByteBuffer) {
        precondition(later.isEmpty, "a reply queued behind a long one")
        if bytes.isEmpty, frame.count > 4096 {
            bytes = frame
        } else if frame.count > Self.copiedByteCountMax {
            later = frame
        } else {
            bytes.append(frame.bytes)
        }
    }
}
