/// What every table draws on: blocks of memory, and the secret that spreads its keys.
struct Memory: ~Copyable {
    var pool = Pool()
    let seeds: HashSeeds
    /// Bytes of records too large for a slab, mapped one by one.
    var largeByteCount = 0
    /// Bytes of all slabs.
    var slabByteCount = 0
    /// The time in units of 64 ms; it wraps.
    var clock: UInt32 = 0

    init(seeds: HashSeeds) { self.seeds = seeds }
}

/// Keys of the hash function, random for each process: nobody can choose ids that collide.
public struct HashSeeds: Sendable {
    let first: UInt64
    let second: UInt64
    let third: UInt64

    /// Seeds from a source of random numbers.
    public init(from generator: inout some RandomNumberGenerator) {
        first = generator.next() | 1
        second = generator.next() | 1
        third = generator.next() | 1
    }

    /// The hash of a record's key within its batch.
    @inline(__always)
    func hash(unique: UInt64, index: UInt32, kind: RecordKind) -> UInt64 {
        let product = (unique ^ first).multipliedFullWidth(
            by: (UInt64(index) | UInt64(kind.rawValue) << 32) ^ second)
        return (product.high ^ product.low) &* 0x9e37_79b9_7f4a_7c15
    }

    /// The hash of a whole number.
    @inline(__always)
    func hash(_ value: UInt64) -> UInt64 {
        let product = (value ^ third).multipliedFullWidth(by: first ^ 0xe703_7ed1_a0b4_28db)
        return (product.high ^ product.low) &* 0x9e37_79b9_7f4a_7c15
    }

    /// The hash of a record's whole key.
    @inline(__always)
    func hash(_ key: RecordKey) -> UInt64 {
        hash(hash(unique: key.unique, index: key.index, kind: key.kind) ^ key.batch)
    }
}

/// What a record describes.
public enum RecordKind: UInt8, Sendable {
    /// A task: its specification and state.
    case task = 1
    /// An object: its size and where its copies are.
    case object = 2
    /// An actor: what is known from its tasks.
    case actor = 3
    /// Which batches need an object: kept with the others, and never told.
    case need = 4
}
