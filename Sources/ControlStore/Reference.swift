public import Identifiers

/// Why a process needs an object, in Ray's words.
public enum ReferenceType: UInt8, Sendable, CaseIterable {
    /// A variable of a program holds it.
    case localReference = 1
    /// The process keeps it mapped, as the store of its node tells.
    case pinnedInMemory
    /// A task that waits needs it.
    case usedByPendingTask
    /// Another object's value names it.
    case capturedInObject
    /// It is the handle of an actor.
    case actorHandle

    /// Whether it is a wish that the object stays; a pin is only seen, and protects while it lasts.
    var isClaim: Bool { self != .pinnedInMemory }

    /// The word on the wire.
    public var word: StaticString {
        switch self {
        case .localReference: "LOCAL_REFERENCE"
        case .pinnedInMemory: "PINNED_IN_MEMORY"
        case .usedByPendingTask: "USED_BY_PENDING_TASK"
        case .capturedInObject: "CAPTURED_IN_OBJECT"
        case .actorHandle: "ACTOR_HANDLE"
        }
    }
}

/// What a process says when it begins to hold an object.
///
/// Lives only as long as the buffers it points into.
public struct NewReference {
    /// The process.
    public var holder: HolderName
    /// Why it holds the object.
    public var type: ReferenceType
    /// The object; it need not have a record.
    public var object: RecordID
    /// Bytes that are held, if told.
    public var size: UInt64?
    /// Where in the program, if told: at most `NewReference.siteByteCountMax` bytes.
    public var site: UnsafeBufferPointer<UInt8>?
    /// Whether the process is a driver.
    public var isDriver = false
    /// The part of the log that told it, when it is loaded.
    public var epoch: UInt8 = 0

    /// Bytes of a call site at most.
    public static let siteByteCountMax = CallSites.byteCountMax
    /// Bytes of an object at most: what the table has room for.
    public static let sizeMax: UInt64 = 1 << 53 - 1

    /// A reference of which nothing more is known.
    public init(holder: HolderName, type: ReferenceType, object: RecordID) {
        self.holder = holder
        self.type = type
        self.object = object
    }
}

/// A process on a node.
///
/// Lives only as long as the buffer it points into.
public struct HolderName {
    /// The node's id.
    public var node: UnsafeBufferPointer<UInt8>
    /// The process id there.
    public var process: UInt32

    /// A process by its node and number.
    public init(node: UnsafeBufferPointer<UInt8>, process: UInt32) {
        self.node = node
        self.process = process
    }
}

/// A reference as it is told about.
public struct ReferenceInfo: Sendable {
    /// The node of the process.
    public var node: [UInt8]
    /// The process id there.
    public var process: UInt32
    /// Why it holds the object.
    public var type: ReferenceType
    /// The object.
    public var object: RecordID
    /// Bytes that are held; `nil` when nobody told.
    public var size: UInt64?
    /// Where in the program; empty when nobody told.
    public var site: [UInt8]
    /// Whether the process is a driver.
    public var isDriver: Bool
}

/// A reference in the table: 52 bytes, aligned to 4.
struct ReferenceRecord: BitwiseCopyable {
    /// A number in two halves, so that it needs no alignment to 8.
    struct Halves: BitwiseCopyable {
        var low: UInt32
        var high: UInt32

        @inline(__always)
        init(_ value: UInt64) {
            low = UInt32(truncatingIfNeeded: value)
            high = UInt32(truncatingIfNeeded: value >> 32)
        }

        @inline(__always)
        var value: UInt64 { UInt64(high) << 32 | UInt64(low) }
    }

    private static let driverBit: UInt64 = 1 << 3
    private static let headBit: UInt64 = 1 << 4
    private static let sizedBit: UInt64 = 1 << 5
    private static let claimedBit: UInt64 = 1 << 6
    private static let epochShift: UInt64 = 7
    private static let sizeShift: UInt64 = 11

    private var batch: Halves
    private var unique: Halves
    private var index: UInt32
    /// Bytes held << 11 | epoch << 7 | object was claimed << 6 | bytes were told << 5 |
    /// first of its object << 4 | driver << 3 | type; 0 once it is removed.
    private var sizeAndFlags: Halves
    let process: UInt32
    var site = none
    var nextOfProcess = none
    var previousOfProcess = none
    var nextOfObject = none
    /// The one before it in the object's chain; in the first one, how many the chain has.
    var previousOfObject = none

    init(_ object: RecordID, _ type: ReferenceType, process: UInt32) {
        batch = Halves(UInt64(bitPattern: object.batch.rawValue))
        unique = Halves(object.unique)
        index = object.index
        sizeAndFlags = Halves(UInt64(type.rawValue))
        self.process = process
    }

    var object: RecordID {
        RecordID(
            batch: BatchID(rawValue: Int64(bitPattern: batch.value)), unique: unique.value,
            index: index)
    }

    /// Why the process holds the object; `nil` in a free slot.
    var type: ReferenceType? { ReferenceType(rawValue: UInt8(sizeAndFlags.low & 7)) }

    @inline(__always)
    func isOf(_ object: RecordID) -> Bool {
        unique.value == object.unique && index == object.index
            && batch.value == UInt64(bitPattern: object.batch.rawValue)
    }

    /// Bytes held; `nil` when nobody told.
    var size: UInt64? {
        get {
            sizeAndFlags.value & Self.sizedBit != 0 ? sizeAndFlags.value >> Self.sizeShift : nil
        }
        set {
            let flags = sizeAndFlags.value & (1 << Self.sizeShift - 1)
            sizeAndFlags = Halves((newValue ?? 0) << Self.sizeShift | flags)
            set(Self.sizedBit, newValue != nil)
        }
    }

    /// The epoch of the log that told it last, see `Journal.epoch`; 0 when none did.
    var epoch: UInt8 {
        get { UInt8(truncatingIfNeeded: sizeAndFlags.value >> Self.epochShift & 7) }
        set {
            let rest = sizeAndFlags.value & ~(7 << Self.epochShift)
            sizeAndFlags = Halves(rest | UInt64(newValue) << Self.epochShift)
        }
    }

    var isDriver: Bool {
        get { sizeAndFlags.value & Self.driverBit != 0 }
        set { set(Self.driverBit, newValue) }
    }

    /// Whether it is the first in the chain of its object.
    var isHead: Bool {
        get { sizeAndFlags.value & Self.headBit != 0 }
        set { set(Self.headBit, newValue) }
    }

    /// Of the first in a chain: whether one that was in it was more than a pin.
    var isClaimed: Bool {
        get { sizeAndFlags.value & Self.claimedBit != 0 }
        set { set(Self.claimedBit, newValue) }
    }

    private mutating func set(_ bit: UInt64, _ isSet: Bool) {
        let value = sizeAndFlags.value
        sizeAndFlags = Halves(isSet ? value | bit : value & ~bit)
    }

    mutating func markFree() { sizeAndFlags = Halves(0) }
}
