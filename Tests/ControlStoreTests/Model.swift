import ControlStore
import Identifiers

/// What the store must do, in the plainest way: dictionaries, and no thought of speed.
struct Model {
    struct Object {
        var owner: BatchID
        var isKept = false
        var isPinned = false
        var isOrphan = false
        var nodes: Set<String> = []
    }

    struct Task {
        var owner: BatchID
        var specification: [UInt8]
        var arguments: [RecordID]
        var actor: RecordID?
        var sequence = 0
        var state = TaskState.pending
        /// Whether an output was seen since it has arguments.
        var hadOutput = false
    }

    enum Status {
        case active
        case done
        case deferred
    }

    struct Batch {
        var parent: BatchID
        var status = Status.active
        var isNoCleanup = false
        var goesWithParent = false
        /// Batches that an object was named of, and those of DEPEND.
        var named: Set<BatchID> = []
        var explicit: Set<BatchID> = []
    }

    var batches: [BatchID: Batch] = [:]
    var ended: Set<BatchID> = []
    var objects: [RecordID: Object] = [:]
    var tasks: [RecordID: Task] = [:]
    /// Who added tasks on an actor, in order.
    var actors: [RecordID: [(sequence: Int, batch: BatchID)]] = [:]
    var checkpoints: [RecordID: Int] = [:]
    var lastSequence = 0
    /// Collected batches since the last look: id, kept, adopted.
    var collected: [(BatchID, kept: Set<RecordID>, adopted: Set<RecordID>)] = []

    /// Who owns a new record of this id.
    func home(_ id: RecordID) throws(StoreError) -> BatchID {
        if id.batch.rawValue != 0, batches[id.batch] != nil { return id.batch }
        if ended.contains(id.batch) { throw .batchEnded(id.batch) }
        return .root
    }

    func known(_ id: BatchID) throws(StoreError) {
        if id == .root || batches[id] != nil { return }
        throw ended.contains(id) ? .batchEnded(id) : .noBatch(id)
    }

    mutating func addTask(
        _ id: RecordID, _ specification: [UInt8], actor: RecordID?, arguments: [RecordID],
        state: TaskState
    ) throws(StoreError) -> Bool {
        let old = tasks[id]
        var owner = old?.owner
        if owner == nil { owner = try home(id) }
        guard let owner else { return false }
        var task = Task(
            owner: owner, specification: specification, arguments: arguments, actor: actor)
        task.state = state
        if !arguments.isEmpty {
            task.hadOutput = old.map { !$0.arguments.isEmpty && $0.hadOutput } ?? false
            if outputCount(id) > 0 { task.hadOutput = true }
        }
        if let actor {
            if let old, old.actor == actor {
                task.sequence = old.sequence
            } else {
                lastSequence += 1
                task.sequence = lastSequence
                if owner != .root {
                    actors[actor, default: []].append((lastSequence, owner))
                }
            }
        }
        tasks[id] = task
        for argument in arguments { nameObject(argument, by: owner) }
        return old == nil
    }

    mutating func addObject(_ id: RecordID, _ node: String) throws(StoreError) -> Bool {
        if objects[id] == nil {
            objects[id] = Object(owner: try home(id))
            noteOutputs([id])
        }
        return objects[id]?.nodes.insert(node).inserted ?? false
    }

    mutating func keep(_ ids: [RecordID], in batch: BatchID) throws(StoreError) -> Int {
        if batch == .root { throw .rootBatch }
        try known(batch)
        for id in ids {
            var owner = objects[id]?.owner
            if owner == nil { owner = try home(id) }
            guard let owner else { continue }
            if owner != batch { throw .notOwned(id, owner: owner, named: batch) }
        }
        var count = 0
        for id in ids {
            if objects[id]?.isKept == true { continue }
            objects[id, default: Object(owner: batch)].isKept = true
            count += 1
        }
        noteOutputs(ids)
        return count
    }

    mutating func transfer(_ ids: [RecordID], to batch: BatchID) throws(StoreError) -> Int {
        try known(batch)
        for id in ids where objects[id] == nil { _ = try home(id) }
        var count = 0
        var owners: Set<BatchID> = []
        for id in ids {
            var owner = objects[id]?.owner ?? .root
            if objects[id] == nil { owner = try home(id) }
            if owner != batch { owners.insert(owner) }
            if objects[id]?.owner != batch { count += 1 }
            objects[id, default: Object(owner: batch)].owner = batch
            objects[id]?.isKept = false
            objects[id]?.isOrphan = false
        }
        noteOutputs(ids)
        for owner in owners { objectsMoved(from: owner, to: batch) }
        return count
    }

    mutating func end(_ id: BatchID, isNoGC: Bool) throws(StoreError) -> Status? {
        if id == .root { throw .rootBatch }
        try known(id)
        if batches[id]?.status == .deferred { return .deferred }
        let isMarking = isNoGC || batches[id]?.isNoCleanup == true
        var ended: [BatchID] = []
        for member in tree(id) {
            if isMarking {
                if batches[member]?.status == .active { batches[member]?.status = .done }
            } else {
                guard let old = batches[member], old.status != .deferred else { continue }
                batches[member]?.goesWithParent =
                    member != id && (old.status == .done || old.isNoCleanup)
                batches[member]?.status = .deferred
                ended.append(member)
            }
        }
        // Parents before children: what a NOCLEANUP batch ends goes with it.
        for member in ended.reversed() where member != id {
            let parent = batches[member]?.parent ?? .root
            if parent != id, batches[parent]?.goesWithParent == true {
                batches[member]?.goesWithParent = true
            }
        }
        releaseAll()
        return isMarking ? .done : batches[id]?.status
    }

    /// A batch and its descendants, children before parents.
    func tree(_ id: BatchID) -> [BatchID] {
        batches.filter { $0.value.parent == id }.keys.flatMap { tree($0) } + [id]
    }

    mutating func collect(_ top: BatchID, takesKept: Bool) -> Int {
        var released = 0
        for id in tree(top) { released += collectOne(id, takesKept: takesKept) }
        releaseAll()
        return released
    }

    mutating func collectOne(_ id: BatchID, takesKept: Bool) -> Int {
        let parent = batches[id]?.parent ?? .root
        if !takesKept {
            if objects.contains(where: { $0.value.owner == id && $0.value.isKept }) {
                objectsMoved(from: id, to: parent)
            }
            for (object, value) in objects where value.owner == id && value.isKept {
                objects[object]?.owner = parent
                objects[object]?.isKept = false
                objects[object]?.isOrphan = false
            }
            for (object, value) in objects where value.owner == id && value.isPinned {
                objects[object]?.owner = .root
                objects[object]?.isOrphan = true
            }
        }
        let gone = objects.filter { $0.value.owner == id }.keys
        let goneTasks = tasks.filter { $0.value.owner == id }.keys
        for object in gone { objects[object] = nil }
        for task in goneTasks { tasks[task] = nil }
        batches[id] = nil
        for other in batches.keys {
            batches[other]?.named.remove(id)
            batches[other]?.explicit.remove(id)
        }
        for actor in actors.keys { actors[actor]?.removeAll { $0.batch == id } }
        forgetIdleActors()
        ended.insert(id)
        collected.append(
            (
                id, kept: Set(objects.keys.filter { $0.batch == id }),
                adopted: Set(gone.filter { $0.batch != id })
            ))
        return gone.count + goneTasks.count
    }
}
