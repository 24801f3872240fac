public import Identifiers

/// What GCS.OBJECT FREE RECURSIVE asks: is an object still needed by a task that names it?
///
/// A task needs its arguments until it is spent: it neither waits nor runs, had outputs, and all of them
/// are gone. Counted when it changes, never searched for: for each object named by a task, how many
/// unspent tasks of each batch name it. A batch that goes takes its tasks' needs with it.
extension ControlStore {
    /// The batch that an id carries, or the root.
    mutating func home(_ id: RecordID) -> BatchPointer {
        batches.find(id.batch, memory.seeds) ?? root
    }

    // MARK: Tasks

    /// What a task's record says of its outputs when it is added; before its record changes.
    @inline(never)
    mutating func outputsBefore(_ task: NewTask, at site: Site) -> OutputCount {
        if let payload = payload(site), let owner = site.batch {
            let present = TaskView(bytes: payload)
            if present.argumentCount > 0 {
                let outputs = present.outputs
                if !present.isSpent { changeNeeds(of: task.id, by: -1, owner) }
                if task.argumentCount == 0 {
                    home(task.id).pointee.earlyOutputs.note(outputs, of: task.id)
                }
                return outputs
            }
        }
        return findOutputs(of: task.id)
    }

    /// Counts the outputs that came before the task's record.
    private mutating func findOutputs(of task: RecordID) -> OutputCount {
        var outputs = OutputCount()
        let early = home(task).pointee.earlyOutputs
        guard let last = early.lastNumber(of: task) else { return outputs }
        for number in 0...last {
            for index in [number, number | EarlyOutputs.putBit] where index > 0 {
                let object = RecordID(batch: task.batch, unique: task.unique, index: index)
                let site = locate(RecordKey(object, .object))
                guard let payload = payload(site) else { continue }
                ObjectRecord(payload).isCounted = true
                journal.note(RecordKey(object, .object))
                outputs.live += 1
                if site.isStray || hasCountedReference(object) { outputs.hasRoamer = true }
            }
        }
        outputs.hasPhantom = early.hasDistant(of: task)
        return outputs
    }

    /// The objects that count as outputs of a task when it is added, if they have records.
    public mutating func earlyOutputs(of task: RecordID) -> [RecordID] {
        guard let last = home(task).pointee.earlyOutputs.lastNumber(of: task) else { return [] }
        if let payload = payload(locate(RecordKey(task, .task))),
            TaskView(bytes: payload).argumentCount > 0
        {
            return []
        }
        return (0...last).flatMap { number in
            [number, number | EarlyOutputs.putBit].filter { $0 > 0 }
                .map { RecordID(batch: task.batch, unique: task.unique, index: $0) }
        }
    }

    /// Notes that a task, whose record is written, needs its arguments.
    @inline(never)
    mutating func needArguments(
        of task: NewTask, _ outputs: OutputCount, _ owner: BatchPointer,
        argument: (Int) -> RecordID
    ) {
        home(task.id).pointee.hasArguments = true
        guard !TaskView.isSpent(task.state, outputs) else { return }
        for position in 0..<task.argumentCount {
            changeNeed(of: argument(position), by: 1, owner)
        }
    }

    /// Changes the needs for all arguments of a task, as its record names them.
    mutating func changeNeeds(of task: RecordID, by change: Int, _ owner: BatchPointer) {
        let key = RecordKey(task, .task)
        var position = 0
        // Its record may move meanwhile.
        while let payload = payload(locate(key)) {
            let view = TaskView(bytes: payload)
            guard position < view.argumentCount else { return }
            changeNeed(of: view.argument(position), by: change, owner)
            position += 1
        }
    }

    /// Notes that a task's record is about to go.
    mutating func forgetNeeds(of task: RecordID, _ view: TaskView, _ owner: BatchPointer) {
        guard view.argumentCount > 0 else { return }
        home(task).pointee.earlyOutputs.note(view.outputs, of: task)
        if !view.isSpent { changeNeeds(of: task, by: -1, owner) }
    }

    /// Notes that a task has another owner.
    mutating func moveNeeds(of task: RecordID, from old: BatchPointer, to new: BatchPointer) {
        guard let payload = payload(locate(RecordKey(task, .task))) else { return }
        let view = TaskView(bytes: payload)
        guard view.argumentCount > 0, !view.isSpent else { return }
        changeNeeds(of: task, by: 1, new)
        changeNeeds(of: task, by: -1, old)
    }

    /// Changes a task's count of outputs, and what follows for its arguments.
    ///
    /// - Returns: whether there is such a task, and it counts.
    @discardableResult
    private mutating func updateOutputs(
        of task: RecordID, _ change: (inout OutputCount) -> Void
    ) -> Bool {
        let site = locate(RecordKey(task, .task))
        guard let owner = site.batch, let payload = payload(site) else { return false }
        let view = TaskView(bytes: payload)
        guard view.argumentCount > 0 else { return false }
        let wasSpent = view.isSpent
        change(&view.outputs)
        journal.note(RecordKey(task, .task))
        let isSpent = view.isSpent
        if wasSpent != isSpent { changeNeeds(of: task, by: isSpent ? -1 : 1, owner) }
        return true
    }

    // MARK: Records that leave memory

    /// Whether a record has to stay in memory: it may change, or go, without being named.
    func mustStay(_ key: RecordKey, _ payload: UnsafeMutableRawBufferPointer) -> Bool {
        key.kind == .task
            ? TaskView(bytes: payload).outputs.hasRoamer : hasCountedReference(key.id)
    }

    /// Whether an object is freed with its last reference, and has any.
    private func hasCountedReference(_ object: RecordID) -> Bool {
        isCountingReferences && referenceCount(of: object) > 0
    }

    /// Notes that an object may go without being named: the task that counts it stays in memory.
    @inline(never)
    mutating func outputRoams(_ object: RecordID) {
        guard object.index > 0,
            let payload = payload(locate(RecordKey(object, .object))),
            ObjectRecord(payload).isCounted,
            let task = self.payload(locate(RecordKey(object.task, .task))),
            !TaskView(bytes: task).outputs.hasRoamer
        else { return }
        updateOutputs(of: object.task) { $0.hasRoamer = true }
    }

    // MARK: Objects

    /// Notes an object that is about to have a record.
    ///
    /// - Returns: whether its task counts it.
    @inline(__always)
    mutating func noteOutput(_ object: RecordID) -> Bool {
        guard object.index > 0 else { return false }
        let home = home(object)
        if home.pointee.hasArguments, countOutput(object) { return true }
        home.pointee.earlyOutputs.note(object)
        return false
    }

    @inline(never)
    private mutating func countOutput(_ object: RecordID) -> Bool {
        let roams = hasCountedReference(object)
        return updateOutputs(of: object.task) { outputs in
            outputs.live += 1
            if roams { outputs.hasRoamer = true }
            outputs.hadDistant = EarlyOutputs.isDistant(object)
        }
    }

    /// Notes that an output which its task counted is gone.
    mutating func outputIsGone(_ object: RecordID) {
        updateOutputs(of: object.task) { $0.live -= 1 }
    }

    /// Removes an object's record.
    mutating func removeObjectRecord(_ key: RecordKey, at site: Site) {
        let isCounted = payload(site).map { ObjectRecord($0).isCounted } ?? false
        remove(key, at: site)
        if isCounted { outputIsGone(key.id) }
        settleNeed(of: key.id)
    }

    /// Whether a task needs an object.
    mutating func isNeeded(_ object: RecordID) -> Bool {
        guard let site = findNeed(RecordKey(object, .need)) else { return false }
        return livingNeed(needs(site)) != nil
    }

    /// Whether all outputs of a task are gone, and it does not run.
    mutating func isSpent(_ task: RecordID) -> Bool {
        guard let payload = payload(locate(RecordKey(task, .task))) else { return false }
        return TaskView(bytes: payload).isSpent
    }
}

// MARK: - Ends of batches

extension ControlStore {
    /// Mends the counts of what stays behind of a batch that has just gone.
    ///
    /// - Parameters:
    ///   - survivors: objects of its prefix that others own.
    ///   - outputs: objects of other prefixes that went with it, and that their tasks counted.
    mutating func settleLineage(
        of batch: BatchPointer, survivors: [RecordID], outputs: [RecordID]
    ) {
        if batch.pointee.hasNeeds {
            for object in survivors { takeNeedAlong(object, from: batch) }
        }
        for object in outputs { outputIsGone(object) }
        guard batch.pointee.hasStrays else { return }
        root.pointee.inheritLineage(from: batch)
        guard batch.pointee.hasArguments else { return }
        let tasks = strayTasks(ofPrefix: batch.pointee.id)
        guard !tasks.isEmpty else { return }
        var live: [UInt64: Int] = [:]
        for object in survivors where object.index > 0 {
            live[object.unique, default: 0] += 1
            if let payload = payload(locate(RecordKey(object, .object))) {
                ObjectRecord(payload).isCounted = true
                journal.note(RecordKey(object, .object))
            }
        }
        for task in tasks {
            updateOutputs(of: task) { outputs in
                outputs.hasPhantom = false
                outputs.live = live[task.unique] ?? 0
                outputs.hasRoamer = outputs.live > 0
            }
        }
    }

    /// Notes that a task of another prefix is about to go with its owner.
    mutating func strayTaskGoes(_ reference: UInt32) {
        let view = TaskView(bytes: payload(ofStray: reference))
        guard view.argumentCount > 0 else { return }
        let task = key(ofStray: reference).id
        home(task).pointee.earlyOutputs.note(view.outputs, of: task)
    }

    /// Saves the needs for an object that outlives the region where they are.
    private mutating func takeNeedAlong(_ object: RecordID, from batch: BatchPointer) {
        let key = RecordKey(object, .need)
        guard let place = batch.pointee.region.find(key, memory.seeds) else { return }
        let reference = place.pointee
        let old = batch.pointee.region.payload(of: batch.pointee.region.entry(reference))
        let new = insertStray(key, byteCount: old.count, owner: root, isKept: false)
        new.copyMemory(from: UnsafeRawBufferPointer(old))
        root.pointee.hasNeeds = true
    }
}

// MARK: - Needs

extension ControlStore {
    /// Finds the needs for an object: with the batch in its id, or in the estate.
    private mutating func findNeed(_ key: RecordKey) -> Site? {
        let home = home(key.id)
        if home != root {
            if home.pointee.hasNeeds, let place = home.pointee.region.find(key, memory.seeds) {
                return Site(batch: home, place: place, isStray: false)
            }
            guard home.pointee.hasStrays else { return nil }
        }
        guard root.pointee.hasNeeds, let place = estate.find(key, memory.seeds) else { return nil }
        return Site(batch: root, place: place, isStray: true)
    }

    /// How many tasks of each batch need an object; for tests.
    mutating func needCounts(of object: RecordID) -> [(batch: BatchID, count: Int)] {
        guard let site = findNeed(RecordKey(object, .need)) else { return [] }
        let needs = needs(site)
        return (0..<needs.count).compactMap { position in
            let entry = needs[position]
            guard isLiving(entry) else { return nil }
            let batch = entry.slot == none ? nil : batches.batch(atSlot: entry.slot)
            return (batch?.pointee.id ?? .root, Int(entry.count))
        }
    }

    private func needs(_ site: Site) -> NeedRecord {
        guard let payload = payload(site) else {
            preconditionFailure("an object's needs without a record")
        }
        return NeedRecord(payload)
    }

    private func isLiving(_ entry: NeedRecord.Entry) -> Bool {
        guard entry.count > 0 else { return false }
        return entry.slot == none
            || batches.batch(atSlot: entry.slot, generation: entry.generation) != nil
    }

    /// A batch that needs the object.
    private func livingNeed(_ needs: NeedRecord) -> BatchPointer? {
        for position in 0..<needs.count where isLiving(needs[position]) {
            let slot = needs[position].slot
            return slot == none ? root : batches.batch(atSlot: slot)
        }
        return nil
    }

    /// Counts tasks of a batch that need an object.
    mutating func changeNeed(
        of object: RecordID, by change: Int, _ owner: BatchPointer
    ) {
        let slot = owner.pointee.slot
        var entry = NeedRecord.Entry(
            slot: slot, generation: batches.generation(ofSlot: slot), count: 0)
        let key = RecordKey(object, .need)
        guard let site = findNeed(key) else {
            entry.count = UInt32(max(change, 0))
            if change > 0 { makeNeed(key, entry, owner) }
            return
        }
        let needs = needs(site)
        if let position = needs.position(slot: slot, generation: entry.generation) {
            let count = max(Int(needs[position].count) + change, 0)
            needs[position].count = UInt32(count)
            if count == 0 { settleNeed(of: object) }
        } else if change > 0, !needs.isEndless {
            entry.count = UInt32(change)
            addNeed(entry, to: needs, at: site)
        }
    }

    private mutating func addNeed(
        _ entry: NeedRecord.Entry, to needs: NeedRecord, at site: Site
    ) {
        for position in 0..<needs.count where !isLiving(needs[position]) {
            return needs[position] = entry
        }
        let count = needs.count
        guard count < NeedRecord.batchCountMax else {
            let shrunk = NeedRecord(resize(site, byteCount: NeedRecord.entryByteCount))
            return shrunk[0] = NeedRecord.endless
        }
        let grownCount = min(count + count / 2 + 1, NeedRecord.batchCountMax)
        let grown = NeedRecord(resize(site, byteCount: grownCount * NeedRecord.entryByteCount))
        for position in count..<grownCount {
            grown[position] = .init(slot: 0, generation: 0, count: 0)
        }
        grown[count] = entry
    }

    private mutating func makeNeed(
        _ key: RecordKey, _ entry: NeedRecord.Entry, _ owner: BatchPointer
    ) {
        let home = home(key.id)
        home.pointee.hasNeeds = true
        let byteCount = NeedRecord.entryByteCount
        guard home != root else {
            // Its owner is whoever needs it: so it goes when nobody does.
            let payload = insertStray(key, byteCount: byteCount, owner: owner, isKept: false)
            return NeedRecord(payload)[0] = entry
        }
        let reference = home.pointee.region.insert(key, byteCount: byteCount, &memory)
        NeedRecord(home.pointee.region.payload(of: home.pointee.region.entry(reference)))[0] = entry
    }

    /// Forgets the needs for an object that has neither a record nor a task that needs it; those in the
    /// estate stay with the root while it has a record, else with a batch that needs it.
    mutating func settleNeed(of object: RecordID) {
        let key = RecordKey(object, .need)
        guard findNeed(key) != nil else { return }
        let isThere = locate(RecordKey(object, .object)).place != nil
        guard let site = findNeed(key), let place = site.place else { return }
        if site.isStray { return settleStrayNeed(place.pointee, isThere) }
        if !isThere, livingNeed(needs(site)) == nil { remove(key, at: site) }
    }

    private mutating func settleStrayNeed(_ reference: UInt32, _ isThere: Bool) {
        let needing = livingNeed(NeedRecord(payload(ofStray: reference)))
        let present = owner(ofStray: reference)
        guard let wanted = isThere ? root : needing else {
            return present == nil ? removeDeadStray(reference) : removeStray(reference)
        }
        guard wanted != present else { return }
        if let present { unlinkOwner(reference, present) } else { detach(reference) }
        linkOwner(reference, wanted, isKept: false)
    }

    /// Takes a record of an owner that has ended out of the estate; needs may go to another owner.
    mutating func sweepStray(_ reference: UInt32) {
        let key = key(ofStray: reference)
        guard key.kind == .need else { return removeDeadStray(reference) }
        let isThere = locate(RecordKey(key.id, .object)).place != nil
        // Looking for the object may have swept it, and moved or settled this record on the way.
        guard let place = estate.find(key, memory.seeds) else { return }
        settleStrayNeed(place.pointee, isThere)
    }
}
