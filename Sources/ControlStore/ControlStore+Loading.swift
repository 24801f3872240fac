public import Identifiers

/// A batch as it is loaded.
public struct LoadedBatch: Sendable {
    /// Its id.
    public var id: BatchID
    /// The batch that it is part of.
    public var parent: BatchID
    /// Where it is in its life.
    public var status: BatchStatus
    /// Why it is to be collected, while it is deferred.
    public var reason: CollectReason
    /// Whether END leaves its records.
    public var isNoCleanup: Bool
    /// Whether it waits for its parent.
    public var goesWithParent: Bool
    /// Whether a task of it named an object that it owned itself.
    public var namesOwn: Bool
    /// Milliseconds since 1970.
    public var createdAt: Int64
    /// Milliseconds since 1970; 0 while it is active.
    public var endedAt: Int64
    /// Milliseconds since 1970; 0 without a time-out.
    public var deadline: Int64
    /// What people call it.
    public var name: [UInt8]

    /// A batch under the root that runs.
    public init(id: BatchID) {
        self.id = id
        parent = .root
        status = .active
        reason = .end
        isNoCleanup = false
        goesWithParent = false
        namesOwn = false
        createdAt = 0
        endedAt = 0
        deadline = 0
        name = []
    }
}

/// Taking in what a journal told: each function makes one thing what it was.
///
/// Nothing follows from it by itself: no notification, no collection. `finishLoading()` sees to what was
/// under way. A thing may name a batch that was not told of yet: it stands until it is.
extension ControlStore {
    /// The batch of this id, made up when it was not told of; `nil` when it has ended.
    private mutating func batchToLoad(_ id: BatchID) -> BatchPointer? {
        if let batch = batches.find(id, memory.seeds) { return batch }
        guard id.rawValue > 0, !tombstones.contains(id, memory.seeds) else { return nil }
        return makeLoaded(id)
    }

    private mutating func makeLoaded(_ id: BatchID) -> BatchPointer {
        let batch = Self.makeBatch(id, now: now, &memory)
        batch.pointee.hasStrays = hasStrays(id)
        batches.insert(batch, &memory)
        linkChild(batch, under: root)
        return batch
    }

    /// Makes a batch what it was.
    public mutating func load(_ loaded: LoadedBatch) {
        guard loaded.id.rawValue > 0, loaded.parent.rawValue >= 0 else { return }
        // A batch that was started after one of its id was forgotten.
        tombstones.remove(loaded.id, memory.seeds)
        beginKept(loaded.id)
        let batch = batches.find(loaded.id, memory.seeds) ?? makeLoaded(loaded.id)
        let parent = loaded.parent == .root ? root : batchToLoad(loaded.parent) ?? root
        if batch.pointee.parent != parent.pointee.slot, parent != batch {
            unlinkChild(batch)
            (batch.pointee.nextSibling, batch.pointee.previousSibling) = (none, none)
            linkChild(batch, under: parent)
        }
        batch.pointee.status = loaded.status
        batch.pointee.reason = loaded.reason
        batch.pointee.isNoCleanup = loaded.isNoCleanup
        batch.pointee.goesWithParent = loaded.goesWithParent
        batch.pointee.namesOwn = loaded.namesOwn
        batch.pointee.createdAt = loaded.createdAt
        batch.pointee.endedAt = loaded.endedAt
        if let name = batch.pointee.name { memory.pool.give(name) }
        batch.pointee.name = loaded.name.isEmpty ? nil : makeName(loaded.name)
        setDeadline(batch, loaded.deadline)
    }

    /// Makes a batch one that has ended: its records, and those it adopted, are gone.
    public mutating func loadEnded(_ id: BatchID, at time: Int64) {
        guard id.rawValue > 0 else { return }
        if let batch = batches.find(id, memory.seeds) {
            while let child = batches.batch(atSlot: batch.pointee.firstChild) {
                unlinkChild(child)
                (child.pointee.nextSibling, child.pointee.previousSibling) = (none, none)
                linkChild(child, under: root)
            }
            taskCount -= batch.pointee.totalTaskCount
            objectCount -= batch.pointee.totalObjectCount + Int(batch.pointee.kept.count)
            actorCount -= Int(batch.pointee.actorRecordCount)
            unlinkChild(batch)
            bury(batch)
        }
        forgetKept(id)
        if !tombstones.contains(id, memory.seeds) {
            tombstones.insert(id, endedAt: time, &memory)
        }
        journal.noteEnded(id, at: time)
    }

    /// Makes a record what it was; one of a batch that has ended is left out.
    ///
    /// - Returns: whether the bytes are a record of this kind.
    public mutating func loadRecord(
        _ id: RecordID, _ traits: RecordTraits, owner: BatchID, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        let (kind, isStray) = (traits.kind, traits.isStray)
        guard Self.isRecord(bytes, kind) else { return false }
        guard let batch = owner == .root ? root : batchToLoad(owner) else { return true }
        guard isStray || id.batch == owner, isStray || owner != .root else { return false }
        let key = RecordKey(id, kind)
        let site = locate(key)
        let payload: UnsafeMutableRawBufferPointer
        if let place = site.place, !isStray, !site.isStray {
            payload = resize(site, byteCount: bytes.count)
            Region.setEpoch(0, of: batch.pointee.region.entry(place.pointee))
        } else {
            remove(key, at: site)
            count(kind, 1)
            journal.note(key)
            if isStray {
                forgetKept(key)
                let isKept = kind == .object && ObjectRecord(reading: bytes).isKept
                payload = insertStray(key, byteCount: bytes.count, owner: batch, isKept: isKept)
            } else {
                batch.pointee.count(kind, 1)
                let reference = batch.pointee.region.insert(key, byteCount: bytes.count, &memory)
                payload = batch.pointee.region.payload(of: batch.pointee.region.entry(reference))
            }
        }
        // Epochs go on behind those of the log; which of them told a record is not known of those before.
        journal.epoch = max(traits.epoch, 1)
        payload.copyMemory(from: bytes)
        if Self.mattersToNeeds(kind, index: id.index, payload) {
            (isStray ? root : batch).pointee.hasLoadedNeeds = true
        }
        if kind == .task, let sequence = TaskView(bytes: payload).actorSequence {
            actors.raiseSequence(to: sequence)
        }
        return true
    }

    /// Whether bytes that come from outside are a record that every part of the store can read.
    static func isRecord(_ bytes: UnsafeRawBufferPointer, _ kind: RecordKind) -> Bool {
        switch kind {
        case .task: TaskView.isValid(bytes)
        case .object: ObjectRecord.isValid(bytes)
        case .actor: bytes.count == ActorView.byteCount
        // Counted anew from the tasks.
        case .need: false
        }
    }

    /// Makes a record one that is not there.
    public mutating func loadGone(_ id: RecordID, _ kind: RecordKind) {
        let key = RecordKey(id, kind)
        let site = locate(key)
        if site.place != nil { remove(key, at: site) }
        forgetKept(key)
    }

    /// Makes one batch depend on another.
    ///
    /// - Parameter kinds: 1 for a named object, 2 for DEPEND, or both.
    public mutating func loadDependency(_ id: BatchID, on other: BatchID, kinds: UInt8) {
        guard id != .root, other != .root, id != other, kinds > 0, kinds < 4,
            let batch = batchToLoad(id), let target = batchToLoad(other)
        else { return }
        links(batch).pointee.dependsOn[target.pointee.slot, default: []]
            .formUnion(DependencyKinds(rawValue: kinds))
        links(target).pointee.dependents.insert(batch.pointee.slot)
        if journal.isOn { journal.dependencies.append((id, other)) }
    }

    /// Adds a task of a batch behind all others on an actor, unless the chain has come further.
    public mutating func loadRun(_ actor: RecordID, _ id: BatchID, sequence: UInt64) {
        actors.raiseSequence(to: sequence)
        guard id != .root, let batch = batchToLoad(id) else { return }
        guard actors.chain(actor)?.runs.last.map({ $0.last < sequence }) ?? true else { return }
        let slot = batch.pointee.slot
        actors.update(actor) { $0.append(slot, sequence: sequence) }
        links(batch).pointee.actors.insert(actor)
        if journal.isOn { journal.chains.append(actor) }
    }

    /// Makes the order on an actor what it was.
    public mutating func loadChain(_ actor: RecordID, _ runs: [(batch: BatchID, last: UInt64)]) {
        for run in actors.chain(actor)?.runs ?? [] {
            batches.batch(atSlot: run.slot)?.pointee.links?.pointee.actors.remove(actor)
        }
        var chain = ActorChain()
        for (id, last) in runs {
            actors.raiseSequence(to: last)
            guard id != .root, let batch = batchToLoad(id) else { continue }
            chain.append(batch.pointee.slot, sequence: last)
            links(batch).pointee.actors.insert(actor)
        }
        actors.update(actor) { $0 = chain }
        if journal.isOn { journal.chains.append(actor) }
    }

    /// Takes an entry of the log in; entries may come in any order.
    public mutating func loadEntry(_ id: LogID, fields: [UInt8]) {
        loadedEntries.append(DeletionLog.Entry(id: id, fields: fields))
    }
}

/// Counters that a journal tells first.
public struct LoadedHead: Sendable {
    /// Numbers that registrations of nodes were given.
    public var nodeNumberCount: Int
    /// The last number of a task on an actor.
    public var actorSequence: UInt64
    /// The newest id of the log.
    public var lastID: LogID
    /// The newest id that was trimmed from it.
    public var lastTrimmedID: LogID
    /// Entries ever added to it.
    public var addedCount: Int

    /// Counters of an empty store.
    public init() {
        (nodeNumberCount, actorSequence, addedCount) = (0, 0, 0)
        (lastID, lastTrimmedID) = (.zero, .zero)
    }
}

/// A node as it is loaded.
public struct LoadedNode: Sendable {
    /// Its id.
    public var name: [UInt8]
    /// Its place in the table of nodes.
    public var position: Int
    /// What stands for it in locations.
    public var number: UInt32
    /// Numbers that registrations of nodes were given.
    public var numberCount: Int
    /// Where other nodes reach it.
    public var address: [UInt8] = []
    /// Its object store's socket.
    public var store: [UInt8] = []
    /// Milliseconds since 1970; 0 for a node that only locations name.
    public var registeredAt: Int64 = 0
    /// The last deletion it carried out.
    public var acknowledged = LogID.zero

    /// The highest place and number that are believed.
    public static let positionMax = 1 << 20

    /// A node that only locations name.
    public init(name: [UInt8], position: Int, number: UInt32, numberCount: Int) {
        self.name = name
        self.position = position
        self.number = number
        self.numberCount = numberCount
    }
}

extension ControlStore {
    /// Raises counters to what they were.
    public mutating func load(_ head: LoadedHead) {
        nodes.raiseNumberCount(to: head.nodeNumberCount)
        actors.raiseSequence(to: head.actorSequence)
        log.load(
            lastID: head.lastID, lastTrimmedID: head.lastTrimmedID, addedCount: head.addedCount)
        if journal.isOn { journal.hasHead = true }
    }

    /// Makes a node what it was.
    ///
    /// - Returns: whether its name, place and numbers can be.
    public mutating func load(_ node: LoadedNode) -> Bool {
        guard node.name.withUnsafeBufferPointer({ Node.isValid($0) }),
            (0..<LoadedNode.positionMax).contains(node.position),
            Int(node.number) < node.numberCount, node.numberCount < 1 << 30
        else { return false }
        for position in nodes.load(node, now: now, &memory) {
            for type in [ReferenceType.localReference, .pinnedInMemory] {
                let holder = nodes.holder(at: position, type)
                if holder != none { references.nodes[holder].pointee.position = UInt32(position) }
            }
        }
        journal.noteNode(node.name)
        return true
    }

    /// Makes a node one that is not known; what its processes hold was told of before.
    public mutating func loadNodeGone(_ name: UnsafeBufferPointer<UInt8>) {
        _ = removeNode(name)
        references.silenceDying()
    }

    /// Makes a process one that does not hold an object; nothing is freed for it.
    public mutating func loadReferenceGone(
        _ holder: HolderName, _ type: ReferenceType, _ object: RecordID
    ) {
        let isCounting = isCountingReferences
        isCountingReferences = false
        _ = removeReference(holder, type, object)
        isCountingReferences = isCounting
    }

    /// Makes a process, or all of a node, hold nothing.
    ///
    /// Nothing is freed for it: what the slices after it freed was told by itself. Objects whose turn
    /// had not come when the journal ended stay until their batch ends.
    public mutating func loadHolderGone(_ node: UnsafeBufferPointer<UInt8>, _ process: UInt32?) {
        if let process {
            _ = clearReferences(HolderName(node: node, process: process))
        } else {
            _ = clearReferences(ofNode: node)
        }
        references.silenceDying()
    }

    /// Whether nothing was ever written.
    public var isEmpty: Bool {
        taskCount + objectCount + actorCount == 0 && batchCount == 1 && log.addedCount == 0
            && tombstoneCount == 0 && nodes.numberCount == 0
    }

    /// Puts in order what came in any; after everything is loaded.
    public mutating func finishLoading() {
        while finishLoading(budget: .max) {}
    }

    /// Does a slice of that.
    ///
    /// - Parameter budget: records after which the slice ends, up to 640 more.
    /// - Returns: whether there is more to do.
    public mutating func finishLoading(budget: Int) -> Bool {
        if loadedNeeds == nil { arrangeLoaded() }
        var needs = loadedNeeds ?? LoadedNeeds()
        let isMore = countLoadedNeeds(&needs, budget: budget)
        loadedNeeds = isMore ? needs : nil
        return isMore
    }

    private mutating func arrangeLoaded() {
        for entry in loadedEntries.sorted(by: { $0.id < $1.id })
        where entry.id > (log.last?.id ?? log.lastTrimmedID) {
            log.load(entry)
            if journal.isOn { journal.entries.append(entry) }
        }
        loadedEntries = []
        nodes.findFreePositions()
        acknowledgedByAll = nodes.acknowledgedByAll ?? .zero
        journal.advanceEpoch()
    }

    /// Sees to what was under way when the journal ended; after `finishLoading()`.
    public mutating func resumeLoaded() {
        var deferred: [UInt32] = []
        for slot in 0..<batches.slotCount {
            guard let batch = batches.batch(atSlot: slot), batch.pointee.status == .deferred else {
                continue
            }
            if batch.pointee.isGoing { resume(batch) } else { deferred.append(slot) }
        }
        release(deferred)
    }
}
