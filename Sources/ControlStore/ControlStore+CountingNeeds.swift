internal import Identifiers

extension ControlStore {
    /// Counts what tasks need, after their records and all others were loaded.
    mutating func countNeeds() {
        var filter = ScanFilter()
        (filter.takesBatches, filter.takesNodes, filter.takesLog) = (false, false, false)
        var cursor: UInt64 = 0
        var found: [RecordKey] = []
        repeat {
            found.removeAll(keepingCapacity: true)
            cursor = scan(from: cursor, budget: 1000, filter: filter) { key in
                if case .record(let id, let kind) = key { found.append(RecordKey(id, kind)) }
            }
            for key in found { countNeeds(of: key) }
        } while cursor != 0
    }

    private mutating func countNeeds(of key: RecordKey) {
        let site = locate(key)
        guard let owner = site.batch, let payload = payload(site) else { return }
        if key.kind == .task {
            let view = TaskView(bytes: payload)
            guard view.argumentCount > 0 else { return }
            home(key.id).pointee.hasArguments = true
            if !view.isSpent { changeNeeds(of: key.id, by: 1, owner) }
        } else if key.kind == .object, key.id.index > 0 {
            let isCounted = ObjectRecord(payload).isCounted && countsOutputs(key.id.task)
            if !isCounted { home(key.id).pointee.earlyOutputs.note(key.id) }
        }
    }

    private mutating func countsOutputs(_ task: RecordID) -> Bool {
        let key = RecordKey(task, .task)
        guard let payload = payload(locate(key)) else { return isMissing(key) }
        return TaskView(bytes: payload).argumentCount > 0
    }

    /// Counts what a task on disk needs, or an object there that came before its task.
    mutating func countNeeds(
        of key: RecordKey, _ bytes: UnsafeRawBufferPointer, _ owner: BatchPointer
    ) {
        let bytes = UnsafeMutableRawBufferPointer(mutating: bytes)
        if key.kind == .task {
            let view = TaskView(bytes: bytes)
            if let sequence = view.actorSequence { actors.raiseSequence(to: sequence) }
            guard view.argumentCount > 0 else { return }
            home(key.id).pointee.hasArguments = true
            guard !view.isSpent else { return }
            for position in 0..<view.argumentCount {
                changeNeed(of: view.argument(position), by: 1, owner)
            }
        } else if key.id.index > 0, !ObjectRecord(bytes).isCounted {
            home(key.id).pointee.earlyOutputs.note(key.id)
        }
    }
}
