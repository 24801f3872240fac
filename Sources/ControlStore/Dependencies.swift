internal import Identifiers

/// Why one batch depends on another; both for good, unlike an order on an actor.
struct DependencyKinds: OptionSet {
    let rawValue: UInt8
    /// A task of it named an object of the other.
    static let object = DependencyKinds(rawValue: 1)
    /// GCS.BATCH DEPEND.
    static let explicit = DependencyKinds(rawValue: 2)
}

/// A batch's part in the graph of dependencies; only batches that have one carry it.
///
/// Batches are named by slot: an ended one is taken out of all others' links first.
struct Links {
    var dependsOn: [UInt32: DependencyKinds] = [:]
    var dependents: Set<UInt32> = []
    /// Actors that it has tasks on since their last checkpoint.
    var actors: Set<RecordID> = []

    var isEmpty: Bool { dependsOn.isEmpty && dependents.isEmpty && actors.isEmpty }
}

/// In which order batches added tasks on one actor, since its last checkpoint.
///
/// Tasks of one batch in a row are one run: a million of them cost sixteen bytes.
struct ActorChain {
    struct Run {
        var slot: UInt32
        /// How far before the last task's its first task's sequence number is.
        var span: UInt32
        /// The sequence number of its last task.
        var last: UInt64

        init(slot: UInt32, first: UInt64, last: UInt64) {
            self.slot = slot
            span = UInt32(last - first)
            self.last = last
        }

        var first: UInt64 { last - UInt64(span) }
    }

    private(set) var runs: [Run] = []
    /// The log's last segment when all of it was told, or an earlier one.
    var toldSegment: UInt32 = 0
    /// The sequence number up to which nothing is needed; forgotten with the last run.
    private var checkpoint: UInt64 = 0

    mutating func append(_ slot: UInt32, sequence: UInt64) {
        if let run = runs.last, run.slot == slot, sequence - run.first <= UInt32.max {
            runs[runs.count - 1] = Run(slot: slot, first: run.first, last: sequence)
        } else {
            runs.append(Run(slot: slot, first: sequence, last: sequence))
        }
    }

    /// Takes out what came up to and including `sequence`; the batches whose runs it cut.
    mutating func cut(upTo sequence: UInt64) -> [UInt32] {
        checkpoint = max(checkpoint, sequence)
        let kept = runs.firstIndex { $0.last > sequence } ?? runs.count
        // The run that goes on behind the cut has lost its first tasks.
        let touched = runs[..<min(kept + 1, runs.count)].map(\.slot)
        runs.removeFirst(kept)
        if let run = runs.first, run.first <= sequence {
            runs[0] = Run(slot: run.slot, first: sequence + 1, last: run.last)
        }
        return touched
    }

    /// Gives one task to another batch, at its place; not one from before the checkpoint.
    ///
    /// The batch that had it stays in its place, too: what depended on that one goes on doing so.
    mutating func move(_ sequence: UInt64, to slot: UInt32) {
        guard sequence > checkpoint else { return }
        let moved = Run(slot: slot, first: sequence, last: sequence)
        let place = runs.firstIndex { $0.last >= sequence } ?? runs.count
        // The root's tasks have no runs: one of them may lie between two, or behind all.
        guard place < runs.count, runs[place].first <= sequence else {
            return runs.insert(moved, at: place)
        }
        let run = runs[place]
        guard run.slot != slot else { return }
        var parts = [Run(slot: run.slot, first: run.first, last: sequence), moved]
        if sequence < run.last {
            parts.append(Run(slot: run.slot, first: sequence + 1, last: run.last))
        }
        runs.replaceSubrange(place...place, with: parts)
    }

    mutating func remove(_ slot: UInt32) { runs.removeAll { $0.slot == slot } }

    func contains(_ slot: UInt32) -> Bool { runs.contains { $0.slot == slot } }
}

/// Chains by actor, in 256 dictionaries, so that growing one of them never takes long.
struct ActorTable {
    static let shardCount = 256
    private var shards = [[RecordID: ActorChain]](repeating: [:], count: shardCount)
    private(set) var lastSequence: UInt64 = 0

    private func shard(_ actor: RecordID) -> Int {
        Int(truncatingIfNeeded: UInt(bitPattern: actor.hashValue) & 255)
    }

    /// One number for all actors: it never starts anew.
    mutating func nextSequence() -> UInt64 {
        lastSequence += 1
        return lastSequence
    }

    /// Gives no number up to `sequence` any more.
    mutating func raiseSequence(to sequence: UInt64) { lastSequence = max(lastSequence, sequence) }

    /// Frees one of the dictionaries of a table that is used no more; whether there was one.
    mutating func dropShard() -> Bool { shards.popLast() != nil }

    /// A table without actors that goes on with the numbers.
    func emptied() -> ActorTable {
        var table = ActorTable()
        table.lastSequence = lastSequence
        return table
    }

    /// The actors that one of the dictionaries holds.
    func actors(ofShard shard: Int) -> [RecordID] { Array(shards[shard].keys) }

    func chain(_ actor: RecordID) -> ActorChain? { shards[shard(actor)][actor] }

    /// Changes an actor's chain; one without runs is forgotten.
    mutating func update<Result>(
        _ actor: RecordID, _ change: (inout ActorChain) -> Result
    ) -> Result {
        let shard = shard(actor)
        let result = change(&shards[shard][actor, default: ActorChain()])
        if shards[shard][actor]?.runs.isEmpty == true { shards[shard][actor] = nil }
        return result
    }
}
