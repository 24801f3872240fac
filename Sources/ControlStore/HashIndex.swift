internal import CProcessor
internal import Glibc

/// A set of 32-bit references found by hash: extendible hashing over segments of 4 KiB.
///
/// A segment has 64 buckets of one cache line: 12 one-byte tags, an overflow count, and 12 references.
/// Small indexes are one segment of 1 to 32 buckets. Growing splits one segment at a time, so that no
/// insertion moves more than 640 references. What a reference means, and whether it is the one looked
/// for, the caller knows: hashes of references are asked for when a segment splits.
struct HashIndex {
    static let slotsPerBucket = 12
    static let bucketsPerSegment = 64
    static let segmentByteCount = 4096
    private static let bucketByteCount = 64

    /// The only segment while `depth` is 0, else the directory of 2^depth segments.
    private var root: UnsafeMutableRawPointer?
    /// References held.
    private(set) var count: UInt32 = 0
    private var depth: UInt8 = 0
    /// Buckets of the only segment, as a power of two; 6 from the first split on.
    private var bucketShift: UInt8 = 0

    init() {}

    @inline(__always)
    private var bucketMask: Int { (1 << Int(bucketShift)) &- 1 }

    @inline(__always)
    private func segment(of hash: UInt64) -> UnsafeMutableRawPointer? {
        guard depth > 0, let root else { return root }
        let directory = root.assumingMemoryBound(to: UnsafeMutableRawPointer.self)
        return directory[Int(truncatingIfNeeded: hash >> (64 &- UInt64(depth)))]
    }

    /// Neither 0, which marks an empty slot, nor 1, which `matches` may take an empty slot for.
    @inline(__always)
    private static func tag(of hash: UInt64) -> UInt8 {
        let tag = UInt8(truncatingIfNeeded: hash)
        return tag < 2 ? tag | 2 : tag
    }

    @inline(__always)
    private static func home(of hash: UInt64, _ mask: Int) -> Int {
        Int(truncatingIfNeeded: hash >> 8) & mask
    }

    /// Bytes of `word` that equal `tag`: their top bits.
    ///
    /// May also mark a byte above a true match that differs from `tag` in the lowest bit only.
    @inline(__always)
    private static func matches(_ word: UInt64, _ tag: UInt8) -> UInt64 {
        let difference = word ^ (UInt64(tag) &* 0x0101_0101_0101_0101)
        return (difference &- 0x0101_0101_0101_0101) & ~difference & 0x8080_8080_8080_8080
    }

    /// Bytes of `word` that are zero, exactly.
    @inline(__always)
    private static func zeros(_ word: UInt64) -> UInt64 {
        let low = (word & 0x7f7f_7f7f_7f7f_7f7f) &+ 0x7f7f_7f7f_7f7f_7f7f
        return ~(low | word | 0x7f7f_7f7f_7f7f_7f7f)
    }

    /// The place of the reference with this hash that `isMatch` accepts.
    @inline(__always)
    func find(_ hash: UInt64, isMatch: (UInt32) -> Bool) -> UnsafeMutablePointer<UInt32>? {
        guard let segment = segment(of: hash) else { return nil }
        let mask = bucketMask
        let tag = Self.tag(of: hash)
        var bucketIndex = Self.home(of: hash, mask)
        var left = mask
        while true {
            let bucket = segment + bucketIndex &* Self.bucketByteCount
            let references = (bucket + 16).assumingMemoryBound(to: UInt32.self)
            var found = Self.matches(bucket.load(as: UInt64.self), tag)
            while found != 0 {
                let slot = found.trailingZeroBitCount >> 3
                if isMatch(references[slot]) { return references + slot }
                found &= found &- 1
            }
            found =
                Self.matches(UInt64(bucket.load(fromByteOffset: 8, as: UInt32.self)), tag)
                & 0x8080_8080
            while found != 0 {
                let slot = 8 &+ found.trailingZeroBitCount >> 3
                if isMatch(references[slot]) { return references + slot }
                found &= found &- 1
            }
            guard bucket.load(fromByteOffset: 12, as: UInt8.self) != 0, left > 0 else { return nil }
            left &-= 1
            bucketIndex = (bucketIndex &+ 1) & mask
        }
    }

    /// Asks for the bucket where the search for a hash begins.
    @inline(__always)
    func prefetch(_ hash: UInt64) {
        guard let segment = segment(of: hash) else { return }
        gcs_prefetch(segment + Self.home(of: hash, bucketMask) &* Self.bucketByteCount)
    }

    /// Adds a reference that is not held yet.
    @inline(__always)
    mutating func insert(
        _ hash: UInt64, _ reference: UInt32, _ pool: inout Pool, hashOf: (UInt32) -> UInt64
    ) {
        while true {
            if let segment = segment(of: hash) {
                let limit = bucketShift == 0 ? Self.slotsPerBucket : (bucketMask &+ 1) &* 10
                if Self.referenceCount(segment) < limit {
                    Self.place(segment, bucketMask, hash, reference)
                    count &+= 1
                    return
                }
            }
            grow(hash, &pool, hashOf: hashOf)
        }
    }

    /// Removes the reference with this hash that `isMatch` accepts; whether there was one.
    mutating func remove(_ hash: UInt64, isMatch: (UInt32) -> Bool) -> Bool {
        guard let place = find(hash, isMatch: isMatch), let segment = segment(of: hash) else {
            return false
        }
        let offset = UnsafeMutableRawPointer(place) - segment
        let bucketIndex = offset / Self.bucketByteCount
        let slot = (offset % Self.bucketByteCount - 16) / 4
        segment.storeBytes(
            of: 0, toByteOffset: bucketIndex * Self.bucketByteCount + slot, as: UInt8.self)
        Self.setReferenceCount(segment, Self.referenceCount(segment) - 1)
        count -= 1
        // Every full bucket that was passed over on the way counts one overflow less; a count that
        // reached its maximum is no longer exact and stays.
        var passed = Self.home(of: hash, bucketMask)
        while passed != bucketIndex {
            let overflow = segment + passed * Self.bucketByteCount + 12
            let value = overflow.load(as: UInt8.self)
            if value < 255 { overflow.storeBytes(of: value - 1, as: UInt8.self) }
            passed = (passed + 1) & bucketMask
        }
        return true
    }

    private static func referenceCount(_ segment: UnsafeMutableRawPointer) -> Int {
        Int(segment.load(fromByteOffset: 14, as: UInt16.self))
    }

    private static func setReferenceCount(_ segment: UnsafeMutableRawPointer, _ count: Int) {
        segment.storeBytes(of: UInt16(truncatingIfNeeded: count), toByteOffset: 14, as: UInt16.self)
    }

    private static func depth(_ segment: UnsafeMutableRawPointer) -> Int {
        Int(segment.load(fromByteOffset: 13, as: UInt8.self))
    }

    private static func setDepth(_ segment: UnsafeMutableRawPointer, _ depth: Int) {
        segment.storeBytes(of: UInt8(truncatingIfNeeded: depth), toByteOffset: 13, as: UInt8.self)
    }

    /// Writes a reference into a segment that has room.
    @inline(__always)
    private static func place(
        _ segment: UnsafeMutableRawPointer, _ mask: Int, _ hash: UInt64, _ reference: UInt32
    ) {
        var bucketIndex = home(of: hash, mask)
        while true {
            let bucket = segment + bucketIndex &* bucketByteCount
            let low = zeros(bucket.load(as: UInt64.self))
            let high = zeros(
                UInt64(bucket.load(fromByteOffset: 8, as: UInt32.self)) | 0xffff_ffff_0000_0000)
            if low | high != 0 {
                let slot =
                    low != 0 ? low.trailingZeroBitCount >> 3 : 8 &+ high.trailingZeroBitCount >> 3
                bucket.storeBytes(of: tag(of: hash), toByteOffset: slot, as: UInt8.self)
                bucket.storeBytes(of: reference, toByteOffset: 16 &+ slot &* 4, as: UInt32.self)
                setReferenceCount(segment, referenceCount(segment) &+ 1)
                return
            }
            let overflow = bucket.load(fromByteOffset: 12, as: UInt8.self)
            if overflow < 255 {
                bucket.storeBytes(of: overflow &+ 1, toByteOffset: 12, as: UInt8.self)
            }
            bucketIndex = (bucketIndex &+ 1) & mask
        }
    }
}

extension HashIndex {
    @inline(never)
    private mutating func grow(_ hash: UInt64, _ pool: inout Pool, hashOf: (UInt32) -> UInt64) {
        guard let root else {
            self.root = Self.emptySegment(Self.bucketByteCount, &pool)
            return
        }
        if depth == 0, bucketShift < 6 {
            let larger = Self.emptySegment(Self.bucketByteCount << (Int(bucketShift) + 1), &pool)
            let mask = bucketMask * 2 + 1
            Self.forEach(in: root, bucketMask + 1) { Self.place(larger, mask, hashOf($0), $0) }
            pool.give(root)
            self.root = larger
            bucketShift += 1
            return
        }
        split(hash, &pool, hashOf: hashOf)
    }

    private static func emptySegment(
        _ byteCount: Int, _ pool: inout Pool
    ) -> UnsafeMutableRawPointer {
        let segment = pool.take(byteCount)
        memset(segment, 0, byteCount)
        return segment
    }

    private static func forEach(
        in segment: UnsafeMutableRawPointer, _ bucketCount: Int, _ body: (UInt32) -> Void
    ) {
        for bucketIndex in 0..<bucketCount {
            let bucket = segment + bucketIndex * bucketByteCount
            for slot in 0..<slotsPerBucket
            where bucket.load(fromByteOffset: slot, as: UInt8.self) != 0 {
                body(bucket.load(fromByteOffset: 16 + slot * 4, as: UInt32.self))
            }
        }
    }

    /// Moves the upper half of a full segment's hashes to a new one.
    private mutating func split(_ hash: UInt64, _ pool: inout Pool, hashOf: (UInt32) -> UInt64) {
        guard let full = segment(of: hash) else { return }
        let localDepth = depth == 0 ? 0 : Self.depth(full)
        precondition(localDepth < 32, "an index of more than 2^32 segments")
        if localDepth == Int(depth) { doubleDirectory() }
        let upper = Self.emptySegment(Self.segmentByteCount, &pool)
        let mask = Self.bucketsPerSegment - 1
        withUnsafeTemporaryAllocation(of: (UInt64, UInt32).self, capacity: 1024) { held in
            // What is referred to is far away: asked for together, it comes together.
            var count = 0
            Self.forEach(in: full, Self.bucketsPerSegment) { reference in
                held.initializeElement(at: count, to: (hashOf(reference), reference))
                count &+= 1
            }
            memset(full, 0, Self.segmentByteCount)
            for position in 0..<count {
                let (hash, reference) = held[position]
                let isUpper = hash >> UInt64(63 - localDepth) & 1 == 1
                Self.place(isUpper ? upper : full, mask, hash, reference)
            }
        }
        Self.setDepth(full, localDepth + 1)
        Self.setDepth(upper, localDepth + 1)
        guard let directory = root?.assumingMemoryBound(to: UnsafeMutableRawPointer.self) else {
            return
        }
        let span = 1 << (Int(depth) - localDepth)
        let position = Int(truncatingIfNeeded: hash >> (64 - UInt64(depth)))
        let first = position & ~(span - 1)
        for entry in first + span / 2..<first + span { directory[entry] = upper }
    }

    /// 8 bytes for each segment are copied: 64 KiB for 5 million references.
    private mutating func doubleDirectory() {
        guard let root else { return }
        let old = 1 << Int(depth)
        let larger = UnsafeMutablePointer<UnsafeMutableRawPointer>.allocate(capacity: old * 2)
        if depth == 0 {
            larger.initialize(repeating: root, count: 2)
        } else {
            let directory = root.assumingMemoryBound(to: UnsafeMutableRawPointer.self)
            for entry in 0..<old {
                (larger + 2 * entry).initialize(repeating: directory[entry], count: 2)
            }
            directory.deallocate()
        }
        self.root = UnsafeMutableRawPointer(larger)
        depth += 1
    }
}

extension HashIndex {
    /// Visits the references of the segment that holds the hashes from `position` on.
    ///
    /// Positions are the upper 32 bits of hashes. A reference held during a whole walk from 0 to the end
    /// is visited at least once, whatever is inserted or removed meanwhile.
    ///
    /// - Returns: the position after the segment; 2^32 at the end.
    func walk(from position: UInt64, _ body: (UInt32) -> Void) -> UInt64 {
        guard let segment = segment(of: position << 32) else { return 1 << 32 }
        let bucketCount = bucketMask + 1
        Self.forEach(in: segment, bucketCount, body)
        let localDepth = depth == 0 ? 0 : Self.depth(segment)
        return (position >> UInt64(32 - localDepth) + 1) << UInt64(32 - localDepth)
    }

    /// Gives the only segment back when nothing is held.
    mutating func releaseIfEmpty(_ pool: inout Pool) {
        guard count == 0, depth == 0, let root else { return }
        pool.give(root)
        self = HashIndex()
    }

    /// Frees segments while `budget` lasts (1 for each, 16 when a chunk is unmapped), those of the upper hashes last; `position` is 0 at first.
    ///
    /// - Returns: whether everything is freed; the index is then empty.
    mutating func drop(_ position: inout UInt64, budget: inout Int, _ pool: inout Pool) -> Bool {
        guard let root else { return true }
        guard depth > 0 else {
            pool.give(root)
            self = HashIndex()
            return true
        }
        while position < 1 << 32 {
            guard budget > 0 else { return false }
            guard let segment = segment(of: position << 32) else { return true }
            let localDepth = Self.depth(segment)
            position = (position >> UInt64(32 - localDepth) + 1) << UInt64(32 - localDepth)
            let chunkCount = pool.chunkCount
            pool.give(segment)
            // Unmapping a chunk takes as long as giving back many segments.
            budget -= pool.chunkCount < chunkCount ? 16 : 1
        }
        root.assumingMemoryBound(to: UnsafeMutableRawPointer.self).deallocate()
        self = HashIndex()
        return true
    }
}
