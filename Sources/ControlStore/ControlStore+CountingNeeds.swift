internal import Identifiers

/// How far the count of what loaded tasks need has come.
struct LoadedNeeds {
    var slot: UInt32 = 0
    /// Where in the index of that batch's records.
    var position: UInt64 = 0
}

/// Counting what tasks need, after their records and all others were loaded: where tasks name objects,
/// or objects may be outputs.
extension ControlStore {
    /// Whether a record matters to what tasks need.
    @inline(__always)
    static func mattersToNeeds(
        _ kind: RecordKind, index: UInt32, _ payload: UnsafeMutableRawBufferPointer
    ) -> Bool {
        switch kind {
        case .task: TaskView(bytes: payload).argumentCount > 0
        case .object: index > 0
        case .actor, .need: false
        }
    }

    /// Counts what the tasks of some batches need.
    ///
    /// - Parameters:
    ///   - needs: how far it has come; moved on.
    ///   - budget: records and batches after which the slice ends, up to 640 more.
    /// - Returns: whether there are more.
    mutating func countLoadedNeeds(_ needs: inout LoadedNeeds, budget: Int) -> Bool {
        var left = budget
        while needs.slot < batches.slotCount {
            guard left > 0 else { return true }
            if let batch = batches.batch(atSlot: needs.slot), batch.pointee.hasLoadedNeeds {
                left -= countNeeds(in: batch, &needs.position)
                guard needs.position >= 1 << 32 else { continue }
                batch.pointee.hasLoadedNeeds = false
            }
            left -= 1
            needs.slot += 1
            needs.position = 0
        }
        return false
    }

    /// Counts what tasks of a part of an index need; the records looked at.
    private mutating func countNeeds(in batch: BatchPointer, _ position: inout UInt64) -> Int {
        var found: [RecordKey] = []
        var count = 0
        if batch == root {
            position = estate.index.walk(from: position) { reference in
                count += 1
                if owner(ofStray: reference) != nil { found.append(key(ofStray: reference)) }
            }
        } else {
            position = batch.pointee.region.index.walk(from: position) { reference in
                count += 1
                let entry = batch.pointee.region.entry(reference)
                let payload = batch.pointee.region.payload(of: entry)
                let index = entry.load(fromByteOffset: 8, as: UInt32.self)
                if Self.mattersToNeeds(Region.kind(of: entry), index: index, payload) {
                    found.append(batch.pointee.region.key(of: entry, home: batch.pointee.id))
                }
            }
        }
        for key in found { countNeeds(of: key) }
        return count
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
