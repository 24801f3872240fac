internal import Glibc
public import Identifiers

typealias BatchPointer = UnsafeMutablePointer<Batch>

/// Where a batch is in its life; a batch that was collected has no record.
public enum BatchStatus: UInt8, Sendable {
    /// It runs.
    case active
    /// It ended without being collected.
    case done
    /// It ended, and is collected when no active batch depends on it any more.
    case deferred
}

/// Why a batch was collected, in the words of its notification.
public enum CollectReason: UInt8, Sendable {
    /// GCS.BATCH END.
    case end
    /// GCS.BATCH DESTROY.
    case destroy
    /// Its time-out passed.
    case timeout
    /// Its parent ended.
    case parent
    /// DEL or UNLINK of its key.
    case del

    /// The word in notifications and in the log.
    public var word: StaticString {
        switch self {
        case .end: "end"
        case .destroy: "destroy"
        case .timeout: "timeout"
        case .parent: "parent"
        case .del: "del"
        }
    }
}

/// No slot, no link, no reference.
let none = UInt32.max

/// A batch's record, and the region of the records that carry its id.
///
/// 100,000 small batches must stay small: no field is an object of its own.
struct Batch {
    /// Records of the estate that a batch owns, linked through their headers.
    struct Chain {
        var head = none
        var count: UInt32 = 0
    }

    let id: BatchID
    /// Its place in the batch table, stable while it lives.
    var slot: UInt32 = 0
    var parent = none
    var firstChild = none
    var nextSibling = none
    var previousSibling = none
    var status = BatchStatus.active
    /// Why it is to be collected, while it is deferred.
    var reason = CollectReason.end
    /// Whether it waits for its parent: it was done when the parent ended, and is taken along.
    var goesWithParent = false
    var isNoCleanup = false
    /// Whether a task of it named an object that it owned itself: it will need the one who gets that.
    var namesOwn = false
    /// Whether records with this batch's prefix may lie in the estate.
    var hasStrays = false
    /// Whether tasks with this batch's prefix named objects, ever.
    var hasArguments = false
    /// Whether its region may hold needs of tasks; the root: whether the estate does.
    var hasNeeds = false
    /// Whether loaded records of its region matter to what tasks need; the root: of the estate.
    var hasLoadedNeeds = false
    /// Objects with this batch's prefix that their tasks do not count.
    var earlyOutputs = EarlyOutputs()
    /// Its place in the heap of time-outs.
    var timerPosition = none
    var kept = Chain()
    var adopted = Chain()
    /// Tasks among the adopted records; the others are objects.
    var adoptedTaskCount: UInt32 = 0
    var taskCount: UInt32 = 0
    var objectCount: UInt32 = 0
    /// Records of actors in the region; `GC:<batch>` does not list them.
    var actorRecordCount: UInt32 = 0
    /// The walk that saw it last, see `Traversal`.
    var mark: UInt32 = 0
    /// The log's last segment when it was told, or an earlier one.
    var toldSegment: UInt32 = 0
    /// Milliseconds since 1970.
    var createdAt: Int64
    /// Milliseconds since 1970; 0 while it is active.
    var endedAt: Int64 = 0
    /// Milliseconds since 1970; 0 without a time-out.
    var deadline: Int64 = 0
    /// What it depends on and who on it; `nil` while nothing does.
    var links: UnsafeMutablePointer<Links>?
    /// Its name: 4 bytes of length, then the bytes.
    var name: UnsafeMutableRawPointer?
    var region = Region(isWide: false)
    /// What it has on disk; `nil` while nothing was written there.
    var disk: UnsafeMutablePointer<DiskPart>?
    /// The next of the batches waiting to be freed.
    var nextInGraveyard: BatchPointer?

    init(id: BatchID, createdAt: Int64) {
        self.id = id
        self.createdAt = createdAt
    }

    static let nameByteCountMax = 1024

    var nameBytes: [UInt8] {
        guard let name else { return [] }
        let count = Int(name.load(as: UInt32.self))
        return Array(UnsafeRawBufferPointer(start: name + 4, count: count))
    }
}

/// What GCS.BATCH INFO tells.
public struct BatchInfo: Sendable {
    /// The batch.
    public var id: BatchID
    /// The batch it was started under.
    public var parent: BatchID
    /// The name given at its start.
    public var name: [UInt8]
    /// Where it is in its life.
    public var status: BatchStatus
    /// Milliseconds since 1970.
    public var createdAt: Int64
    /// Milliseconds since 1970; 0 while it is active.
    public var endedAt: Int64
    /// Milliseconds until it times out; -1 without a time-out.
    public var timeout: Int64
    /// Tasks it owns, adopted ones included.
    public var taskCount: Int
    /// Objects it owns, adopted ones included and kept ones not.
    public var objectCount: Int
    /// Objects that pass to its parent when it ends.
    public var keptCount: Int
    /// Bytes of its own records, headers included.
    public var byteCount: Int
}

extension Batch {
    /// Records that `GC:<batch>` lists.
    var memberCount: Int { Int(taskCount) + Int(objectCount) + Int(adopted.count) }

    var totalTaskCount: Int { Int(taskCount) + Int(adoptedTaskCount) }

    var totalObjectCount: Int { Int(objectCount) + Int(adopted.count - adoptedTaskCount) }

    /// Whether DESTROY or DEL takes it in slices: it waits for nobody, only for its turn.
    var isGoing: Bool { status == .deferred && (reason == .destroy || reason == .del) }

    /// Takes over what is known of tasks and outputs of a prefix that now belongs here.
    mutating func inheritLineage(from batch: BatchPointer) {
        hasArguments = hasArguments || batch.pointee.hasArguments
        earlyOutputs.formUnion(batch.pointee.earlyOutputs)
    }

    mutating func count(_ kind: RecordKind, _ change: Int) {
        switch kind {
        case .task: taskCount = UInt32(Int(taskCount) + change)
        case .object: objectCount = UInt32(Int(objectCount) + change)
        case .actor: actorRecordCount = UInt32(Int(actorRecordCount) + change)
        case .need: break
        }
    }
}
