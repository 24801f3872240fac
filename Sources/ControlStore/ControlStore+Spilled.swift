public import Identifiers

extension ControlStore {
    /// Bytes of a URL that a record can hold.
    public static var spilledURLByteCountMax: Int { 4096 }

    /// Records where a node has an object on disk, in place of what was recorded before.
    ///
    /// - Parameters:
    ///   - node: the node's name.
    ///   - url: at most `spilledURLByteCountMax` bytes; empty when that node has it there no more.
    public mutating func setSpilled(
        _ id: RecordID, node: UnsafeBufferPointer<UInt8>, url: UnsafeBufferPointer<UInt8>
    ) throws(StoreError) {
        precondition(url.count <= Self.spilledURLByteCountMax, "a URL of \(url.count) bytes")
        let key = RecordKey(id, .object)
        if url.isEmpty { return forgetSpilled(key, node) }
        let site = try locateForWriting(key)
        let spilled = ObjectRecord.spilledByteCount(node: node.count, url: url.count)
        guard let payload = payload(site) else {
            let size = ObjectRecord.byteCount(locationCount: 0, spilledByteCount: spilled)
            let isCounted = noteOutput(id)
            let record = ObjectRecord(insert(key, at: site, byteCount: size))
            record.clear()
            record.isCounted = isCounted
            record.setSpilled(node: node, url: url, locations: [])
            return
        }
        rewrite(ObjectRecord(payload), at: site, node, url, spilledByteCount: spilled)
    }

    private mutating func forgetSpilled(_ key: RecordKey, _ node: UnsafeBufferPointer<UInt8>) {
        let site = locate(key)
        guard let payload = payload(site) else { return }
        let record = ObjectRecord(payload)
        guard record.spilledNode.elementsEqual(node) else { return }
        let none = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
        rewrite(record, at: site, none, none, spilledByteCount: 0)
    }

    private mutating func rewrite(
        _ record: ObjectRecord, at site: Site, _ node: UnsafeBufferPointer<UInt8>,
        _ url: UnsafeBufferPointer<UInt8>, spilledByteCount: Int
    ) {
        let locations = (0..<record.locationCount).map { record[$0] }
        let size = ObjectRecord.byteCount(
            locationCount: locations.count, spilledByteCount: spilledByteCount)
        ObjectRecord(resize(site, byteCount: size))
            .setSpilled(node: node, url: url, locations: locations)
    }
}
