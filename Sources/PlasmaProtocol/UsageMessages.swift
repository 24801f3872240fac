public import Identifiers

/// What a store uses its memory for.
///
/// Counts of what happened are since the store's start.
public struct StoreUsage: Equatable, Sendable {
    /// Bytes of objects that fit.
    public var capacity: Int64 = 0
    /// Bytes of all objects, unsealed ones too.
    public var usedByteCount: Int64 = 0
    /// Objects that some client uses.
    public var pinnedCount: Int64 = 0
    /// Bytes of them.
    public var pinnedByteCount: Int64 = 0
    /// Bytes of objects handed out to be read; each time they were.
    public var consumedByteCount: Int64 = 0
    /// Objects removed to make room.
    public var evictedCount: Int64 = 0
    /// Bytes of the segments that are taken, rounding included.
    public var takenByteCount: Int64 = 0
    /// Bytes of secondary copies.
    public var secondaryByteCount: Int64 = 0
    /// Bytes of objects removed to make room.
    public var evictedByteCount: Int64 = 0
    /// Milliseconds for which nobody used the object that goes next; 0 when every object is used.
    public var idleMilliseconds: Int64 = 0
    /// Bytes of objects in the fallback file, which `usedByteCount` leaves out.
    public var fallbackByteCount: Int64 = 0

    /// Of an empty store.
    public init() {}

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let message = try ExtensionMessage(body)
        capacity = try message.number(0)
        usedByteCount = try message.number(1)
        pinnedCount = try message.number(2)
        pinnedByteCount = try message.number(3)
        consumedByteCount = try message.number(4)
        evictedCount = try message.number(5)
        takenByteCount = try message.number(6)
        secondaryByteCount = try message.number(7)
        evictedByteCount = try message.number(8)
        idleMilliseconds = try message.number(9)
        fallbackByteCount = try message.number(10)
    }

    /// Appends the frame of a `usageReply`.
    public func write(to buffer: inout ByteBuffer) {
        ExtensionMessage.write(
            .usageReply,
            numbers: [
                capacity, usedByteCount, pinnedCount, pinnedByteCount, consumedByteCount,
                evictedCount, takenByteCount, secondaryByteCount, evictedByteCount,
                idleMilliseconds, fallbackByteCount,
            ], to: &buffer)
    }
}

/// Asks who uses which object: what changed since the last answer, or everything.
public struct PinsRequest: Equatable, Sendable {
    /// `sequence` of the last answer; anything else, as 0, begins anew with everything.
    public var sequence: Int64
    /// Objects of one answer at most.
    public var countMax: Int64

    /// A request from its parts.
    public init(sequence: Int64, countMax: Int64 = 500) {
        self.sequence = sequence
        self.countMax = countMax
    }

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let message = try ExtensionMessage(body)
        sequence = try message.number(0)
        countMax = try message.number(1)
    }

    /// Appends the frame.
    public func write(to buffer: inout ByteBuffer) {
        ExtensionMessage.write(.pinsRequest, numbers: [sequence, countMax], to: &buffer)
    }
}

/// Who uses some objects now.
public struct PinsReply: Equatable, Sendable {
    /// An object and the processes that use it; none once nobody does.
    public struct Row: Equatable, Sendable {
        /// The object.
        public var id: RecordID
        /// Its bytes, metadata included.
        public var byteCount: Int64
        /// Each process once, but never the one that asks; 0 for those that the system does not name.
        public var processes: [Int32]

        /// A row from its parts.
        public init(id: RecordID, byteCount: Int64, processes: [Int32]) {
            self.id = id
            self.byteCount = byteCount
            self.processes = processes
        }
    }

    /// For the next request.
    public var sequence: Int64 = 0
    /// Whether a full report begins here: what was told before and is not told until `hasMore` is
    /// false holds no longer.
    public var isAnew = false
    /// Whether there is more to tell at once.
    public var hasMore = false
    /// What changed.
    public var rows: [Row] = []

    private static let headCount = 3

    /// Nothing.
    public init() {}

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let message = try ExtensionMessage(body)
        sequence = try message.number(0)
        isAnew = try message.number(1) != 0
        hasMore = try message.number(2) != 0
        var position = Self.headCount
        for index in 0..<message.ids.count {
            let count = try message.number(position + 1)
            guard count >= 0, count <= Int64(message.numberCount - position - 2) else {
                throw .entryCountMismatch(
                    expected: Int(clamping: count), found: message.numberCount)
            }
            var row = Row(
                id: try message.ids.id(at: index), byteCount: try message.number(position),
                processes: [])
            for offset in 0..<Int(count) {
                let process = try message.number(position + 2 + offset)
                row.processes.append(Int32(truncatingIfNeeded: process))
            }
            rows.append(row)
            position += 2 + Int(count)
        }
    }

    /// Appends the frame.
    public func write(to buffer: inout ByteBuffer) {
        var numbers: [Int64] = [sequence, isAnew ? 1 : 0, hasMore ? 1 : 0]
        for row in rows {
            numbers.append(row.byteCount)
            numbers.append(Int64(row.processes.count))
            for process in row.processes { numbers.append(Int64(process)) }
        }
        ExtensionMessage.write(.pinsReply, numbers: numbers, ids: rows.map(\.id), to: &buffer)
    }
}
