internal import Identifiers

/// What changed since the last commit, by name; the commit writes what each is now.
///
/// Every change is absolute: it tells what a thing is, not what was done to it. So a log may tell some
/// of them twice, or begin in the middle, as long as the last word on each thing is in it.
struct Journal: ~Copyable {
    /// Whether changes are noted at all.
    var isOn = false
    /// Changes told, to be handed on.
    var writer = JournalWriter()
    /// Numbers that epochs have.
    static let epochNumberCount: UInt8 = 7
    /// The present part of the log, 1 to 7 and again.
    ///
    /// Each record, and what the log tells of it, bear the one in which it was told last. So an old
    /// part's word on it is known as superseded when they differ.
    var epoch: UInt8 = 1
    /// The log's last segment, or an earlier one: what is told now lies there or behind.
    var segment: UInt32 = 0
    /// The same for the last HEAD.
    var headSegment: UInt32 = 0

    var isReset = false
    var hasHead = false
    /// Whether the identity of what is on disk is to be told.
    var hasDisk = false
    /// What a snapshot has to tell besides: records on disk, as commands.
    var flushed = JournalWriter()
    var ended: [(batch: BatchID, at: Int64)] = []
    var nodes: [[UInt8]] = []
    var batches: [BatchID] = []
    var keys: [RecordKey] = []
    var dependencies: [(batch: BatchID, on: BatchID)] = []
    var runs: [(actor: RecordID, batch: BatchID, sequence: UInt64)] = []
    var chains: [RecordID] = []
    var entries: [DeletionLog.Entry] = []
    /// Changes of references, in their order, as commands.
    var references = JournalWriter()

    /// Notes that a record changed, came or went.
    @inline(__always)
    mutating func note(_ key: RecordKey) {
        if isOn { noteKey(key) }
    }

    @inline(never)
    private mutating func noteKey(_ key: RecordKey) {
        // Needs are counted anew from the tasks that have them.
        guard key.kind != .need else { return }
        if let last = keys.last, last == key { return }
        keys.append(key)
    }

    /// Tells of a record that was just noted, while its bytes are at hand; unless a batch was noted, which must
    /// be told first.
    ///
    /// - Returns: whether it did.
    mutating func tellEarly(
        _ key: RecordKey, _ traits: RecordTraits, _ head: UInt64, _ rest: UnsafeRawBufferPointer
    ) -> Bool {
        guard keys.last == key, batches.isEmpty, ended.isEmpty, !isReset else { return false }
        keys.removeLast()
        writer.record(traits.rawValue, key.id, head, rest)
        return true
    }

    /// Tells of a record that did not change, at once if nothing was noted that must be told first.
    mutating func tellAgain(
        _ key: RecordKey, _ traits: RecordTraits, _ bytes: UnsafeRawBufferPointer
    ) {
        guard batches.isEmpty, ended.isEmpty, !isReset else { return keys.append(key) }
        writer.record(traits.rawValue, key.id, bytes)
    }

    /// Notes that a batch began or changed.
    mutating func note(_ batch: BatchID) {
        if isOn, batches.last != batch { batches.append(batch) }
    }

    /// Notes that a batch ended.
    mutating func noteEnded(_ batch: BatchID, at time: Int64) {
        if isOn { ended.append((batch, time)) }
    }

    /// Notes that a node came, changed or went.
    mutating func noteNode(_ name: [UInt8]) {
        if isOn { nodes.append(name) }
    }

    /// Begins the next epoch.
    mutating func advanceEpoch() { epoch = epoch % Self.epochNumberCount + 1 }

    /// The number of an epoch before the present one; `age` is 0 for that.
    func epoch(before age: Int) -> UInt8 {
        (epoch - 1 + Self.epochNumberCount - UInt8(age)) % Self.epochNumberCount + 1
    }

    /// Forgets what was noted and not told: the store was emptied.
    mutating func reset() {
        guard isOn else { return }
        forget()
        references.clear()
        (isReset, hasHead) = (true, true)
    }

    /// Forgets what is told.
    mutating func forget() {
        (isReset, hasHead, hasDisk) = (false, false, false)
        ended.removeAll(keepingCapacity: true)
        nodes.removeAll(keepingCapacity: true)
        batches.removeAll(keepingCapacity: true)
        keys.removeAll(keepingCapacity: true)
        dependencies.removeAll(keepingCapacity: true)
        runs.removeAll(keepingCapacity: true)
        chains.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
    }
}
