internal import Identifiers

/// Where the links of a wide entry lie.
private enum Field {
    static let ownerSlot = 24
    static let ownerGeneration = 28
    static let ownerNext = 32
    static let ownerPrevious = 36
    static let prefixNext = 40
    static let prefixPrevious = 44
}

/// The estate: records that belong to another batch than the one in their id, under their whole key.
///
/// Each is linked twice: with the others of its owner (`kept` or `adopted`), and with the others of its
/// prefix. When an owner ends, its records are dead at once (the generation of its slot moves on) and
/// are swept later.
extension ControlStore {
    /// Finds a record in the estate; one whose owner has ended is removed on the way.
    @inline(never)
    mutating func locateStray(_ key: RecordKey) -> Site? {
        guard let place = estate.find(key, memory.seeds) else { return nil }
        if let owner = owner(ofStray: place.pointee) {
            return Site(batch: owner, place: place, isStray: true)
        }
        removeDeadStray(place.pointee)
        return nil
    }

    /// The living owner of a record of the estate.
    func owner(ofStray reference: UInt32) -> BatchPointer? {
        batches.batch(
            atSlot: link(reference, Field.ownerSlot),
            generation: link(reference, Field.ownerGeneration))
    }

    func key(ofStray reference: UInt32) -> RecordKey { estate.key(of: estate.entry(reference)) }

    func payload(ofStray reference: UInt32) -> UnsafeMutableRawBufferPointer {
        estate.payload(of: estate.entry(reference))
    }

    /// Notes that a record of the estate changes.
    mutating func noteStray(_ reference: UInt32) {
        if journal.isOn { journal.note(key(ofStray: reference)) }
    }

    /// Adds a record that is not there; the caller fills its bytes, the kept mark among them.
    mutating func insertStray(
        _ key: RecordKey, byteCount: Int, owner: BatchPointer, isKept: Bool
    ) -> UnsafeMutableRawBufferPointer {
        let reference = estate.insert(key, byteCount: byteCount, &memory)
        linkPrefix(reference, key)
        linkOwner(reference, owner, isKept: isKept)
        let home = key.id.batch
        if home != .root { batches.find(home, memory.seeds)?.pointee.hasStrays = true }
        return payload(ofStray: reference)
    }

    mutating func resizeStray(
        _ place: UnsafeMutablePointer<UInt32>, byteCount: Int
    ) -> UnsafeMutableRawBufferPointer {
        let old = place.pointee
        let new = estate.resize(place, byteCount: byteCount, &memory)
        if new != old { relink(old, new) }
        // Compaction may move the very record: its place in the index stays true.
        compactEstate()
        return payload(ofStray: place.pointee)
    }

    mutating func removeStray(_ reference: UInt32) {
        if let owner = owner(ofStray: reference) { unlinkOwner(reference, owner) }
        unlinkPrefix(reference)
        estate.remove(key(ofStray: reference), &memory)
        compactEstate()
    }

    /// Removes a record whose owner has ended.
    mutating func removeDeadStray(_ reference: UInt32) {
        let key = key(ofStray: reference)
        detach(reference)
        unlinkPrefix(reference)
        estate.remove(key, &memory)
        compactEstate()
        if key.kind == .object { settleNeed(of: key.id) }
    }

    private mutating func compactEstate() {
        guard estate.needsCompaction else { return }
        for _ in 0..<Self.compactionBudget {
            if let (old, new) = estate.moveOne(&memory) { relink(old, new) }
        }
    }

    /// The objects of a prefix that live in the estate.
    func strayObjects(ofPrefix prefix: BatchID) -> [RecordID] { strays(ofPrefix: prefix, .object) }

    /// The tasks of a prefix that live in the estate.
    func strayTasks(ofPrefix prefix: BatchID) -> [RecordID] { strays(ofPrefix: prefix, .task) }

    private func strays(ofPrefix prefix: BatchID, _ kind: RecordKind) -> [RecordID] {
        var found: [RecordID] = []
        var next = prefixPlace(prefix)?.pointee ?? none
        while next != none {
            let key = key(ofStray: next)
            if key.kind == kind, owner(ofStray: next) != nil { found.append(key.id) }
            next = link(next, Field.prefixNext)
        }
        return found
    }

    /// Whether any record of a prefix lies in the estate.
    func hasStrays(_ prefix: BatchID) -> Bool { prefixPlace(prefix) != nil }

    /// The record after this one in its owner's chain.
    func nextOfOwner(_ reference: UInt32) -> UInt32 { link(reference, Field.ownerNext) }
}

// MARK: - Links

extension ControlStore {
    private func link(_ reference: UInt32, _ field: Int) -> UInt32 {
        estate.entry(reference).load(fromByteOffset: field, as: UInt32.self)
    }

    private func setLink(_ reference: UInt32, _ field: Int, _ value: UInt32) {
        estate.entry(reference).storeBytes(of: value, toByteOffset: field, as: UInt32.self)
    }

    /// Files a record under its owner, in front.
    func linkOwner(_ reference: UInt32, _ owner: BatchPointer, isKept: Bool) {
        let head = isKept ? owner.pointee.kept.head : owner.pointee.adopted.head
        setLink(reference, Field.ownerSlot, owner.pointee.slot)
        setLink(reference, Field.ownerGeneration, batches.generation(ofSlot: owner.pointee.slot))
        setLink(reference, Field.ownerNext, head)
        setLink(reference, Field.ownerPrevious, none)
        if head != none { setLink(head, Field.ownerPrevious, reference) }
        if isKept {
            owner.pointee.kept.head = reference
            owner.pointee.kept.count += 1
        } else {
            owner.pointee.adopted.head = reference
            countAdopted(key(ofStray: reference).kind, owner, 1)
        }
    }

    /// Takes a record out of its living owner's chain.
    func unlinkOwner(_ reference: UInt32, _ owner: BatchPointer) {
        detach(reference)
        let key = key(ofStray: reference)
        if key.kind == .object, ObjectRecord(payload(ofStray: reference)).isKept {
            owner.pointee.kept.count -= 1
        } else {
            countAdopted(key.kind, owner, -1)
        }
    }

    private func countAdopted(_ kind: RecordKind, _ owner: BatchPointer, _ change: Int) {
        switch kind {
        case .task:
            owner.pointee.adopted.count = UInt32(Int(owner.pointee.adopted.count) + change)
            owner.pointee.adoptedTaskCount = UInt32(Int(owner.pointee.adoptedTaskCount) + change)
        case .object:
            owner.pointee.adopted.count = UInt32(Int(owner.pointee.adopted.count) + change)
        case .actor, .need: break
        }
    }

    /// Closes the gap that a record leaves in its owner's chain.
    func detach(_ reference: UInt32) {
        let next = link(reference, Field.ownerNext)
        let previous = link(reference, Field.ownerPrevious)
        if next != none { setLink(next, Field.ownerPrevious, previous) }
        if previous != none {
            setLink(previous, Field.ownerNext, next)
        } else {
            moveHead(reference, of: reference, next)
        }
    }

    private func prefixPlace(_ prefix: BatchID) -> UnsafeMutablePointer<UInt32>? {
        prefixes.find(memory.seeds.hash(UInt64(bitPattern: prefix.rawValue))) {
            key(ofStray: $0).batch == UInt64(bitPattern: prefix.rawValue)
        }
    }

    /// Files a record behind the first of its prefix, which the index refers to.
    private mutating func linkPrefix(_ reference: UInt32, _ key: RecordKey) {
        setLink(reference, Field.prefixNext, none)
        setLink(reference, Field.prefixPrevious, none)
        if let first = prefixPlace(key.id.batch)?.pointee {
            let second = link(first, Field.prefixNext)
            setLink(reference, Field.prefixNext, second)
            setLink(reference, Field.prefixPrevious, first)
            setLink(first, Field.prefixNext, reference)
            if second != none { setLink(second, Field.prefixPrevious, reference) }
            return
        }
        let seeds = memory.seeds
        let estate = estate
        var grown = prefixes
        grown.insert(seeds.hash(key.batch), reference, &memory.pool) {
            seeds.hash(estate.key(of: estate.entry($0)).batch)
        }
        prefixes = grown
    }

    private mutating func unlinkPrefix(_ reference: UInt32) {
        let next = link(reference, Field.prefixNext)
        let previous = link(reference, Field.prefixPrevious)
        if next != none { setLink(next, Field.prefixPrevious, previous) }
        if previous != none { return setLink(previous, Field.prefixNext, next) }
        let hash = memory.seeds.hash(key(ofStray: reference).batch)
        if next != none {
            prefixes.find(hash) { $0 == reference }?.pointee = next
        } else {
            var edited = prefixes
            _ = edited.remove(hash) { $0 == reference }
            prefixes = edited
        }
    }

    /// Mends what refers to a record that moved.
    private func relink(_ old: UInt32, _ new: UInt32) {
        let next = link(new, Field.ownerNext)
        let previous = link(new, Field.ownerPrevious)
        if next != none { setLink(next, Field.ownerPrevious, new) }
        if previous != none {
            setLink(previous, Field.ownerNext, new)
        } else {
            moveHead(old, of: new, new)
        }
        let after = link(new, Field.prefixNext)
        let before = link(new, Field.prefixPrevious)
        if after != none { setLink(after, Field.prefixPrevious, new) }
        if before != none { return setLink(before, Field.prefixNext, new) }
        prefixes.find(memory.seeds.hash(key(ofStray: new).batch)) { $0 == old }?.pointee = new
    }

    /// Writes the head of the chain that a record is first in; its owner may wait in the graveyard.
    private func moveHead(_ old: UInt32, of reference: UInt32, _ new: UInt32) {
        var batch = owner(ofStray: reference) ?? graveyard
        while let owner = batch {
            if owner.pointee.kept.head == old { return owner.pointee.kept.head = new }
            if owner.pointee.adopted.head == old { return owner.pointee.adopted.head = new }
            batch = owner.pointee.nextInGraveyard
        }
    }
}
