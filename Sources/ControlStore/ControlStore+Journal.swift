internal import CProcessor
internal import Identifiers

/// What a RECORD tells first, in one number: kind (3 bits) | whether its owner follows (1) | epoch (3).
///
/// A record whose id does not tell its owner has that behind its id.
public struct RecordTraits: Sendable {
    /// What it describes.
    public var kind: RecordKind
    /// Whether it lies in the estate.
    public var isStray: Bool
    /// The part of the log that told it.
    public var epoch: UInt8

    init(kind: RecordKind, isStray: Bool, epoch: UInt8) {
        (self.kind, self.isStray, self.epoch) = (kind, isStray, epoch)
    }

    /// What a number tells; `nil` when it is none of these.
    public init?(rawValue: UInt8) {
        guard rawValue < 128, let kind = RecordKind(rawValue: rawValue & 7) else { return nil }
        self.init(kind: kind, isStray: rawValue & 8 != 0, epoch: rawValue >> 4)
    }

    var rawValue: UInt8 { kind.rawValue | (isStray ? 8 : 0) | epoch << 4 }
}

/// The format of the changes that GCS.LOAD takes.
public enum JournalFormat {
    /// Told in each HEAD; another one is refused.
    public static let version = 3
    /// What the change of a record begins with that is where its id says: most of a log.
    static var recordHead: StaticString {
        "*5\r\n$8\r\nGCS.LOAD\r\n$6\r\nRECORD\r\n"
    }
}

extension ControlStore {
    /// Whether changes are noted, to be told by `commitJournal()`.
    public var isJournaling: Bool { journal.isOn }

    /// Begins to note changes; what is there already is told by a `JournalWalk`.
    public mutating func startJournal() { journal.isOn = true }

    /// Notes nothing any more, and forgets what was noted.
    public mutating func stopJournal() {
        journal.isOn = false
        journal.forget()
        journal.references.clear()
        journal.writer.clear()
        journal.flushed.clear()
        takeOutLeaving()
    }

    /// The changes told since `clearJournal()`, as RESP commands.
    ///
    /// Valid until the store changes.
    public var journalBytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: journal.writer.base, count: journal.writer.count)
    }

    /// Where in `journalBytes` other changes lie than those of records that are where their ids say: what a renewal
    /// does not tell again.
    public var otherJournalRanges: [Range<Int>] { journal.writer.otherRanges }

    /// What a snapshot has to tell of records on disk, before the changes told since `clearJournal()`; as
    /// RESP commands.
    ///
    /// Valid until the store changes.
    public var flushedJournalBytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: journal.flushed.base, count: journal.flushed.count)
    }

    /// Forgets the changes that were handed on.
    public mutating func clearJournal() {
        journal.writer.clear()
        journal.flushed.clear()
    }

    /// Tells what changed since the last time: what each thing is now.
    ///
    /// The order matters to whom reads it: what ended first, then what other things name.
    public mutating func commitJournal() {
        guard journal.isOn else { return }
        if journal.isReset { journal.writer.start("RESET", wordCount: 0) }
        if journal.hasHead { tellHead() }
        if journal.hasHead || journal.hasDisk { tellDisk() }
        for (batch, time) in journal.ended {
            journal.writer.start("ENDED", wordCount: 2)
            journal.writer.word(batch.rawValue)
            journal.writer.word(time)
        }
        for name in journal.nodes { tellNode(name) }
        for batch in journal.batches { tellBatch(batch) }
        tellRecords()
        for (batch, other) in journal.dependencies { tellDependency(batch, other) }
        tellActors()
        for entry in journal.entries {
            journal.writer.start("ENTRY", wordCount: 2)
            journal.writer.word(entry.id)
            journal.writer.word(entry.fields)
        }
        let references = UnsafeRawBufferPointer(
            start: journal.references.base, count: journal.references.count)
        journal.writer.append(references)
        journal.references.clear()
        journal.forget()
        takeOutLeaving()
    }

    /// Whether something is noted or told that was not handed on.
    public var hasJournal: Bool {
        journal.isOn
            && (journal.writer.count > 0 || !journal.keys.isEmpty || !journal.batches.isEmpty
                || !journal.entries.isEmpty || !journal.ended.isEmpty || !journal.nodes.isEmpty
                || !journal.dependencies.isEmpty || !journal.runs.isEmpty
                || !journal.chains.isEmpty || journal.references.count > 0 || journal.hasHead
                || journal.hasDisk || journal.isReset)
    }

    /// Tells of a task that is about to be written, when it can be told at once: nothing is looked up for that.
    ///
    /// Only of one in the batch of its id. What is noted later is told later, also its end. It is told from where its
    /// bytes come from, while the memory that it is written to is on its way.
    ///
    /// - Parameters:
    ///   - payload: where it will be.
    ///   - head: what it begins with.
    ///   - rest: what follows that.
    @inline(never)
    mutating func tellEarly(
        _ key: RecordKey, at site: Site, _ payload: UnsafeMutableRawBufferPointer, _ head: UInt64,
        _ rest: UnsafeRawBufferPointer
    ) {
        guard !site.isStray, payload.count <= Region.inlineByteCountMax,
            let start = payload.baseAddress
        else { return }
        for line in stride(from: 0, to: min(payload.count, Self.prefetchedByteCount), by: 64) {
            gcs_prefetch(start + line)
        }
        let traits = RecordTraits(kind: key.kind, isStray: false, epoch: journal.epoch)
        guard journal.tellEarly(key, traits, head, rest) else { return }
        Region.setEpoch(journal.epoch, of: start - Region.narrowHeaderByteCount)
    }

    private static var prefetchedByteCount: Int { 512 }

    private mutating func tellHead() {
        journal.headSegment = journal.segment
        journal.writer.start("HEAD", wordCount: 6)
        journal.writer.word(JournalFormat.version)
        journal.writer.word(nodes.numberCount)
        journal.writer.word(actors.lastSequence)
        journal.writer.word(log.lastID)
        journal.writer.word(log.lastTrimmedID)
        journal.writer.word(log.addedCount)
    }

    private mutating func tellDisk() {
        guard flushing.identity != 0 else { return }
        journal.writer.start("DISK", wordCount: 1)
        journal.writer.word(Int64(bitPattern: flushing.identity))
    }

    private mutating func tellNode(_ name: [UInt8]) {
        guard let position = name.withUnsafeBufferPointer({ nodes.position(of: $0, memory.seeds) }),
            let node = nodes.nodes[position]
        else {
            journal.writer.start("NODEGONE", wordCount: 1)
            return journal.writer.word(name)
        }
        nodes.update(at: position) { $0.toldSegment = journal.segment }
        journal.writer.start("NODE", wordCount: 8)
        journal.writer.word(name)
        journal.writer.word(position)
        journal.writer.word(node.number)
        journal.writer.word(nodes.numberCount)
        journal.writer.word(node.address)
        journal.writer.word(node.store)
        journal.writer.word(node.registeredAt)
        journal.writer.word(node.acknowledged)
    }

    private mutating func tellBatch(_ id: BatchID) {
        guard id != .root, let batch = batches.find(id, memory.seeds) else { return }
        batch.pointee.toldSegment = journal.segment
        let parent = batches.batch(atSlot: batch.pointee.parent)?.pointee.id ?? .root
        let flags =
            (batch.pointee.isNoCleanup ? 1 : 0) | (batch.pointee.goesWithParent ? 2 : 0)
            | (batch.pointee.namesOwn ? 4 : 0)
        journal.writer.start("BATCH", wordCount: 9)
        journal.writer.word(id.rawValue)
        journal.writer.word(parent.rawValue)
        journal.writer.word(batch.pointee.status.rawValue)
        journal.writer.word(batch.pointee.reason.rawValue)
        journal.writer.word(flags)
        journal.writer.word(batch.pointee.createdAt)
        journal.writer.word(batch.pointee.endedAt)
        journal.writer.word(batch.pointee.deadline)
        journal.writer.word(batch.pointee.nameBytes)
    }

    private mutating func tellRecords() {
        let keys = journal.keys
        for start in stride(from: 0, to: keys.count, by: Self.prefetchCount) {
            let count = min(Self.prefetchCount, keys.count - start)
            prefetch(count) { keys[start + $0] }
            for key in keys[start..<start + count] { tellRecord(key) }
        }
    }

    private mutating func tellRecord(_ key: RecordKey) {
        let site = locate(key)
        guard let owner = site.batch, let entry = entry(site), let payload = payload(site) else {
            journal.writer.start("GONE", wordCount: 2, isLasting: false)
            journal.writer.word(key.kind.rawValue)
            return journal.writer.word(key.id)
        }
        Region.setEpoch(journal.epoch, of: entry)
        let traits = RecordTraits(kind: key.kind, isStray: site.isStray, epoch: journal.epoch)
        let bytes = UnsafeRawBufferPointer(payload)
        guard site.isStray else { return journal.writer.record(traits.rawValue, key.id, bytes) }
        journal.writer.start("RECORD", wordCount: 4)
        journal.writer.word(traits.rawValue)
        journal.writer.word(key.id)
        journal.writer.word(owner.pointee.id.rawValue)
        journal.writer.word(bytes)
    }

    private mutating func tellDependency(_ id: BatchID, _ otherID: BatchID) {
        guard let batch = batches.find(id, memory.seeds),
            let other = batches.find(otherID, memory.seeds),
            let kinds = batch.pointee.links?.pointee.dependsOn[other.pointee.slot]
        else { return }
        journal.writer.start("DEPEND", wordCount: 3)
        journal.writer.word(id.rawValue)
        journal.writer.word(otherID.rawValue)
        journal.writer.word(kinds.rawValue)
    }

    /// Runs that one command tells: a request has a bounded number of words.
    private static var runsPerChain: Int { 1000 }

    private mutating func tell(_ run: ActorChain.Run) {
        journal.writer.word(batches.batch(atSlot: run.slot)?.pointee.id.rawValue ?? 0)
        journal.writer.word(run.last)
    }

    private mutating func tellActors() {
        for (actor, id, sequence) in journal.runs where batches.find(id, memory.seeds) != nil {
            journal.writer.start("RUN", wordCount: 3)
            journal.writer.word(actor)
            journal.writer.word(id.rawValue)
            journal.writer.word(sequence)
        }
        for actor in journal.chains {
            let runs = actors.chain(actor)?.runs ?? []
            if !runs.isEmpty { actors.update(actor) { $0.toldSegment = journal.segment } }
            let first = runs.prefix(Self.runsPerChain)
            journal.writer.start("CHAIN", wordCount: 1 + 2 * first.count)
            journal.writer.word(actor)
            for run in first { tell(run) }
            for run in runs.dropFirst(Self.runsPerChain) {
                journal.writer.start("RUN", wordCount: 3)
                journal.writer.word(actor)
                tell(run)
            }
        }
    }
}

// MARK: - References

extension ControlStore {
    /// Tells of a reference: what it is now.
    ///
    /// Not of pins: stores tell them anew.
    mutating func noteReference(_ number: UInt32) {
        guard journal.isOn, let info = reference(number), info.type.isClaim else { return }
        references.references[number].pointee.epoch = journal.epoch
        journal.references.start("REF", wordCount: 7)
        journal.references.word(info.node)
        journal.references.word(info.process)
        journal.references.word(info.type.rawValue)
        journal.references.word(info.object)
        journal.references.word(info.size.map { Int64($0) } ?? -1)
        journal.references.word((info.isDriver ? 1 : 0) | Int(journal.epoch) << 1)
        journal.references.word(info.site)
    }

    mutating func noteReferenceGone(
        _ holder: HolderName, _ type: ReferenceType, _ object: RecordID
    ) {
        guard journal.isOn, type.isClaim else { return }
        journal.references.start("UNREF", wordCount: 4)
        journal.references.word(UnsafeRawBufferPointer(holder.node))
        journal.references.word(holder.process)
        journal.references.word(type.rawValue)
        journal.references.word(object)
    }

    mutating func noteHolderGone(_ node: UnsafeBufferPointer<UInt8>, _ process: UInt32?) {
        guard journal.isOn else { return }
        journal.references.start("CLEAR", wordCount: process == nil ? 1 : 2)
        journal.references.word(UnsafeRawBufferPointer(node))
        if let process { journal.references.word(process) }
    }
}
