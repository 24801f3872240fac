internal import Identifiers

/// What reading has to tell.
extension Model {
    func batchInfo(_ id: BatchID, at now: Int64) -> Expectation {
        guard let batch = batches[id] else { return refusal(id) ?? .anything }
        let owned = records.values.filter { $0.owner == id }
        let needs = dependencies()
        let dependents = needs.filter { $0.value.contains(id) }.keys
        return .fields([
            ("parent", "\(batch.parent)"), ("status", batch.status.rawValue),
            ("timeout-ms", batch.deadline == 0 ? "-1" : "\(batch.deadline - now)"),
            ("tasks", "\(tasks.values.count { $0.owner == id })"),
            ("objects", "\(owned.count { !$0.isKept })"), ("kept", "\(owned.count { $0.isKept })"),
            ("depends-on", list(needs[id, default: []])), ("dependents", list(dependents)),
        ])
    }

    private func list(_ batches: some Sequence<BatchID>) -> String {
        "[" + batches.sorted().map { "\($0)" }.joined(separator: " ") + "]"
    }

    func objectInfo(_ id: RecordID) -> Expectation {
        guard let object = records[id] else { return .null }
        return .fields([
            ("batch", "\(object.owner)"), ("pinned", object.isPinned ? "1" : "0"),
            ("kept", object.isKept ? "1" : "0"),
            ("references", "\(references.count { $0.object == id })"),
        ])
    }

    func taskInfo(_ id: RecordID) -> Expectation {
        guard let task = tasks[id] else { return .null }
        let arguments = task.arguments.map { "\($0)" }.joined(separator: " ")
        return .fields([
            ("batch", "\(task.owner)"), ("state", task.state),
            ("actor", task.actor.map { "\($0)" } ?? "nil"), ("args", "[\(arguments)]"),
        ])
    }

    func members(_ id: BatchID) -> Expectation {
        var members = Set(tasks.filter { $0.value.owner == id }.keys.map { "TASK:\($0)" })
        for (object, record) in records where record.owner == id && !record.isKept {
            members.insert("OBJECT:\(object)")
        }
        return .members(members)
    }

    func timeToLive(_ id: BatchID, at now: Int64) -> Expectation {
        guard let batch = batches[id] else { return .number(-2) }
        return .number(batch.deadline == 0 ? -1 : (batch.deadline - now + 500) / 1000)
    }
}
