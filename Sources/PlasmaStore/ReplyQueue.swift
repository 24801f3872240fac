public import PlasmaProtocol

/// What a client has to be sent: bytes, and descriptors that go between them.
public struct ReplyQueue: ~Copyable {
    /// The bytes; consumed by the sender through `consume(_:)`.
    public var bytes = ByteBuffer()
    /// Descriptors and how many of `bytes` go before each.
    private var descriptors: [(offset: Int, number: Int32)] = []

    /// An empty queue.
    public init() {}

    /// Whether there is nothing to send.
    public var isEmpty: Bool { bytes.isEmpty && descriptors.isEmpty }

    /// Bytes that go before the next descriptor.
    public var sendableCount: Int { descriptors.first?.offset ?? bytes.count }

    /// The descriptor that is next, once the bytes before it are gone; goes with one byte.
    public var nextDescriptor: Int32? {
        guard let first = descriptors.first, first.offset == 0 else { return nil }
        return first.number
    }

    /// Forgets bytes that were sent.
    public mutating func consume(_ byteCount: Int) {
        bytes.consume(byteCount)
        for index in descriptors.indices { descriptors[index].offset -= byteCount }
    }

    /// Forgets everything that was not sent.
    mutating func clear() {
        bytes.consume(bytes.count)
        descriptors = []
    }

    /// Forgets the descriptor that was sent.
    public mutating func consumeDescriptor() { descriptors.removeFirst() }

    /// Sends a descriptor after everything that is queued now.
    mutating func append(descriptor: Int32) {
        descriptors.append((bytes.count, descriptor))
    }

    /// Appends a frame; a long one is taken over instead of copied when nothing else waits.
    mutating func append(_ frame: consuming ByteBuffer) {
        if bytes.isEmpty, frame.count > 4096 {
            bytes = frame
        } else {
            bytes.append(frame.bytes)
        }
    }
}
