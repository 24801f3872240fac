internal import CProcessor
internal import Glibc
public import Identifiers

/// A record's id and kind, in the form the tables compare.
public struct RecordKey: Hashable, Sendable {
    var batch: UInt64
    var unique: UInt64
    var index: UInt32
    /// What the record describes.
    public internal(set) var kind: RecordKind

    /// The key of the record of this kind about `id`.
    @inline(__always)
    public init(_ id: RecordID, _ kind: RecordKind) {
        batch = UInt64(bitPattern: id.batch.rawValue)
        unique = id.unique
        index = id.index
        self.kind = kind
    }

    /// The id that the record is about.
    public var id: RecordID {
        RecordID(batch: BatchID(rawValue: Int64(bitPattern: batch)), unique: unique, index: index)
    }
}

/// Records in memory that is freed as a whole: slabs filled from their start, and an index.
///
/// A batch's region keeps keys without the batch (`narrow`); the estate, which holds records that
/// belong elsewhere than their id says, keeps whole keys and links (`wide`). A reference is
/// slab number << 17 | offset / 8.
///
/// Source of the layout and of the compaction rule: measurements of a prototype, see
/// Documentation/decisions/0004-region-store.md.
struct Region {
    struct Slab {
        /// `nil` while the number is free.
        var base: UnsafeMutableRawPointer?
        /// Bytes filled, once the slab is no longer the current one.
        var usedByteCount: UInt32
        /// Bytes of records that are still referred to.
        var liveByteCount: UInt32
        /// When it was begun, or last left alone by a flush; in ticks of `Memory.clock`.
        var startedAt: UInt32 = 0
        /// Whether its records are on their way to the disk: nothing else empties it.
        var isFlushing = false
    }

    /// What precedes a record too large for a slab, in a mapping of its own.
    struct Large {
        var next: UnsafeMutablePointer<Large>?
        var previous: UnsafeMutablePointer<Large>?
        var mappedByteCount: Int
        var padding = 0
    }

    static let narrowHeaderByteCount = 16
    /// Batch (8), owner's slot and generation (8), links along owner and prefix (16).
    static let wideHeaderByteCount = 48
    /// Slabs that references can name: 32 GiB once a region is large.
    static let slabCountMax: UInt32 = 1 << 15
    /// Larger payloads are mapped one by one.
    static let inlineByteCountMax = 32 << 10

    var index = HashIndex()
    var slabs: UnsafeMutablePointer<Slab>?
    var slabCount: UInt32 = 0
    var slabCapacity: UInt32 = 0
    var current: UInt32 = 0
    var offset: UInt32 = 0
    var limit: UInt32 = 0
    var evacuated = none
    var evacuationOffset: UInt32 = 0
    var large: UnsafeMutablePointer<Large>?
    /// Bytes of all slabs.
    var allocatedByteCount = 0
    /// Bytes of records in slabs, headers included.
    var liveByteCount = 0
    /// Bytes of records outside of slabs.
    var largeByteCount = 0
    var freeNumberCount: UInt32 = 0
    let headerByteCount: UInt32

    init(isWide: Bool) {
        headerByteCount = UInt32(isWide ? Self.wideHeaderByteCount : Self.narrowHeaderByteCount)
    }

    var isWide: Bool { headerByteCount == UInt32(Self.wideHeaderByteCount) }

    /// The number of records.
    var count: Int { Int(index.count) }

    /// Bytes of records, headers included.
    var byteCount: Int { liveByteCount + largeByteCount }

    // MARK: Entries

    @inline(__always)
    func entry(_ reference: UInt32) -> UnsafeMutableRawPointer {
        guard let slabs, let base = slabs[Int(reference >> 17)].base else {
            preconditionFailure("a reference into a slab that is gone")
        }
        return base + Int(reference & 0x1ffff) &* 8
    }

    /// Size in units of 8 bytes (13 bits) | epoch (3) | unused bytes (12) | kind (3) | large (1).
    @inline(__always)
    static func meta(_ entry: UnsafeMutableRawPointer) -> UInt32 {
        entry.load(fromByteOffset: 12, as: UInt32.self)
    }

    @inline(__always)
    static func byteCount(meta: UInt32) -> Int { Int(meta & 0x1fff) &* 8 }

    /// The epoch of the log that told the record last, see `Journal.epoch`; 0 when none did.
    static func epoch(of entry: UnsafeMutableRawPointer) -> UInt8 {
        UInt8(truncatingIfNeeded: meta(entry) >> 13 & 7)
    }

    static func setEpoch(_ epoch: UInt8, of entry: UnsafeMutableRawPointer) {
        entry.storeBytes(
            of: meta(entry) & ~0xe000 | UInt32(epoch) << 13, toByteOffset: 12, as: UInt32.self)
    }

    static func isLarge(meta: UInt32) -> Bool { meta >> 31 == 1 }

    static func kind(of entry: UnsafeMutableRawPointer) -> RecordKind {
        guard let kind = RecordKind(rawValue: UInt8(meta(entry) >> 28 & 7)) else {
            preconditionFailure("a record of no kind")
        }
        return kind
    }

    /// The key of an entry; `home` is the batch of a narrow region.
    func key(of entry: UnsafeMutableRawPointer, home: BatchID = .root) -> RecordKey {
        let batch = isWide ? entry.load(fromByteOffset: 16, as: Int64.self) : home.rawValue
        return RecordKey(
            RecordID(
                batch: BatchID(rawValue: batch), unique: entry.load(as: UInt64.self),
                index: entry.load(fromByteOffset: 8, as: UInt32.self)),
            Self.kind(of: entry))
    }

    /// A record's bytes.
    @inline(__always)
    func payload(of entry: UnsafeMutableRawPointer) -> UnsafeMutableRawBufferPointer {
        let meta = Self.meta(entry)
        let start = entry + Int(headerByteCount)
        if Self.isLarge(meta: meta) {
            return UnsafeMutableRawBufferPointer(
                start: start.load(as: UnsafeMutableRawPointer.self),
                count: start.load(fromByteOffset: 8, as: Int.self))
        }
        return UnsafeMutableRawBufferPointer(
            start: start,
            count: Self.byteCount(meta: meta) &- Int(headerByteCount) &- Int(meta >> 16 & 0xfff))
    }

    @inline(__always)
    func isEntry(_ reference: UInt32, _ key: RecordKey) -> Bool {
        let entry = entry(reference)
        return entry.load(as: UInt64.self) == key.unique
            && entry.load(fromByteOffset: 8, as: UInt32.self) == key.index
            && UInt8(truncatingIfNeeded: Self.meta(entry) >> 28) & 7 == key.kind.rawValue
            && (!isWide || entry.load(fromByteOffset: 16, as: UInt64.self) == key.batch)
    }

    @inline(__always)
    func hash(_ key: RecordKey, _ seeds: HashSeeds) -> UInt64 {
        isWide ? seeds.hash(key) : seeds.hash(unique: key.unique, index: key.index, kind: key.kind)
    }

    func hash(
        ofEntry reference: UInt32, home: BatchID = .root, _ seeds: HashSeeds
    ) -> UInt64 {
        hash(key(of: entry(reference), home: home), seeds)
    }

    // MARK: Reading and writing

    /// The place in the index that refers to the record.
    @inline(__always)
    func find(_ key: RecordKey, _ seeds: HashSeeds) -> UnsafeMutablePointer<UInt32>? {
        index.find(hash(key, seeds)) { isEntry($0, key) }
    }

    /// Asks for the record that a search would look at first; its bucket should have been asked for.
    @inline(__always)
    func prefetchEntry(_ key: RecordKey, _ seeds: HashSeeds) {
        _ = index.find(hash(key, seeds)) { reference in
            gcs_prefetch(entry(reference))
            return true
        }
    }

    /// Adds a record that is not there yet, with `byteCount` bytes to be filled by the caller.
    @inline(__always)
    mutating func insert(_ key: RecordKey, byteCount: Int, _ memory: inout Memory) -> UInt32 {
        let reference = makeEntry(key, byteCount: byteCount, &memory)
        let seeds = memory.seeds
        var grown = index
        grown.insert(hash(key, seeds), reference, &memory.pool) { hash(ofEntry: $0, seeds) }
        index = grown
        return reference
    }

    /// Gives a record another size; its bytes stay as far as they fit, and it may move.
    ///
    /// In place while at least three quarters stay used: otherwise the slack would add up.
    mutating func resize(
        _ place: UnsafeMutablePointer<UInt32>, byteCount: Int, _ memory: inout Memory
    ) -> UInt32 {
        let old = entry(place.pointee)
        let meta = Self.meta(old)
        let capacity = Self.byteCount(meta: meta)
        let wanted = (Int(headerByteCount) + byteCount + 7) & ~7
        if !Self.isLarge(meta: meta), byteCount <= Self.inlineByteCountMax,
            wanted <= capacity, wanted * 4 >= capacity * 3, capacity - wanted < 4088
        {
            let padding = UInt32(capacity - Int(headerByteCount) - byteCount)
            old.storeBytes(
                of: meta & 0xf000_ffff | padding << 16, toByteOffset: 12, as: UInt32.self)
            return place.pointee
        }
        let reference = makeEntry(key(of: old), byteCount: byteCount, &memory)
        let new = entry(reference)
        memcpy(new + 16, old + 16, Int(headerByteCount) - 16)
        let (source, target) = (payload(of: old), payload(of: new))
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: source.prefix(byteCount)))
        retire(place.pointee, &memory)
        place.pointee = reference
        return reference
    }

    /// Removes a record.
    mutating func remove(_ key: RecordKey, _ memory: inout Memory) {
        guard let place = find(key, memory.seeds) else { return }
        let reference = place.pointee
        _ = index.remove(hash(key, memory.seeds)) { $0 == reference }
        retire(reference, &memory)
    }

    @inline(__always)
    mutating func makeEntry(
        _ key: RecordKey, byteCount: Int, _ memory: inout Memory
    ) -> UInt32 {
        let isLarge = byteCount > Self.inlineByteCountMax
        let stored = isLarge ? 16 : byteCount
        let size = (Int(headerByteCount) &+ stored &+ 7) & ~7
        let reference = allocate(size, &memory)
        let entry = entry(reference)
        let padding = UInt32(truncatingIfNeeded: size &- Int(headerByteCount) &- stored)
        entry.storeBytes(of: key.unique, as: UInt64.self)
        entry.storeBytes(of: key.index, toByteOffset: 8, as: UInt32.self)
        entry.storeBytes(
            of: UInt32(truncatingIfNeeded: size >> 3) | padding << 16
                | UInt32(key.kind.rawValue) << 28 | (isLarge ? 1 << 31 : 0),
            toByteOffset: 12, as: UInt32.self)
        if isWide { entry.storeBytes(of: key.batch, toByteOffset: 16, as: UInt64.self) }
        if isLarge { makeLarge(entry + Int(headerByteCount), byteCount, &memory) }
        return reference
    }

    /// Forgets an entry that the index no longer refers to.
    mutating func retire(_ reference: UInt32, _ memory: inout Memory) {
        let entry = entry(reference)
        let meta = Self.meta(entry)
        let size = Self.byteCount(meta: meta)
        if Self.isLarge(meta: meta) { freeLarge((entry + Int(headerByteCount)), &memory) }
        liveByteCount -= size
        slabs?[Int(reference >> 17)].liveByteCount -= UInt32(size)
    }

    mutating func makeLarge(
        _ field: UnsafeMutableRawPointer, _ byteCount: Int, _ memory: inout Memory
    ) {
        let mappedByteCount = byteCount + MemoryLayout<Large>.stride
        let block = mmap(
            nil, mappedByteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let block, block != MAP_FAILED else {
            preconditionFailure("the system has no memory left for a record of \(byteCount) bytes")
        }
        let header = block.bindMemory(to: Large.self, capacity: 1)
        header.initialize(to: Large(next: large, mappedByteCount: mappedByteCount))
        large?.pointee.previous = header
        large = header
        memory.largeByteCount += mappedByteCount
        largeByteCount += byteCount
        field.storeBytes(of: block + MemoryLayout<Large>.stride, as: UnsafeMutableRawPointer.self)
        field.storeBytes(of: byteCount, toByteOffset: 8, as: Int.self)
    }

    mutating func freeLarge(_ field: UnsafeMutableRawPointer, _ memory: inout Memory) {
        let bytes = field.load(as: UnsafeMutableRawPointer.self)
        largeByteCount -= field.load(fromByteOffset: 8, as: Int.self)
        unmapLarge(
            (bytes - MemoryLayout<Large>.stride).assumingMemoryBound(to: Large.self), &memory)
    }

    mutating func unmapLarge(
        _ header: UnsafeMutablePointer<Large>, _ memory: inout Memory
    ) {
        header.pointee.next?.pointee.previous = header.pointee.previous
        if let previous = header.pointee.previous {
            previous.pointee.next = header.pointee.next
        } else {
            large = header.pointee.next
        }
        memory.largeByteCount -= header.pointee.mappedByteCount
        munmap(header, header.pointee.mappedByteCount)
    }
}
