internal import Identifiers
internal import NodeManager

/// What an object store does, as its clients see it.
struct StoreModel {
    struct Object {
        /// Milliseconds by the clock of its machine.
        var createdAt: Int64
        var byteCount: Int64
        /// A client reads it: it goes when that client is done.
        var isInUse: Bool
        var isPromised = false
    }

    private(set) var objects: [RecordID: Object] = [:]

    /// All ids, in the order of their bytes.
    var ids: [RecordID] { objects.keys.sorted { $0.isBefore($1) } }

    func has(_ id: RecordID) -> Bool { objects[id] != nil }

    /// Whether it is there and no deletion has been asked for yet.
    func isWhole(_ id: RecordID) -> Bool { objects[id].map { !$0.isPromised } ?? false }

    mutating func put(_ id: RecordID, _ object: Object) { objects[id] = object }

    mutating func delete(_ id: RecordID) -> NodeManager.DeletionOutcome {
        guard let object = objects[id] else { return .absent }
        if object.isInUse {
            objects[id]?.isPromised = true
            return .later
        }
        objects[id] = nil
        return .removed
    }

    /// Ends a client's use.
    ///
    /// - Returns: whether the object went, because its deletion waited for this.
    mutating func release(_ id: RecordID) -> Bool {
        objects[id]?.isInUse = false
        guard objects[id]?.isPromised == true else { return false }
        objects[id] = nil
        return true
    }

    func list() -> [NodeManager.ListedObject] {
        ids.compactMap { id in
            objects[id].map { .init(id: id, createdSeconds: $0.createdAt / 1000) }
        }
    }
}
