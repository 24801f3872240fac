internal import Identifiers

/// What this node has on disk, grouped by batch, and how many of each file's objects still count.
struct SpilledTable {
    struct Copy: Equatable {
        var place: NodeManager.SpillPlace
        /// When the object was put, in milliseconds since 1970.
        var createdAt: Int64
        /// Whether this run of the server has said yes to it.
        var isReported = false
        /// SPILLED was sent and is not answered.
        var isUnderWay = false
        /// Whether its bytes on disk are not those that were written.
        var isDamaged = false
    }

    private var batches: [BatchID: [RecordID: Copy]] = [:]
    private var liveCounts: [String: Int] = [:]
    private(set) var count = 0
    private(set) var byteCount: Int64 = 0

    subscript(id: RecordID) -> Copy? { batches[id.batch]?[id] }

    var ids: [RecordID] { batches.values.flatMap(\.keys) }

    func objects(of batch: BatchID) -> [RecordID: Copy] { batches[batch] ?? [:] }

    /// Files an object's copy.
    ///
    /// - Returns: a file of which nothing counts any more, if this took the place of its last copy.
    mutating func insert(_ id: RecordID, _ copy: Copy) -> String? {
        let emptied = remove(id)
        batches[id.batch, default: [:]][id] = copy
        liveCounts[copy.place.path, default: 0] += 1
        count += 1
        byteCount += copy.place.byteCount
        return emptied == copy.place.path ? nil : emptied
    }

    /// Forgets an object's copy.
    ///
    /// - Returns: the file, when nothing else in it counts.
    mutating func remove(_ id: RecordID) -> String? {
        guard let copy = batches[id.batch]?.removeValue(forKey: id) else { return nil }
        if batches[id.batch]?.isEmpty == true { batches[id.batch] = nil }
        count -= 1
        byteCount -= copy.place.byteCount
        let path = copy.place.path
        let left = (liveCounts[path] ?? 1) - 1
        liveCounts[path] = left == 0 ? nil : left
        return left == 0 ? path : nil
    }

    func isLive(_ path: String) -> Bool { liveCounts[path] != nil }

    mutating func update(_ id: RecordID, _ change: (inout Copy) -> Void) {
        guard var copy = self[id] else { return }
        change(&copy)
        batches[id.batch]?[id] = copy
    }

    mutating func updateAll(_ change: (inout Copy) -> Void) {
        for id in ids { update(id, change) }
    }
}
