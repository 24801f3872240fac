import Identifiers
import NodeManager

/// A store's side of Plasma's protocol, as far as a node manager sees it.
struct ModelStore {
    struct Object {
        var byteCount: Int64
        var createdAt: Int64
        var isInUse = false
        var isDoomed = false
    }

    var objects: [RecordID: Object] = [:]
    /// Told to the subscriber, and not taken in yet.
    var changes: [NodeManager.StoreChange] = []
    /// Every deletion request, in order.
    var deletions: [[RecordID]] = []

    mutating func put(_ id: RecordID, at now: Int64, byteCount: Int64 = 100, isInUse: Bool = false)
    {
        objects[id] = Object(byteCount: byteCount, createdAt: now, isInUse: isInUse)
        changes.append(.sealed(id, byteCount: byteCount))
    }

    /// Removes an object as eviction does.
    mutating func evict(_ id: RecordID) {
        guard objects.removeValue(forKey: id) != nil else { return }
        changes.append(.gone(id))
    }

    mutating func release(_ id: RecordID) {
        objects[id]?.isInUse = false
        if objects[id]?.isDoomed == true { evict(id) }
    }

    mutating func subscribe() {
        changes = objects.map { .sealed($0.key, byteCount: $0.value.byteCount) }
    }

    func list() -> [NodeManager.ListedObject] {
        objects.map { .init(id: $0.key, createdSeconds: $0.value.createdAt / 1000) }
    }

    mutating func delete(_ ids: [RecordID]) -> [NodeManager.DeletionOutcome] {
        deletions.append(ids)
        return ids.map { id in
            guard let object = objects[id] else { return .absent }
            guard !object.isInUse else {
                objects[id]?.isDoomed = true
                return .later
            }
            evict(id)
            return .removed
        }
    }
}
