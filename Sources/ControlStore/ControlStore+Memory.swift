public import Identifiers

/// What an object's memory belongs to.
public struct MemoryOwner: Sendable {
    /// How the batch is that an object belongs to.
    public enum Standing: Sendable {
        /// It lives, in this status.
        case living(BatchStatus)
        /// It has ended: what is left of its objects goes when it is released.
        case ended
    }

    /// The batch: that of the record, or that in the id when there is no record.
    public var batch: BatchID
    /// How it is.
    public var standing: Standing
    /// Its name; empty for one that ended.
    public var name: [UInt8]
    /// Milliseconds since 1970 of its start; 0 for the root and for one that ended.
    public var createdAt: Int64
    /// Bytes of the object as its record says; `nil` before a node told, and without a record.
    public var size: Int64?
    /// The state of the task that makes the object.
    public var task: TaskState?
}

extension ControlStore {
    /// What is known of an object besides its references.
    ///
    /// - Complexity: O(1).
    public mutating func memoryOwner(of id: RecordID) -> MemoryOwner {
        let site = locate(RecordKey(id, .object))
        let record = payload(site).map { ObjectRecord($0) }
        let task = task(id.task)?.1.state
        guard let owner = site.batch ?? living(id.batch) else {
            return MemoryOwner(
                batch: id.batch, standing: .ended, name: [], createdAt: 0, size: nil, task: task)
        }
        return MemoryOwner(
            batch: owner.pointee.id, standing: .living(owner.pointee.status),
            name: owner.pointee.nameBytes, createdAt: owner == root ? 0 : owner.pointee.createdAt,
            size: record.flatMap { $0.size > 0 ? $0.size : nil }, task: task)
    }

    /// A living batch; the root for an id that is not remembered.
    private mutating func living(_ id: BatchID) -> BatchPointer? {
        batches.find(id, memory.seeds) ?? (tombstones.contains(id, memory.seeds) ? nil : root)
    }

    /// Visits some objects that no reference is to, from a cursor on.
    ///
    /// An object that exists during a whole walk is visited at least once.
    ///
    /// - Parameters:
    ///   - cursor: 0 at first.
    ///   - batch: only its objects, if told.
    ///   - budget: records after which the step ends; it may look at up to a segment (640) more.
    /// - Returns: the next cursor; 0 at the end. `nil` when the batch does not live.
    public mutating func scanUnreferenced(
        from cursor: UInt64, of batch: BatchID?, budget: Int, _ visit: (RecordID) -> Void
    ) -> UInt64? {
        var seen: [RecordID] = []
        var next: UInt64?
        if let batch {
            next = scanMembers(of: batch, from: cursor, budget: budget) { id, kind in
                if kind == .object { seen.append(id) }
            }
        } else {
            var filter = ScanFilter()
            (filter.takesBatches, filter.takesNodes, filter.takesLog) = (false, false, false)
            next = scan(from: cursor, budget: budget, filter: filter) { key in
                if case .record(let id, .object) = key { seen.append(id) }
            }
        }
        for id in seen where referenceCount(of: id) == 0 { visit(id) }
        return next
    }
}
