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
        flushing.endedWhileLoading = []
        guard flushing.identity != 0 else {
            flushing.restoration = .none
            return
        }
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
            flushing.restoration = .failed(failure)
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
        guard locate(key).place == nil else { return }
        count(key.kind, 1)
        batch.pointee.count(key.kind, 1)
        disk.pointee.count(key.kind, 1)
        flushing.awayCount += 1
        countNeeds(of: key, bytes, batch)
    }

    // MARK: While the log is loaded

    /// Whether what is loaded may contradict what is on disk.
    private var isKeeping: Bool {
        flushing.restoration == .expected && flushing.identity != 0
    }

    /// Has a record removed that the log tells to be gone, or elsewhere.
    mutating func forgetKept(_ key: RecordKey) {
        if isKeeping { requestRemoval(of: key) }
    }

    /// Notes that the log tells of the end of a batch: one of its id that comes later begins empty.
    mutating func forgetKept(_ id: BatchID) {
        if isKeeping { flushing.endedWhileLoading.insert(id) }
    }

    /// Notes that the log tells of a batch.
    mutating func beginKept(_ id: BatchID) {
        guard isKeeping, flushing.endedWhileLoading.remove(id) != nil else { return }
        requestRemoval(of: id, recordCount: 0)
    }

    /// Has everything removed: the log tells that the store was emptied.
    mutating func clearKept() {
        guard isKeeping else { return }
        flushing.endedWhileLoading = []
        flushing.requests.append(.clear)
    }

    // MARK: Identity

    private func makeIdentity() -> UInt64 {
        let hash = memory.seeds.hash(
            unique: UInt64(bitPattern: now) ^ flushing.identity, index: .max, kind: .task)
        return hash == 0 ? 1 : hash
    }

    /// Begins to use the disk: what an earlier run left is forgotten.
    mutating func beginDisk() {
        flushing.identity = makeIdentity()
        flushing.requests.append(.begin(identity: flushing.identity))
        if journal.isOn { journal.hasDisk = true }
    }

    /// Parts what is on disk from the log that told of it: it tells of no changes any more.
    public mutating func partDiskFromLog() {
        guard flushing.identity != 0 else { return }
        flushing.identity = makeIdentity()
        flushing.requests.append(.rename(identity: flushing.identity))
    }
}
