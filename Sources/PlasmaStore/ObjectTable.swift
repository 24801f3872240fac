internal import Identifiers

/// Objects by id: linear hashing, which grows by one bucket per insertion and never stalls.
///
/// - Source: Litwin, "Linear hashing: a new tool for file and table addressing", VLDB 1980.
struct ObjectTable: ~Copyable {
    private var records = Pool<ObjectRecord>()
    /// The first slot of each bucket; 0 for none, as a chunk begins: none is ever given back.
    private var buckets = Chunks<UInt32>()
    private var bucketCount = 1024
    private let seed: (UInt64, UInt64, UInt64)

    init() {
        var random = SystemRandomNumberGenerator()
        seed = (random.next(), random.next(), random.next() | 1)
        buckets.grow()
    }

    /// Records in use, awaited ones included.
    var count: Int { records.count }

    /// Slots to look at for all records: `1...slotCount`.
    var slotCount: Int { records.slotCount }

    /// Whether the records' memory is large and empty.
    var isWorthFreeing: Bool { records.isWorthFreeing }

    /// Gives a part of the records' memory back when there are none; says whether there was one.
    mutating func freeChunk() -> Bool { records.freeChunk() }

    subscript(slot: UInt32) -> ObjectRecord {
        @inline(__always) unsafeAddress { UnsafePointer(records.address(slot)) }
        @inline(__always) unsafeMutableAddress { records.address(slot) }
    }

    /// Bytes of an object; asked of the record itself it would be copied first.
    @inline(__always)
    func byteCount(_ slot: UInt32) -> Int {
        let record = records.address(slot)
        return record.pointee.dataByteCount + record.pointee.metadataByteCount
    }

    /// The slot of the record with this id; 0 when there is none.
    func find(_ id: RecordID) -> UInt32 {
        let hash = hash(id)
        var slot = buckets.address(bucket(hash)).pointee
        while slot != 0 {
            if records[slot].hash == hash, records[slot].id == id { return slot }
            slot = records[slot].nextFree
        }
        return 0
    }

    /// A new record; none with its id may be there.
    mutating func insert(_ id: RecordID, _ state: ObjectRecord.State) -> UInt32 {
        if records.count >= bucketCount { addBucket() }
        let slot = records.insert()
        let hash = hash(id)
        let bucket = buckets.address(bucket(hash))
        records[slot].id = id
        records[slot].state = state
        records[slot].hash = hash
        records[slot].nextFree = bucket.pointee
        bucket.pointee = slot
        return slot
    }

    /// Removes the record of a slot.
    mutating func remove(_ slot: UInt32) {
        let bucket = buckets.address(bucket(records[slot].hash))
        let next = records[slot].nextFree
        if bucket.pointee == slot {
            bucket.pointee = next
        } else {
            var before = bucket.pointee
            while records[before].nextFree != slot { before = records[before].nextFree }
            records[before].nextFree = next
        }
        records.remove(slot)
    }

    private func hash(_ id: RecordID) -> UInt64 {
        let first = (UInt64(bitPattern: id.batch.rawValue) ^ seed.0)
            .multipliedFullWidth(by: id.unique ^ seed.1)
        let second = (first.high ^ first.low ^ UInt64(id.index))
            .multipliedFullWidth(by: seed.2)
        return second.high ^ second.low
    }

    /// The bucket of a hash: by as many bits as the larger half of the table has.
    @inline(__always)
    private func bucket(_ hash: UInt64) -> Int {
        let bits = Int.bitWidth - (bucketCount - 1).leadingZeroBitCount
        let wide = Int(truncatingIfNeeded: hash & ((1 << UInt64(bits)) - 1))
        return wide < bucketCount ? wide : wide & ((1 << (bits - 1)) - 1)
    }

    /// Adds one bucket and moves what belongs there from the one it was split from.
    private mutating func addBucket() {
        if bucketCount == buckets.capacity { buckets.grow() }
        let new = bucketCount
        let topBit = 1 << (Int.bitWidth - 1 - new.leadingZeroBitCount)
        let old = buckets.address(new & (topBit - 1))
        var slot = old.pointee
        bucketCount += 1
        old.pointee = 0
        while slot != 0 {
            let next = records[slot].nextFree
            let target = buckets.address(bucket(records[slot].hash))
            records[slot].nextFree = target.pointee
            target.pointee = slot
            slot = next
        }
    }
}
