internal import Identifiers

/// How many outputs of a task are there: objects with its id and an index of their own, puts too.
///
/// Only tasks that name objects keep one: 28 bits of count | roamer | phantom | distant | had one
/// (bit 31).
struct OutputCount: Equatable {
    private(set) var rawValue: UInt32 = 0

    private static let hadBit: UInt32 = 1 << 31
    private static let distantBit: UInt32 = 1 << 30
    private static let phantomBit: UInt32 = 1 << 29
    private static let roamerBit: UInt32 = 1 << 28

    init(rawValue: UInt32 = 0) { self.rawValue = rawValue }

    /// Outputs that have records.
    var live: Int {
        get { Int(rawValue & (Self.roamerBit - 1)) }
        set {
            rawValue = rawValue & ~(Self.roamerBit - 1) | UInt32(max(newValue, 0))
            if newValue > 0 { rawValue |= Self.hadBit } else { rawValue &= ~Self.roamerBit }
        }
    }

    /// Whether there was one, which may be gone.
    var hadOne: Bool { rawValue & Self.hadBit != 0 }

    /// Whether one with a high index was among them.
    var hadDistant: Bool {
        get { rawValue & Self.distantBit != 0 }
        set { if newValue { rawValue |= Self.distantBit } }
    }

    /// Whether there may be outputs that nobody counted: then they count as there for good.
    var hasPhantom: Bool {
        get { rawValue & Self.phantomBit != 0 }
        set { rawValue = newValue ? rawValue | Self.phantomBit : rawValue & ~Self.phantomBit }
    }

    /// Whether one of them may go without being named, with another batch or its last reference: the task
    /// stays in memory then, to count that.
    var hasRoamer: Bool {
        get { rawValue & Self.roamerBit != 0 }
        set { rawValue = newValue ? rawValue | Self.roamerBit : rawValue & ~Self.roamerBit }
    }

    /// Whether all are gone.
    var areGone: Bool { hadOne && live == 0 && !hasPhantom }
}

/// Which tasks may have outputs that came before a record that counts them, by a hash of the task.
///
/// A bit set in vain costs a look for outputs at TASK ADD, or spares an input; none is ever missing.
struct EarlyOutputs {
    /// Bits of tasks with any such output.
    private var any: UInt64 = 0
    /// Of those with one whose number is above `nearMax`.
    private var far: UInt32 = 0
    /// Of those with one whose number is above `farMax`.
    private var distant: UInt32 = 0

    private static let nearMax: UInt32 = 2
    private static let farMax: UInt32 = 64
    /// Marks a put.
    static let putBit: UInt32 = 1 << 31

    private static func bit(of unique: UInt64) -> UInt64 {
        1 << ((unique &* 0x9e37_79b9_7f4a_7c15) >> 58)
    }

    private static func halfBit(of unique: UInt64) -> UInt32 {
        1 << UInt32(truncatingIfNeeded: (unique &* 0x9e37_79b9_7f4a_7c15) >> 59)
    }

    static func isDistant(_ object: RecordID) -> Bool { object.index & ~putBit > farMax }

    /// Notes an object that came before a record of its task.
    ///
    /// Not a put with a high number: a task that runs has its record before it puts, and drivers put
    /// under random numbers for which there is no task.
    @inline(__always)
    mutating func note(_ object: RecordID) {
        guard object.index & Self.putBit == 0 || !Self.isDistant(object) else { return }
        any |= Self.bit(of: object.unique)
        guard object.index & ~Self.putBit > Self.nearMax else { return }
        far |= Self.halfBit(of: object.unique)
        if Self.isDistant(object) { distant |= Self.halfBit(of: object.unique) }
    }

    /// Notes the outputs that a task leaves when its record goes.
    mutating func note(_ outputs: OutputCount, of task: RecordID) {
        guard outputs.live > 0 || outputs.hasPhantom else { return }
        any |= Self.bit(of: task.unique)
        far |= Self.halfBit(of: task.unique)
        if outputs.hadDistant || outputs.hasPhantom { distant |= Self.halfBit(of: task.unique) }
    }

    mutating func formUnion(_ other: EarlyOutputs) {
        any |= other.any
        far |= other.far
        distant |= other.distant
    }

    /// The highest number to look for; `nil` when nothing came early.
    func lastNumber(of task: RecordID) -> UInt32? {
        guard any & Self.bit(of: task.unique) != 0 else { return nil }
        return far & Self.halfBit(of: task.unique) != 0 ? Self.farMax : Self.nearMax
    }

    /// Whether some may lie beyond.
    func hasDistant(of task: RecordID) -> Bool { distant & Self.halfBit(of: task.unique) != 0 }
}
