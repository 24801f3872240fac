public import Identifiers

/// Asks what the store needs of its node manager; answered when it needs something, or in time.
///
/// The first one of a connection makes that client the node manager: from then on the store evicts
/// no primary copies, and while it is connected creates without room wait for it.
public struct NeedsRequest: Equatable, Sendable {
    /// Bytes of primary copies from which on the store needs room.
    public var primaryByteCountMax: Int64
    /// How long a create waits after the last room that was made, before it is refused.
    public var graceMilliseconds: Int64
    /// How long the answer may take.
    public var waitMilliseconds: Int64
    /// `heldOrder` of the last reply: creates that wait since then are news.
    public var heldOrder: Int64

    /// A request from its parts.
    public init(
        primaryByteCountMax: Int64, graceMilliseconds: Int64, waitMilliseconds: Int64,
        heldOrder: Int64
    ) {
        self.primaryByteCountMax = primaryByteCountMax
        self.graceMilliseconds = graceMilliseconds
        self.waitMilliseconds = waitMilliseconds
        self.heldOrder = heldOrder
    }

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let message = try ExtensionMessage(body)
        primaryByteCountMax = try message.number(0)
        graceMilliseconds = try message.number(1)
        waitMilliseconds = try message.number(2)
        heldOrder = try message.number(3)
    }

    /// Appends the frame.
    public func write(to buffer: inout ByteBuffer) {
        ExtensionMessage.write(
            .needsRequest,
            numbers: [primaryByteCountMax, graceMilliseconds, waitMilliseconds, heldOrder],
            to: &buffer)
    }
}

/// What the store needs: room, and objects that clients wait for.
public struct NeedsReply: Equatable, Sendable {
    /// Bytes of objects that fit.
    public var capacity: Int64 = 0
    /// Bytes of all objects.
    public var usedByteCount: Int64 = 0
    /// Bytes of primary copies.
    public var primaryByteCount: Int64 = 0
    /// Bytes of primary copies that nobody uses.
    public var spillableByteCount: Int64 = 0
    /// Bytes of secondary copies that nobody uses.
    public var evictableByteCount: Int64 = 0
    /// Bytes that waiting creates want.
    public var heldByteCount: Int64 = 0
    /// Creates that have waited so far.
    public var heldOrder: Int64 = 0
    /// Objects that clients began to wait for.
    public var awaited: [RecordID] = []

    /// A reply of zeros.
    public init() {}

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let message = try ExtensionMessage(body)
        capacity = try message.number(0)
        usedByteCount = try message.number(1)
        primaryByteCount = try message.number(2)
        spillableByteCount = try message.number(3)
        evictableByteCount = try message.number(4)
        heldByteCount = try message.number(5)
        heldOrder = try message.number(6)
        awaited = try message.allIDs()
    }

    /// Appends the frame.
    public func write(to buffer: inout ByteBuffer) {
        ExtensionMessage.write(
            .needsReply,
            numbers: [
                capacity, usedByteCount, primaryByteCount, spillableByteCount,
                evictableByteCount, heldByteCount, heldOrder,
            ],
            ids: awaited, to: &buffer)
    }
}

/// Asks for objects to spill; the client uses those it is given, as if it had got them.
public struct CandidatesRequest: Equatable, Sendable {
    /// Objects at most.
    public var countMax: Int64
    /// Bytes after which no more are added.
    public var byteCountMax: Int64

    /// A request from its parts.
    public init(countMax: Int64, byteCountMax: Int64) {
        self.countMax = countMax
        self.byteCountMax = byteCountMax
    }

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let message = try ExtensionMessage(body)
        countMax = try message.number(0)
        byteCountMax = try message.number(1)
    }

    /// Appends the frame.
    public func write(to buffer: inout ByteBuffer) {
        ExtensionMessage.write(.candidatesRequest, numbers: [countMax, byteCountMax], to: &buffer)
    }
}

/// An object that may be spilled.
public struct SpillCandidate: Equatable, Sendable {
    /// The object.
    public var id: RecordID
    /// Bytes of data.
    public var dataByteCount: Int64
    /// Bytes of metadata.
    public var metadataByteCount: Int64
    /// The digest's 8 bytes as they lie in memory.
    public var digest: UInt64

    /// A candidate from its parts.
    public init(
        id: RecordID, dataByteCount: Int64, metadataByteCount: Int64, digest: UInt64
    ) {
        self.id = id
        self.dataByteCount = dataByteCount
        self.metadataByteCount = metadataByteCount
        self.digest = digest
    }

    /// Data and metadata.
    public var byteCount: Int64 { dataByteCount + metadataByteCount }
}

/// The objects to spill, least recently used first.
public enum CandidatesReply {
    /// Reads a message body.
    public static func read(_ body: UnsafeRawBufferPointer) throws(WireError) -> [SpillCandidate] {
        let message = try ExtensionMessage(body)
        guard message.numberCount == 3 * message.ids.count else {
            throw .entryCountMismatch(expected: 3 * message.ids.count, found: message.numberCount)
        }
        var candidates: [SpillCandidate] = []
        for index in 0..<message.ids.count {
            candidates.append(
                SpillCandidate(
                    id: try message.ids.id(at: index),
                    dataByteCount: try message.number(3 * index),
                    metadataByteCount: try message.number(3 * index + 1),
                    digest: UInt64(bitPattern: try message.number(3 * index + 2))))
        }
        return candidates
    }

    /// Appends the frame.
    public static func write(_ candidates: [SpillCandidate], to buffer: inout ByteBuffer) {
        var numbers: [Int64] = []
        for candidate in candidates {
            numbers.append(candidate.dataByteCount)
            numbers.append(candidate.metadataByteCount)
            numbers.append(Int64(bitPattern: candidate.digest))
        }
        ExtensionMessage.write(
            .candidatesReply, numbers: numbers, ids: candidates.map(\.id), to: &buffer)
    }
}
