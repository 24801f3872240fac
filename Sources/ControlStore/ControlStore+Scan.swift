public import Identifiers

/// A key of the key space, as SCAN meets it.
public enum ScannedKey: Sendable {
    /// `GC:<batch>`.
    case batch(BatchID)
    /// `TASK:`, `OBJECT:` or `ACTOR:<hex>`.
    case record(RecordID, RecordKind)
    /// `NODE:<id>`.
    case node([UInt8])
    /// `gc:log`.
    case log
}

/// What a walk over the key space wants to see.
public struct ScanFilter: Sendable {
    /// Batches.
    public var takesBatches = true
    /// Records.
    public var takesRecords = true
    /// Nodes.
    public var takesNodes = true
    /// The log.
    public var takesLog = true

    /// Everything.
    public init() {}
}

extension RecordKind {
    /// Whether `GC:<batch>` lists such records.
    var isMember: Bool { self == .task || self == .object }
}

extension ControlStore {
    /// Keys in the key space.
    public var keyCount: Int {
        taskCount + objectCount + actorCount + batchCount + nodes.nodes.count { $0 != nil } + 1
    }

    /// Visits some keys, from a cursor on.
    ///
    /// A cursor is slot + 1 of the batch (upper half) and a position in its index (lower half); 0 stands
    /// for the start, and nodes and the log come first. A key that exists during a whole walk is visited
    /// at least once. The root's slot stands for the estate, with the records of every owner in it.
    ///
    /// - Parameters:
    ///   - budget: keys after which the step ends; it may visit up to a segment (640) more.
    /// - Returns: the next cursor; 0 at the end.
    public func scan(
        from cursor: UInt64, budget: Int, filter: ScanFilter = ScanFilter(),
        _ visit: (ScannedKey) -> Void
    ) -> UInt64 {
        var left = budget
        var slot = cursor >> 32
        var position = cursor & 0xffff_ffff
        if slot == 0 {
            if filter.takesLog { visit(.log) }
            if filter.takesNodes {
                for node in nodes.nodes.compactMap({ $0 }) {
                    visit(.node(node.name))
                    left -= 1
                }
            }
            slot = 1
            position = 0
        }
        var slotsLeft = max(budget, 10) * 8
        while slot <= UInt64(batches.slotCount), left > 0, slotsLeft > 0 {
            slotsLeft -= 1
            if let batch = batches.batch(atSlot: UInt32(slot - 1)) {
                if position == 0, filter.takesBatches {
                    visit(.batch(batch.pointee.id))
                    left -= 1
                }
                if filter.takesRecords {
                    position = scanRecords(of: batch, from: position, &left, visit)
                    if position < 1 << 32 { continue }
                }
            }
            slot += 1
            position = 0
        }
        return slot > UInt64(batches.slotCount) ? 0 : slot << 32 | position
    }

    private func scanRecords(
        of batch: BatchPointer, from start: UInt64, _ left: inout Int, _ visit: (ScannedKey) -> Void
    ) -> UInt64 {
        var position = start
        while left > 0, position < 1 << 32 {
            var visited = 0
            if batch == root {
                position = estate.index.walk(from: position) { reference in
                    guard owner(ofStray: reference) != nil else { return }
                    let key = key(ofStray: reference)
                    guard key.kind != .need else { return }
                    visit(.record(key.id, key.kind))
                    visited += 1
                }
            } else {
                position = batch.pointee.region.index.walk(from: position) { reference in
                    let region = batch.pointee.region
                    let key = region.key(of: region.entry(reference), home: batch.pointee.id)
                    guard key.kind != .need else { return }
                    visit(.record(key.id, key.kind))
                    visited += 1
                }
            }
            left -= max(visited, 1)
        }
        return position
    }

    /// Visits some members of a batch, from a cursor on: its region, then its adopted records.
    ///
    /// - Parameters:
    ///   - cursor: 0 at first; the lower half is a position, the upper one tells the estate.
    ///   - budget: members after which the step ends; it may visit up to a segment (640) more.
    /// - Returns: the next cursor; 0 at the end. `nil` when the batch does not live.
    public mutating func scanMembers(
        of id: BatchID, from cursor: UInt64, budget: Int, _ visit: (RecordID, RecordKind) -> Void
    ) -> UInt64? {
        guard let batch = batches.find(id, memory.seeds) else { return nil }
        var left = budget
        var position = cursor & 0xffff_ffff
        if cursor >> 32 == 0 {
            while left > 0, position < 1 << 32 {
                position = batch.pointee.region.index.walk(from: position) { reference in
                    let region = batch.pointee.region
                    let key = region.key(of: region.entry(reference), home: id)
                    left -= 1
                    guard key.kind.isMember else { return }
                    visit(key.id, key.kind)
                }
            }
            guard position >= 1 << 32 else { return position }
            guard batch.pointee.adopted.count > 0 else { return 0 }
            position = 0
        }
        if isShort(batch.pointee.adopted) {
            visitAdopted(of: batch, visit)
            return 0
        }
        return scanAdopted(of: batch, from: position, left, visit)
    }

    /// Whether a chain can be walked in one step; it may hold hidden records that it does not count.
    private func isShort(_ chain: Batch.Chain) -> Bool {
        guard chain.count <= 512 else { return false }
        var next = chain.head
        for _ in 0..<1024 where next != none { next = nextOfOwner(next) }
        return next == none
    }

    private func visitAdopted(of batch: BatchPointer, _ visit: (RecordID, RecordKind) -> Void) {
        var next = batch.pointee.adopted.head
        while next != none {
            let key = key(ofStray: next)
            if key.kind.isMember { visit(key.id, key.kind) }
            next = nextOfOwner(next)
        }
    }

    private func scanAdopted(
        of batch: BatchPointer, from start: UInt64, _ budget: Int,
        _ visit: (RecordID, RecordKind) -> Void
    ) -> UInt64 {
        var position = start
        var left = budget
        var segmentsLeft = 16
        while left > 0, segmentsLeft > 0, position < 1 << 32 {
            segmentsLeft -= 1
            position = estate.index.walk(from: position) { reference in
                guard owner(ofStray: reference) == batch else { return }
                let key = key(ofStray: reference)
                if key.kind == .object, ObjectRecord(payload(ofStray: reference)).isKept { return }
                guard key.kind.isMember else { return }
                visit(key.id, key.kind)
                left -= 1
            }
        }
        return position < 1 << 32 ? 1 << 32 | position : 0
    }

    /// Batches that one step of a list looks at: 0.2 ms.
    private static var listedCountPerStep: Int { 2000 }

    /// Visits living batches in the order of their slots.
    ///
    /// - Parameters:
    ///   - cursor: 0 at first.
    ///   - budget: batches after which the step ends; it ends earlier when it has looked at many.
    /// - Returns: the next cursor; 0 at the end.
    public func scanBatches(
        from cursor: UInt64, budget: Int, status: BatchStatus?, _ visit: (BatchID) -> Void
    ) -> UInt64 {
        var slot = UInt32(truncatingIfNeeded: cursor)
        var left = budget
        // An empty slot costs a thirtieth of a batch, whose record is seldom in the cache.
        var workLeft = Self.listedCountPerStep * 30
        while slot < batches.slotCount {
            guard left > 0, workLeft > 0 else { return UInt64(slot) }
            workLeft -= 1
            if let batch = batches.batch(atSlot: slot) {
                workLeft -= 29
                if status == nil || batch.pointee.status == status {
                    visit(batch.pointee.id)
                    left -= 1
                }
            }
            slot += 1
        }
        return 0
    }

    /// A key picked at random, though not evenly.
    public func randomKey(using generator: inout some RandomNumberGenerator) -> ScannedKey {
        var found: ScannedKey = .log
        for _ in 0..<64 {
            let slot = UInt64(generator.next(upperBound: UInt64(batches.slotCount))) + 1
            let position = UInt64(UInt32.random(in: 0...(.max), using: &generator))
            var keys: [ScannedKey] = []
            _ = scan(from: slot << 32 | position, budget: 1) { keys.append($0) }
            if let key = keys.randomElement(using: &generator) {
                found = key
                break
            }
        }
        return found
    }
}
