internal import Identifiers

/// What the store holds, as its notifications tell: sealed objects, grouped by batch.
struct Mirror {
    struct Object: Equatable {
        /// Data and metadata.
        var byteCount: Int64
        /// Milliseconds since 1970 by this machine's clock: from the store's list (whole seconds),
        /// or when the notification came.
        var createdAt: Int64
        /// Whether the time is the store's own; otherwise the object may be somewhat older.
        var isCreationListed = false
        /// ADD waits to be sent.
        var isQueued = false
        /// ADD was sent since the last registration.
        var isReported = false
        /// This server, since it started, answered ADD with yes.
        var isKnownToServer = false
        /// To be looked up at the server before it is reported.
        var mustBeChecked = false
        /// Its deletion is queued, sent, or waits for a client's release.
        var isDying = false
        /// It is deleted by its own id, not with its batch: an ADD that was on its way then may have
        /// made a new record, so it is taken back when it is gone.
        var isSingled = false
    }

    private var batches: [BatchID: [RecordID: Object]] = [:]
    /// Objects held.
    private(set) var count = 0
    /// Bytes held.
    private(set) var byteCount: Int64 = 0

    subscript(id: RecordID) -> Object? { batches[id.batch]?[id] }

    /// All objects of the batch's prefix.
    func objects(of batch: BatchID) -> [RecordID: Object] { batches[batch] ?? [:] }

    /// Files an object, or only its size when it is there already.
    mutating func insert(_ id: RecordID, _ object: Object) {
        byteCount += object.byteCount
        if let known = self[id] {
            byteCount -= known.byteCount
            return update(id) { $0.byteCount = object.byteCount }
        }
        count += 1
        batches[id.batch, default: [:]][id] = object
    }

    @discardableResult
    mutating func remove(_ id: RecordID) -> Object? {
        guard let object = batches[id.batch]?.removeValue(forKey: id) else { return nil }
        if batches[id.batch]?.isEmpty == true { batches[id.batch] = nil }
        count -= 1
        byteCount -= object.byteCount
        return object
    }

    /// Changes one object in place; nothing when it is not there.
    mutating func update(_ id: RecordID, _ change: (inout Object) -> Void) {
        guard var object = self[id] else { return }
        change(&object)
        batches[id.batch]?[id] = object
    }

    /// Changes every object in place.
    mutating func updateAll(_ change: (RecordID, inout Object) -> Void) {
        for batch in batches.keys {
            guard var objects = batches.removeValue(forKey: batch) else { continue }
            for index in objects.values.indices {
                change(objects.keys[index], &objects.values[index])
            }
            batches[batch] = objects
        }
    }

    mutating func removeAll() { self = Mirror() }
}
