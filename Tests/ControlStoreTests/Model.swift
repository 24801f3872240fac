import ControlStore
import Identifiers

/// What the store must do, in the plainest way: dictionaries, and no thought of speed.
struct Model {
    struct Object {
        var owner: BatchID
        var isKept = false
        var nodes: Set<String> = []
    }

    struct Batch {
        var parent: BatchID
        var isDone = false
        var isNoCleanup = false
    }

    var batches: [BatchID: Batch] = [:]
    var ended: Set<BatchID> = []
    var objects: [RecordID: Object] = [:]
    var tasks: [RecordID: (owner: BatchID, specification: [UInt8])] = [:]
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

    mutating func addTask(_ id: RecordID, _ specification: [UInt8]) throws(StoreError) -> Bool {
        let isNew = tasks[id] == nil
        var owner = tasks[id]?.owner
        if owner == nil { owner = try home(id) }
        guard let owner else { return false }
        tasks[id] = (owner, specification)
        return isNew
    }

    mutating func addObject(_ id: RecordID, _ node: String) throws(StoreError) -> Bool {
        if objects[id] == nil { objects[id] = Object(owner: try home(id)) }
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
        return count
    }

    mutating func transfer(_ ids: [RecordID], to batch: BatchID) throws(StoreError) -> Int {
        try known(batch)
        for id in ids where objects[id] == nil { _ = try home(id) }
        var count = 0
        for id in ids {
            if objects[id]?.owner != batch { count += 1 }
            objects[id, default: Object(owner: batch)].owner = batch
            objects[id]?.isKept = false
        }
        return count
    }

    mutating func end(_ id: BatchID, isNoGC: Bool) throws(StoreError) -> Bool {
        if id == .root { throw .rootBatch }
        try known(id)
        if isNoGC || batches[id]?.isNoCleanup == true {
            for member in tree(id) where batches[member]?.isDone == false {
                batches[member]?.isDone = true
            }
            return false
        }
        _ = collect(id, takesKept: false)
        return true
    }

    /// A batch and its descendants, children before parents.
    func tree(_ id: BatchID) -> [BatchID] {
        batches.filter { $0.value.parent == id }.keys.flatMap { tree($0) } + [id]
    }

    mutating func collect(_ top: BatchID, takesKept: Bool) -> Int {
        var released = 0
        for id in tree(top) { released += collectOne(id, takesKept: takesKept) }
        return released
    }

    private mutating func collectOne(_ id: BatchID, takesKept: Bool) -> Int {
        let parent = batches[id]?.parent ?? .root
        if !takesKept {
            for (object, value) in objects where value.owner == id && value.isKept {
                objects[object]?.owner = parent
                objects[object]?.isKept = false
            }
        }
        let gone = objects.filter { $0.value.owner == id }.keys
        let goneTasks = tasks.filter { $0.value.owner == id }.keys
        for object in gone { objects[object] = nil }
        for task in goneTasks { tasks[task] = nil }
        batches[id] = nil
        ended.insert(id)
        collected.append(
            (
                id, kept: Set(objects.keys.filter { $0.batch == id }),
                adopted: Set(gone.filter { $0.batch != id })
            ))
        return gone.count + goneTasks.count
    }
}
