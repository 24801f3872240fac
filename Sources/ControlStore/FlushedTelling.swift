internal import Identifiers

/// A snapshot's walk over what is on disk, batch by batch; until the whole walk is done, records that leave
/// memory are told, too.
///
/// A record that is in memory when its page comes is told by the walk over memory behind this one, or when
/// it leaves; one that changed is told by its change.
struct FlushedTelling {
    /// The batch that the walk is at, and the last key that was told of it.
    var slot: UInt32 = 0
    var after: RecordKey?
    /// Whether a page is on its way: meanwhile no record leaves memory.
    var isWaiting = false
    var isDone = false
    /// Why the disk could not be read.
    var failure: String?
}

extension ControlStore {
    /// Whether a snapshot's walk waits for the disk.
    public var isTellingWaiting: Bool { flushing.telling?.isWaiting ?? false }

    /// Why a snapshot's walk could not read what is on disk; `nil` when it could.
    public var tellingFailure: String? { flushing.telling?.failure }

    /// Asks for the next page; whether all are told.
    mutating func advanceTelling() -> Bool {
        var telling = flushing.telling ?? FlushedTelling()
        defer { flushing.telling = telling }
        guard !telling.isWaiting, !telling.isDone else { return telling.isDone }
        guard let part = nextDiskPart(from: telling.slot) else {
            telling.isDone = true
            return true
        }
        if part.slot != telling.slot || telling.after?.id.batch != part.batch {
            (telling.slot, telling.after) = (part.slot, nil)
        }
        flushing.requests.append(.list(after: telling.after, of: part.batch))
        _ = beginWalk()
        telling.isWaiting = true
        return false
    }

    /// Ends the walk; what leaves memory from now on is not told.
    public mutating func endTelling() {
        if isTellingWaiting { endWalk() }
        flushing.telling = nil
    }

    /// Tells the records of a page that are on disk only.
    mutating func tell(_ page: DiskGroup, _ isEnd: Bool, _ failure: String?) {
        guard var telling = flushing.telling, telling.isWaiting else { return }
        endWalk()
        telling.isWaiting = false
        page.forEach { name, value in
            guard let key = DiskKey.read(name)?.key else { return }
            telling.after = key
            if isMissing(key) { tellFlushed(key, value) }
        }
        if isEnd { (telling.slot, telling.after) = (telling.slot + 1, nil) }
        if let failure { (telling.failure, telling.isDone) = (failure, true) }
        flushing.telling = telling
    }

    mutating func tellFlushed(_ key: RecordKey, _ bytes: UnsafeRawBufferPointer) {
        let traits = RecordTraits(kind: key.kind, isStray: false, epoch: 0)
        journal.flushed.record(traits.rawValue, key.id, bytes)
    }
}
