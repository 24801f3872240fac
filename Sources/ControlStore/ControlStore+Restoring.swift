internal import Identifiers

/// Where taking over the records that an earlier run left on disk stands.
public enum DiskRestoration: Equatable, Sendable {
    /// There is nothing to take over, as far as is known.
    case none
    /// The log that is being loaded counts on records on disk.
    case expected
    /// They are being listed; so many were found.
    case underWay(recordCount: Int)
    /// All were found.
    case done(recordCount: Int)
    /// They cannot be taken over, and why.
    case failed(String)
}

/// What the contents of a disk are known by; also, whether a log may count on them.
public enum DiskIdentity {
    /// Whether a log may count on contents of this identity: one that was told of them, and of all
    /// changes since.
    public static func isCountedOn(_ identity: UInt64) -> Bool { identity & 1 == 1 }

    static func make(_ random: UInt64, isCountedOn: Bool) -> UInt64 {
        isCountedOn ? random | 1 : max(random & ~1, 2)
    }
}

/// What a log told that is being loaded, and what is on disk may not know of yet.
///
/// All that came later is told, too, and in memory: so what these name can go from the disk.
struct ToldOfDisk {
    /// Whether the store was emptied.
    var isReset = false
    /// Records that went, or moved to another batch.
    var gone: Set<RecordKey> = []
    /// Batches that ended.
    var ended: Set<BatchID> = []
    /// Batches that were there after one of their id had ended.
    var begun: Set<BatchID> = []
}

/// Taking over flushed records after a start, together with the log that counts on them.
///
/// A log tells of records in memory; those on disk lie there alone. The identity that it tells ties both
/// together. What the log tells counts: while it is loaded, what it tells to be gone is removed from the
/// disk; then all keys on disk are listed, for counts and filters, and what belongs to no batch goes.
extension ControlStore {
    /// Where it stands.
    public var diskRestoration: DiskRestoration { flushing.restoration }

    /// Has the identity that a log tells of the disk's contents believed, for the log about to be loaded.
    public mutating func expectDisk() { flushing.restoration = .expected }

    /// Takes in the identity of what is on disk.
    public mutating func loadDisk(identity: UInt64) {
        guard flushing.restoration == .expected, flushing.identity != identity else { return }
        flushing.identity = identity
        flushing.requests.append(.keep(identity: identity))
    }

    /// Has everything on disk listed, after the log was loaded.
    public mutating func restoreFlushed() {
        guard flushing.restoration == .expected else { return }
        guard flushing.identity != 0 else {
            (flushing.restoration, flushing.told) = (.none, ToldOfDisk())
            return
        }
        if flushing.told.isReset { flushing.requests.append(.clear) }
        for batch in flushing.told.begun { requestRemoval(of: batch, recordCount: 0) }
        flushing.restoration = .underWay(recordCount: 0)
        flushing.requests.append(.list(after: nil, of: nil))
    }

    mutating func receiveKept(_ failure: String?) {
        if let failure { flushing.restoration = .failed(failure) }
    }

    /// Takes in a page of a list.
    mutating func receivePage(_ page: DiskGroup, _ isEnd: Bool, _ failure: String?) {
        guard case .underWay(let count) = flushing.restoration else {
            return tell(page, isEnd, failure)
        }
        if let failure {
            flushing.restoration = .failed("the flushed records cannot be read: \(failure)")
            return
        }
        var last: RecordKey?
        var dropped: BatchID?
        page.forEach { name, value in
            guard let key = DiskKey.read(name)?.key else { return }
            last = key
            guard let batch = batches.find(key.id.batch, memory.seeds) else {
                if dropped != key.id.batch { requestRemoval(of: key.id.batch, recordCount: 0) }
                dropped = key.id.batch
                return
            }
            restore(key, value, batch)
        }
        guard case .underWay = flushing.restoration else { return }
        if isEnd {
            flushing.told = ToldOfDisk()
            flushing.restoration = .done(recordCount: flushing.awayCount)
        } else {
            flushing.restoration = .underWay(recordCount: count + page.count)
            flushing.requests.append(.list(after: last, of: nil))
        }
    }

    private mutating func restore(
        _ key: RecordKey, _ bytes: UnsafeRawBufferPointer, _ batch: BatchPointer
    ) {
        guard Self.isRecord(bytes, key.kind) else {
            flushing.restoration = .failed("the record \(key.id) on disk is malformed")
            return
        }
        let disk = diskPart(batch)
        let hash = filterHash(key)
        if !disk.pointee.filter.mayContain(hash) { disk.pointee.filter.insert(hash) }
        // Also when it is in memory: one that lives elsewhere must not come back when it goes there.
        guard !flushing.told.gone.contains(key) else { return removeFromDisk(key, disk) }
        guard locate(key).place == nil else { return }
        count(key.kind, 1)
        batch.pointee.count(key.kind, 1)
        disk.pointee.count(key.kind, 1)
        flushing.awayCount += 1
        countNeeds(of: key, bytes, batch)
    }

    // MARK: While the log is loaded

    /// Notes that the log tells a record to be gone, or elsewhere: what is on disk of it goes, unless it
    /// comes back.
    mutating func forgetKept(_ key: RecordKey) {
        if flushing.restoration == .expected { flushing.told.gone.insert(key) }
    }

    /// Notes that the log tells of the end of a batch: one of its id that comes later begins empty.
    mutating func forgetKept(_ id: BatchID) {
        if flushing.restoration == .expected { flushing.told.ended.insert(id) }
    }

    /// Notes that the log tells of a batch.
    mutating func beginKept(_ id: BatchID) {
        guard flushing.restoration == .expected, flushing.told.ended.contains(id) else { return }
        flushing.told.begun.insert(id)
    }

    /// Notes that the log tells that the store was emptied.
    mutating func clearKept() {
        guard flushing.restoration == .expected else { return }
        flushing.told = ToldOfDisk(isReset: true)
    }

    // MARK: Identity

    private func makeIdentity(isCountedOn: Bool) -> UInt64 {
        DiskIdentity.make(
            memory.seeds.hash(
                unique: UInt64(bitPattern: now) ^ flushing.identity, index: .max, kind: .task),
            isCountedOn: isCountedOn)
    }

    /// Whether records can be written to the disk; if not, its use is begun: what an earlier run left is
    /// forgotten.
    mutating func isDiskReady() -> Bool {
        if flushing.identity != 0 || flushing.isDiscarding { return true }
        guard !flushing.isBeginning else { return false }
        flushing.isBeginning = true
        flushing.requests.append(.begin(identity: makeIdentity(isCountedOn: journal.isOn)))
        return false
    }

    /// Has the log tell what is on disk by its identity: after a crash it is there.
    mutating func receiveBegun(_ identity: UInt64, _ failure: String?) {
        flushing.isBeginning = false
        if let failure {
            (flushing.failure, flushing.retryAt) = (failure, now + 1000)
            return
        }
        flushing.identity = identity
        if journal.isOn { journal.hasDisk = true }
    }

    /// Whether a log that was there before cannot be loaded any more.
    public var isDiskParted: Bool { flushing.isParted }

    /// Parts what is on disk from the log that told of it: it tells of no changes any more.
    public mutating func partDiskFromLog() {
        guard flushing.identity != 0 else { return }
        flushing.isParted = true
        renameDisk(isCountedOn: false)
    }

    /// Has a log that begins count on what is on disk; it is not whole before that is done.
    public mutating func joinDiskToLog() {
        if flushing.identity != 0 { renameDisk(isCountedOn: true) }
    }

    private mutating func renameDisk(isCountedOn: Bool) {
        flushing.identity = makeIdentity(isCountedOn: isCountedOn)
        flushing.removals.requested += 1
        flushing.requests.append(.rename(identity: flushing.identity))
        if journal.isOn { journal.hasDisk = true }
    }
}
