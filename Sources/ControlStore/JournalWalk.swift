internal import Identifiers

/// A walk that notes everything there is, in slices, for a journal that is to begin anew.
///
/// What changes while it walks is noted by itself. So when it has ended, and what it noted is
/// committed, the changes told since it began make up the whole store.
public struct JournalWalk: Sendable {
    private enum Part: Int, Sendable {
        case head, log, ended, batches, actors, flushed, records, references, done
    }

    private var part = Part.head
    private var position: UInt64 = 0
    private let isWithFlushed: Bool

    /// A walk that has not begun.
    ///
    /// - Parameter isWithFlushed: whether it reads what is on disk, for `flushedJournalBytes`; then
    ///   `endTelling()` follows it.
    public init(isWithFlushed: Bool = false) { self.isWithFlushed = isWithFlushed }

    /// Whether everything is noted.
    public var isDone: Bool { part == .done }

    fileprivate mutating func next() {
        part = Part(rawValue: part.rawValue + 1) ?? .done
        position = 0
    }

    /// Notes a slice: about `budget` things, up to 640 more.
    fileprivate mutating func step(_ store: inout ControlStore, budget: Int) {
        switch part {
        case .head:
            store.noteHead()
            next()
        case .log: advance(to: store.noteEntries(from: position, budget: budget))
        case .ended: advance(to: store.noteEnded(from: position, budget: budget))
        case .batches: advance(to: store.noteBatches(from: position, budget: budget))
        case .actors: advance(to: store.noteActors(shard: position))
        case .flushed: if !isWithFlushed || store.advanceTelling() { next() }
        case .records: advance(to: store.noteRecords(from: position, budget: budget))
        case .references: advance(to: store.noteReferences(from: position, budget: budget))
        case .done: return
        }
    }

    private mutating func advance(to position: UInt64) {
        if position == 0 { next() } else { self.position = position }
    }
}

extension ControlStore {
    /// Notes the next slice of what there is; `commitJournal()` tells it.
    public mutating func advance(_ walk: inout JournalWalk, budget: Int) {
        walk.step(&self, budget: budget)
    }

    fileprivate mutating func noteHead() {
        journal.hasHead = true
        for node in knownNodes { journal.noteNode(node.name) }
    }

    /// Entries are told by their position: trimming meanwhile makes some told twice, none left out.
    fileprivate mutating func noteEntries(from cursor: UInt64, budget: Int) -> UInt64 {
        let trimmed = UInt64(log.addedCount - log.count)
        let start = Int(max(cursor, trimmed) - trimmed)
        let end = min(start + budget, log.count)
        for position in start..<max(start, end) { journal.entries.append(log[position]) }
        return end < log.count ? trimmed + UInt64(end) : 0
    }

    fileprivate mutating func noteEnded(from cursor: UInt64, budget: Int) -> UInt64 {
        var found: [(BatchID, Int64)] = []
        let next = tombstones.visit(from: cursor, budget: budget) { found.append(($0, $1)) }
        for (batch, time) in found { journal.noteEnded(batch, at: time) }
        return next
    }

    fileprivate mutating func noteBatches(from cursor: UInt64, budget: Int) -> UInt64 {
        var slot = UInt32(truncatingIfNeeded: cursor)
        var left = budget
        while slot < batches.slotCount {
            guard left > 0 else { return UInt64(slot) }
            left -= 1
            if let batch = batches.batch(atSlot: slot), batch != root {
                journal.note(batch.pointee.id)
                for target in batch.pointee.links?.pointee.dependsOn.keys.map({ $0 }) ?? [] {
                    guard let other = batches.batch(atSlot: target) else { continue }
                    journal.dependencies.append((batch.pointee.id, other.pointee.id))
                    left -= 1
                }
            }
            slot += 1
        }
        return 0
    }

    fileprivate mutating func noteActors(shard: UInt64) -> UInt64 {
        journal.chains += actors.actors(ofShard: Int(shard))
        return shard + 1 < UInt64(ActorTable.shardCount) ? shard + 1 : 0
    }

    fileprivate mutating func noteRecords(from cursor: UInt64, budget: Int) -> UInt64 {
        var filter = ScanFilter()
        (filter.takesBatches, filter.takesNodes, filter.takesLog) = (false, false, false)
        var found: [RecordKey] = []
        let next = scan(from: cursor, budget: budget, filter: filter) { key in
            if case .record(let id, let kind) = key { found.append(RecordKey(id, kind)) }
        }
        journal.keys += found
        return next
    }

    fileprivate mutating func noteReferences(from cursor: UInt64, budget: Int) -> UInt64 {
        var found: [UInt32] = []
        let next = scanReferenceNumbers(from: cursor, budget: budget) { found.append($0) }
        for number in found { noteReference(number) }
        return next
    }
}
