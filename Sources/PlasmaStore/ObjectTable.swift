internal import Glibc
internal import Identifiers

/// Objects by id: linear hashing, which grows by one bucket per insertion and never stalls.
///
/// - Source: Litwin, "Linear hashing: a new tool for file and table addressing", VLDB 1980.
struct ObjectTable: ~Copyable {
    private var records = Pool<ObjectRecord>()
    private var buckets: UnsafeMutablePointer<UInt32>
    private var bucketCapacity = 1024
    private var bucketCount = 1024
    private let seed: (UInt64, UInt64, UInt64)

    init() {
        var random = SystemRandomNumberGenerator()
        seed = (random.next(), random.next(), random.next() | 1)
        buckets = Self.grown(nil, to: bucketCapacity)
        buckets.initialize(repeating: 0, count: bucketCount)
    }

    deinit { free(buckets) }

    /// Records in use, awaited ones included.
    var count: Int { records.count }

    /// Slots to look at for all records: `1...slotCount`.
    var slotCount: Int { records.slotCount }

    /// Whether the records' memory is large and empty.
    var isWorthFreeing: Bool { records.isWorthFreeing }

    /// Gives up the memory of the records when there are none.
    mutating func takeBlock() -> (base: UnsafeMutableRawPointer, byteCount: Int)? {
        records.takeBlock()
    }

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
        var slot = buckets[bucket(hash)]
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
        let bucket = bucket(hash)
        records[slot].id = id
        records[slot].state = state
        records[slot].hash = hash
        records[slot].nextFree = buckets[bucket]
        buckets[bucket] = slot
        return slot
    }

    /// Removes the record of a slot.
    mutating func remove(_ slot: UInt32) {
        let bucket = bucket(records[slot].hash)
        let next = records[slot].nextFree
        if buckets[bucket] == slot {
            buckets[bucket] = next
        } else {
            var before = buckets[bucket]
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
        if bucketCount == bucketCapacity {
            bucketCapacity *= 2
            buckets = Self.grown(buckets, to: bucketCapacity)
        }
        let new = bucketCount
        let topBit = 1 << (Int.bitWidth - 1 - new.leadingZeroBitCount)
        let old = new & (topBit - 1)
        var slot = buckets[old]
        bucketCount += 1
        buckets[old] = 0
        buckets[new] = 0
        while slot != 0 {
            let next = records[slot].nextFree
            let target = bucket(records[slot].hash)
            records[slot].nextFree = buckets[target]
            buckets[target] = slot
            slot = next
        }
    }

    private static func grown(
        _ old: UnsafeMutablePointer<UInt32>?, to capacity: Int
    ) -> UnsafeMutablePointer<UInt32> {
        guard let grown = realloc(old, 4 * capacity) else {
            preconditionFailure("no memory for an index of \(capacity) buckets")
        }
        return grown.assumingMemoryBound(to: UInt32.self)
    }
}
