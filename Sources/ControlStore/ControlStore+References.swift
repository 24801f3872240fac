public import Identifiers

extension ControlStore {
    /// References held by living processes.
    public var referenceCount: Int { references.tallies.count }

    /// References held by living processes, by type.
    public var referenceTallies: ReferenceTallies { references.tallies }

    /// References held by the living processes of a node, by type.
    public func referenceTallies(of node: Node) -> ReferenceTallies {
        var tallies = ReferenceTallies()
        for holder in [node.holder, node.pinHolder] where holder != none {
            tallies.add(references.nodes[holder].pointee.tallies)
        }
        return tallies
    }

    /// Objects that have references, with a record or without; those of references cleared just now may
    /// still count.
    public var referencedObjectCount: Int { references.objectCount }

    /// References to an object; it need not have a record.
    public func referenceCount(of object: RecordID) -> Int {
        references.count(of: object, memory.seeds)
    }

    /// Records that a process holds an object; of a known reference, what is told is recorded anew.
    ///
    /// - Returns: whether the reference is new.
    public mutating func addReference(_ new: NewReference) -> Bool {
        precondition((new.site?.count ?? 0) <= NewReference.siteByteCountMax, "a site too long")
        precondition((new.size ?? 0) <= NewReference.sizeMax, "an object too large")
        let node = holderNodeOrNew(new.holder.node, new.type)
        let process = references.processOrNew(new.holder.process, ofNode: node, &memory)
        let known = references.find(new.object, new.type, of: process, memory.seeds)
        if let known { references.countOut(known) }
        let number = known ?? references.add(new.object, new.type, of: process, &memory)
        let reference = references.references[number]
        if let size = new.size { reference.pointee.size = size }
        if new.isDriver { reference.pointee.isDriver = true }
        if let site = new.site {
            let number = references.sites.use(site, &memory)
            references.sites.release(reference.pointee.site, &memory)
            reference.pointee.site = number
        }
        references.countIn(number)
        if known == nil, isCountingReferences { outputRoams(new.object) }
        reference.pointee.epoch = new.epoch
        noteReference(number)
        return known == nil
    }

    /// The reference of a process to an object.
    func reference(
        _ holder: HolderName, _ type: ReferenceType, _ object: RecordID
    ) -> UInt32? {
        guard let position = nodes.position(of: holder.node, memory.seeds) else { return nil }
        let node = nodes.holder(at: position, type)
        guard node != none,
            let process = references.process(holder.process, ofNode: node, memory.seeds)
        else { return nil }
        return references.find(object, type, of: process, memory.seeds)
    }

    /// Refuses an object that can have no record any more: its batch has ended, and nobody kept it.
    public mutating func checkReferable(_ object: RecordID) throws(StoreError) {
        _ = try locateForWriting(RecordKey(object, .object))
    }

    /// What stands for a node in the table: one thing for what its processes tell, another for pins,
    /// which its store tells and tells anew after each registration.
    private mutating func holderNodeOrNew(
        _ name: UnsafeBufferPointer<UInt8>, _ type: ReferenceType
    ) -> UInt32 {
        let position = nodePositionOrNew(name)
        let known = nodes.holder(at: position, type)
        if known != none { return known }
        let holder = references.makeNode(position: position, &memory)
        nodes.setHolder(holder, at: position, type)
        return holder
    }

    /// Records that a process does not hold an object any more.
    ///
    /// - Returns: whether the reference was known.
    public mutating func removeReference(
        _ holder: HolderName, _ type: ReferenceType, _ object: RecordID
    ) -> Bool {
        guard let position = nodes.position(of: holder.node, memory.seeds) else { return false }
        let node = nodes.holder(at: position, type)
        guard node != none,
            let process = references.process(holder.process, ofNode: node, memory.seeds),
            let number = references.find(object, type, of: process, memory.seeds)
        else { return false }
        noteReferenceGone(holder, type, object)
        references.countOut(number)
        let isLost = references.remove(number, &memory)
        if references.forgetIfEmpty(process: process, &memory) {
            nodes.setHolder(none, at: position, type)
        }
        if isLost { lostLastReference(object) }
        return true
    }

    /// Forgets what a process holds: at once for everybody, the memory in slices.
    ///
    /// - Returns: references forgotten.
    public mutating func clearReferences(_ holder: HolderName) -> Int {
        guard let position = nodes.position(of: holder.node, memory.seeds) else { return 0 }
        noteHolderGone(holder.node, holder.process)
        var cleared = 0
        for type in [ReferenceType.localReference, .pinnedInMemory] {
            let node = nodes.holder(at: position, type)
            guard node != none,
                let process = references.process(holder.process, ofNode: node, memory.seeds)
            else { continue }
            let (count, isNodeForgotten) = references.clear(process: process, &memory)
            if isNodeForgotten { nodes.setHolder(none, at: position, type) }
            cleared += count
        }
        return cleared
    }

    /// Forgets what the processes of a node hold: at once for everybody, the memory in slices.
    ///
    /// - Returns: references forgotten.
    public mutating func clearReferences(ofNode name: UnsafeBufferPointer<UInt8>) -> Int {
        guard let position = nodes.position(of: name, memory.seeds) else { return 0 }
        return clearReferences(ofNodeAt: position, isSilent: false)
    }

    mutating func clearReferences(ofNodeAt position: Int, isSilent: Bool) -> Int {
        clearReferences(ofNodeAt: position, .localReference, isSilent: isSilent)
            + clearPins(ofNodeAt: position, isSilent: isSilent)
    }

    /// Forgets what the store of a node told of pins.
    ///
    /// - Returns: pins forgotten.
    mutating func clearPins(ofNodeAt position: Int, isSilent: Bool = false) -> Int {
        clearReferences(ofNodeAt: position, .pinnedInMemory, isSilent: isSilent)
    }

    private mutating func clearReferences(
        ofNodeAt position: Int, _ type: ReferenceType, isSilent: Bool
    ) -> Int {
        let node = nodes.holder(at: position, type)
        guard node != none else { return 0 }
        if type.isClaim {
            nodes.nodes[position]?.name.withUnsafeBufferPointer { noteHolderGone($0, nil) }
        }
        nodes.setHolder(none, at: position, type)
        return references.clear(node: node, isSilent: isSilent)
    }

    /// Forgets every reference; objects stay.
    mutating func forgetReferences() {
        for position in nodes.nodes.indices {
            _ = clearReferences(ofNodeAt: position, isSilent: true)
        }
        references.silenceDying()
        unannouncedObjects = []
    }
}

// MARK: - Telling

extension ControlStore {
    /// Visits references in the order of their slots.
    ///
    /// A reference held during a whole walk is visited exactly once.
    ///
    /// - Parameters:
    ///   - cursor: 0 at first.
    ///   - budget: slots after which the step ends.
    /// - Returns: the next cursor; 0 at the end.
    public func scanReferences(
        from cursor: UInt64, budget: Int, _ visit: (ReferenceInfo) -> Void
    ) -> UInt64 {
        scanReferenceNumbers(from: cursor, budget: budget) { number in
            if let reference = reference(number) { visit(reference) }
        }
    }

    func scanReferenceNumbers(
        from cursor: UInt64, budget: Int, _ visit: (UInt32) -> Void
    ) -> UInt64 {
        let end = UInt64(references.references.upperBound)
        let stop = min(cursor + UInt64(budget), end)
        for slot in cursor..<max(stop, cursor) {
            let number = UInt32(truncatingIfNeeded: slot)
            if references.references.slot(number)?.pointee.type != nil { visit(number) }
        }
        return stop < end ? stop : 0
    }

    /// The references to an object.
    ///
    /// - Complexity: O(references to the object).
    public func references(to object: RecordID) -> [ReferenceInfo] {
        var found: [ReferenceInfo] = []
        references.visit(object, memory.seeds) { number in
            if let reference = reference(number) { found.append(reference) }
        }
        return found
    }

    /// A reference in use; `nil` when its process was cleared.
    func reference(_ number: UInt32) -> ReferenceInfo? {
        let record = references.references[number].pointee
        let process = references.processes[record.process].pointee
        let node = references.nodes[process.node].pointee
        guard !node.isDead, let type = record.type, let name = nodes.nodes[Int(node.position)]?.name
        else { return nil }
        return ReferenceInfo(
            node: name, process: process.process, type: type, object: record.object,
            size: record.size, site: references.sites.text(record.site), isDriver: record.isDriver)
    }
}

// MARK: - Reference counting

extension ControlStore {
    /// Dead references removed in a slice.
    static var sweepBudget: Int { 200 }
    /// The same, while objects are freed with their last reference: each may move 16 records.
    static var countingSweepBudget: Int { 16 }

    /// Whether an object stays although nobody refers to it.
    func isSpared(_ record: ObjectRecord) -> Bool { record.isKept || record.isPinned }

    /// Frees an object that has no reference any more, if that is asked for.
    private mutating func lostLastReference(_ object: RecordID) {
        guard isCountingReferences else { return }
        let key = RecordKey(object, .object)
        let site = locate(key)
        guard let payload = payload(site) else { return }
        guard !isSpared(ObjectRecord(payload)) else {
            journal.note(key)
            return ObjectRecord(payload).isUnreferenced = true
        }
        removeObjectRecord(key, at: site)
        unannouncedObjects.append(object)
        if unannouncedObjects.count == Self.objectsPerDeletionMax { announceUnreferenced() }
    }

    private mutating func announceUnreferenced() {
        guard !unannouncedObjects.isEmpty else { return }
        announce(.objects(unannouncedObjects))
        unannouncedObjects.removeAll(keepingCapacity: true)
    }

    /// Does a slice of what references leave to do; whether more waits.
    mutating func maintainReferences() -> Bool {
        checkNodes()
        let budget = isCountingReferences ? Self.countingSweepBudget : Self.sweepBudget
        let swept = references.sweep(budget: budget, &memory)
        for object in swept.unreferenced { lostLastReference(object) }
        if swept.count < budget { announceUnreferenced() }
        return references.freeIndexes(budget: 16, &memory.pool) || swept.count == budget
    }

    /// Counts nodes that were silent for too long as gone; looks once a second.
    ///
    /// Time in which nobody looked counts for little: when the server itself was stopped, nodes could
    /// not be heard.
    private mutating func checkNodes() {
        let passed = now - nodesCheckedAt
        guard passed >= 1000 else { return }
        nodesCheckedAt = now
        for position in nodes.nodes.indices where nodes.nodes[position]?.isRegistered == true {
            nodes.update(at: position) { node in
                node.silence += min(
                    passed, Self.silencePerCheckMax, max(now - node.lastSeenAt, 0))
                node.isLost =
                    nodeTimeoutMilliseconds > 0 && node.silence > nodeTimeoutMilliseconds
            }
            guard nodes.nodes[position]?.isLost == true else { continue }
            _ = clearReferences(ofNodeAt: position, isSilent: false)
        }
    }

    /// Milliseconds of silence that one look adds at most.
    private static var silencePerCheckMax: Int64 { 5000 }
}
