public import Identifiers

/// One copy of an object.
public struct ObjectLocation: Sendable {
    /// The node that has it.
    public var node: [UInt8]
    /// Whether it is a copy of the primary one.
    public var isSecondary: Bool
}

/// What GCS.OBJECT GET tells.
public struct ObjectInfo: Sendable {
    /// The owner.
    public var owner: BatchID
    /// Bytes of the object, metadata included; 0 before a node told.
    public var size: Int64
    /// Whether it passes to the parent when its batch ends.
    public var isKept: Bool
    /// Whether it stays until it is unpinned.
    public var isPinned: Bool
    /// Where its copies are.
    public var locations: [ObjectLocation]
    /// How many references there are to it.
    public var referenceCount: Int
    /// The node that has it on disk, and where; `nil` when none has.
    public var spilled: (node: [UInt8], url: [UInt8])?
}

extension ControlStore {
    /// Records that a node has a copy.
    ///
    /// - Returns: whether the location is new.
    public mutating func addObject(
        _ id: RecordID, node: UnsafeBufferPointer<UInt8>, size: Int64, isSecondary: Bool
    ) throws(StoreError) -> Bool {
        let key = RecordKey(id, .object)
        let site = try locateForWriting(key)
        try checkRoom(site)
        let number = nodes.number(at: nodePositionOrNew(node))
        let location = isSecondary ? number | ObjectRecord.secondaryBit : number
        guard let payload = payload(site) else {
            let isCounted = noteOutput(id)
            let record = ObjectRecord(
                insert(key, at: site, byteCount: ObjectRecord.byteCount(locationCount: 1)))
            record.clear()
            record.isCounted = isCounted
            record.size = size
            record.locationCount = 1
            record[0] = location
            return true
        }
        journal.note(key)
        let record = ObjectRecord(payload)
        record.size = size
        for position in 0..<record.locationCount
        where record[position] & ~ObjectRecord.secondaryBit == number {
            record[position] = location
            return false
        }
        try append(location, to: record, at: site)
        return true
    }

    private mutating func append(
        _ location: UInt32, to record: ObjectRecord, at site: Site
    ) throws(StoreError) {
        dropDeadLocations(record)
        let count = record.locationCount
        guard count < ObjectRecord.locationCountMax else {
            throw .tooManyLocations(ObjectRecord.locationCountMax)
        }
        let grown = ObjectRecord(
            resize(
                site,
                byteCount: ObjectRecord.byteCount(
                    locationCount: count + 1, spilledByteCount: record.spilledByteCount)))
        grown.locationCount = count + 1
        grown[count] = location
    }

    /// Forgets the locations of nodes that have registered anew or were removed.
    private func dropDeadLocations(_ record: ObjectRecord) {
        var kept = 0
        for position in 0..<record.locationCount
        where nodes.isAlive(record[position] & ~ObjectRecord.secondaryBit) {
            record[kept] = record[position]
            kept += 1
        }
        record.locationCount = kept
    }

    /// Records that a node has no copy any more; the record stays.
    ///
    /// - Returns: whether the location was known.
    public mutating func removeObject(_ id: RecordID, node: UnsafeBufferPointer<UInt8>) -> Bool {
        let site = locate(RecordKey(id, .object))
        guard let payload = payload(site), let position = nodes.position(of: node, memory.seeds)
        else {
            return false
        }
        let number = nodes.number(at: position)
        let record = ObjectRecord(payload)
        let last = record.locationCount - 1
        for position in 0..<max(last + 1, 0)
        where record[position] & ~ObjectRecord.secondaryBit == number {
            record[position] = record[last]
            record.locationCount = last
            journal.note(RecordKey(id, .object))
            return true
        }
        return false
    }

    /// What is known of an object.
    public mutating func object(_ id: RecordID) -> ObjectInfo? {
        let site = locate(RecordKey(id, .object))
        guard let owner = site.batch, let payload = payload(site) else { return nil }
        let record = ObjectRecord(payload)
        var locations: [ObjectLocation] = []
        for position in 0..<record.locationCount {
            guard let node = nodes.node(record[position] & ~ObjectRecord.secondaryBit) else {
                continue
            }
            let isSecondary = record[position] & ObjectRecord.secondaryBit != 0
            locations.append(ObjectLocation(node: node.name, isSecondary: isSecondary))
        }
        let isSpilled = record.spilledByteCount > 0
        return ObjectInfo(
            owner: owner.pointee.id, size: record.size, isKept: record.isKept,
            isPinned: record.isPinned, locations: locations, referenceCount: referenceCount(of: id),
            spilled: isSpilled ? ([UInt8](record.spilledNode), [UInt8](record.spilledURL)) : nil)
    }

    /// The kind of a record, if there is one.
    @inline(__always)
    public mutating func exists(_ id: RecordID, _ kind: RecordKind) -> Bool {
        locate(RecordKey(id, kind)).place != nil
    }

    /// Bytes of a record, its header included.
    public mutating func byteCount(_ id: RecordID, _ kind: RecordKind) -> Int? {
        let site = locate(RecordKey(id, kind))
        guard let payload = payload(site) else { return nil }
        return payload.count
            + (site.isStray ? Region.wideHeaderByteCount : Region.narrowHeaderByteCount)
    }
}
