internal import Identifiers

/// What the server must know, and what may be deleted: the contract's rules, written plainly.
///
/// It hears of every command when the server has carried it out, with the reply, even when that reply
/// is lost on its way.
struct Model {
    struct Batch {
        var parent: BatchID
        var isActive = true
        var isNoCleanup = false
        /// Milliseconds of the server's clock; 0 for never.
        var deadline: Int64 = 0
    }

    /// Batches that live, without the root.
    private(set) var batches: [BatchID: Batch] = [:]
    /// Batches that ended in this life of the server.
    private(set) var ended: Set<BatchID> = []
    /// Owners of objects that belong elsewhere than their id says.
    var owners: [RecordID: BatchID] = [:]
    var kept: Set<RecordID> = []
    /// Objects that the server has a record of.
    var records: Set<RecordID> = []
    /// Objects that were put, or named in a command.
    var objects: Set<RecordID> = []
    /// Objects that some deletion was about, ever: a node may delete them.
    private(set) var mayGo: Set<RecordID> = []
    /// Objects that a deletion was about since this was last emptied.
    var condemned: [RecordID] = []
    private var everEnded: Set<BatchID> = []

    /// Who owns an object; `nil` when its batch has ended and it is not kept.
    func owner(of id: RecordID) -> BatchID? {
        if let owner = owners[id] { return owner }
        if id.batch == .root || batches[id.batch] != nil { return id.batch }
        return ended.contains(id.batch) ? nil : .root
    }

    /// An object was put into a store.
    mutating func put(_ id: RecordID) {
        objects.insert(id)
        // Put after its batch ended, or where the server that knew has forgotten it.
        if owners[id] == nil, everEnded.contains(id.batch) { mayGo.insert(id) }
    }

    /// The server lost its memory.
    mutating func forget() {
        batches = [:]
        ended = []
        owners = [:]
        kept = []
        records = []
    }

    mutating func start(_ id: BatchID, _ batch: Batch) { batches[id] = batch }

    mutating func setDeadline(_ id: BatchID, _ deadline: Int64) { batches[id]?.deadline = deadline }

    /// An object gets a record that it has not; of a batch nobody knows it is the root's from then on.
    mutating func record(_ id: RecordID) {
        objects.insert(id)
        records.insert(id)
        if owners[id] == nil, id.batch != .root, batches[id.batch] == nil { owners[id] = .root }
    }

    mutating func condemn(_ id: RecordID) {
        records.remove(id)
        owners[id] = nil
        kept.remove(id)
        mayGo.insert(id)
        condemned.append(id)
    }
}

// MARK: - Ends

extension Model {
    private func children(of id: BatchID) -> [BatchID] {
        batches.filter { $0.value.parent == id }.keys.sorted()
    }

    /// Ends a batch and its descendants, but leaves their records.
    mutating func finish(_ id: BatchID) {
        if batches[id]?.isActive == true {
            batches[id]?.isActive = false
            batches[id]?.deadline = 0
        }
        for child in children(of: id) { finish(child) }
    }

    /// Collects a batch after its descendants; kept objects pass to the parent.
    mutating func collect(_ id: BatchID, takesKept: Bool) {
        for child in children(of: id) { collect(child, takesKept: takesKept) }
        guard let batch = batches[id] else { return }
        let owned = objects.filter { owner(of: $0) == id }.sorted { $0.isBefore($1) }
        for object in owned where kept.contains(object) && !takesKept {
            kept.remove(object)
            owners[object] = object.batch == batch.parent ? nil : batch.parent
        }
        for object in owned where owner(of: object) == id { condemn(object) }
        batches[id] = nil
        ended.insert(id)
        everEnded.insert(id)
    }

    /// Ends the batches whose time has passed.
    mutating func expire(at now: Int64) {
        let due = batches.filter { (1...now).contains($0.value.deadline) }
            .sorted { ($0.value.deadline, $0.key) < ($1.value.deadline, $1.key) }
        for (id, _) in due {
            guard let batch = batches[id], batch.deadline != 0 else { continue }
            batches[id]?.deadline = 0
            if batch.isNoCleanup { finish(id) } else { collect(id, takesKept: false) }
        }
    }
}
