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
        /// The sequence number of its last task.
        var last: UInt64
    }

    private(set) var runs: [Run] = []

    mutating func append(_ slot: UInt32, sequence: UInt64) {
        if let position = runs.indices.last, runs[position].slot == slot {
            runs[position].last = sequence
        } else {
            runs.append(Run(slot: slot, last: sequence))
        }
    }

    /// Takes out what came up to and including `sequence`; the batches whose runs it cut.
    mutating func cut(upTo sequence: UInt64) -> [UInt32] {
        let kept = runs.firstIndex { $0.last > sequence } ?? runs.count
        // The run that goes on behind the cut has lost its first tasks.
        let touched = runs[..<min(kept + 1, runs.count)].map(\.slot)
        runs.removeFirst(kept)
        return touched
    }

    /// Gives one task to another batch, at its place.
    mutating func move(_ sequence: UInt64, to slot: UInt32) {
        guard let position = runs.firstIndex(where: { $0.last >= sequence }) else { return }
        let owner = runs[position].slot
        guard owner != slot else { return }
        if runs[position].last == sequence {
            runs[position].last = sequence - 1
            runs.insert(Run(slot: slot, last: sequence), at: position + 1)
        } else {
            runs.insert(
                contentsOf: [
                    Run(slot: owner, last: sequence - 1), Run(slot: slot, last: sequence),
                ],
                at: position)
        }
    }

    mutating func remove(_ slot: UInt32) { runs.removeAll { $0.slot == slot } }

    func contains(_ slot: UInt32) -> Bool { runs.contains { $0.slot == slot } }
}

/// Chains by actor, in 256 dictionaries, so that growing one of them never takes long.
struct ActorTable {
    private var shards = [[RecordID: ActorChain]](repeating: [:], count: 256)
    private(set) var lastSequence: UInt64 = 0

    private func shard(_ actor: RecordID) -> Int {
        Int(truncatingIfNeeded: UInt(bitPattern: actor.hashValue) & 255)
    }

    /// One number for all actors: it never starts anew.
    mutating func nextSequence() -> UInt64 {
        lastSequence += 1
        return lastSequence
    }

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
