internal import CProcessor
internal import Glibc

/// Tells which keys were certainly never flushed: a Bloom filter that grows by levels.
///
/// A key sets 7 bits of one cache line. Levels of up to 1 MiB have 20 bits for each key, larger ones
/// 14; the next is twice as large (small ones four times). The keys of all levels together are taken
/// for another's in about one case of a hundred.
struct FlushFilter {
    private struct Level {
        var bits: UnsafeMutablePointer<UInt64>
        /// A bit for each page that was written to; `nil` for a small level.
        ///
        /// Others are not read: a page that is read before it is written to has to be mapped anew then,
        /// which interrupts all processors.
        var touched: UnsafeMutablePointer<UInt64>?
        /// Lines of 512 bits.
        var lineCount: Int
        var count: Int
        var capacity: Int
    }

    private static let bitsPerKey = 7
    private static let firstLineCount = 1
    private static let levelByteCountOfDenser = 1 << 20
    /// Of levels that grow by doubling, these have three quarters of the keys and more.
    private static let lateLevelCount = 2
    private static let levelByteCountOfSmall = 64 << 10

    private var levels: UnsafeMutablePointer<Level>?
    private var levelCount = 0

    /// Keys added.
    private(set) var count = 0
    /// Bytes of all levels.
    private(set) var byteCount = 0

    /// Adds a key by its hash.
    mutating func insert(_ hash: UInt64) {
        if levelCount == 0 || last.count >= last.capacity { grow() }
        guard let levels else { return }
        let level = levels + (levelCount - 1)
        let line = Self.touchedLine(of: hash, level.pointee)
        var rest = Self.spread(hash)
        for _ in 0..<Self.bitsPerKey {
            line[Int(rest >> 6 & 7)] |= 1 << (rest & 63)
            rest >>= 9
        }
        level.pointee.count += 1
        count += 1
    }

    /// Whether a key may have been added.
    func mayContain(_ hash: UInt64) -> Bool { mayContain(hash, levelsLeft: levelCount) }

    /// The same for the last levels only, which have most keys: enough for not adding a key again and again.
    func mayContainOfLate(_ hash: UInt64) -> Bool {
        mayContain(hash, levelsLeft: min(levelCount, Self.lateLevelCount))
    }

    /// Asks for the lines that `mayContainOfLate` and `insert` look at.
    func prefetch(_ hash: UInt64) {
        guard let levels else { return }
        for position in max(0, levelCount - Self.lateLevelCount)..<levelCount {
            let number = Int(hash.multipliedFullWidth(by: UInt64(levels[position].lineCount)).high)
            gcs_prefetch(levels[position].bits + number * 8)
        }
    }

    private func mayContain(_ hash: UInt64, levelsLeft: Int) -> Bool {
        guard let levels else { return false }
        var position = levelCount
        while position > levelCount - levelsLeft {
            position -= 1
            guard let line = Self.line(of: hash, levels[position]) else { continue }
            var rest = Self.spread(hash)
            var left = Self.bitsPerKey
            while left > 0, line[Int(rest >> 6 & 7)] >> (rest & 63) & 1 == 1 {
                rest >>= 9
                left -= 1
            }
            if left == 0 { return true }
        }
        return false
    }

    /// Gives the memory back.
    mutating func release() {
        guard let levels else { return }
        for position in 0..<levelCount {
            free(levels[position].bits)
            levels[position].touched?.deallocate()
        }
        levels.deallocate()
        self = FlushFilter()
    }

    private var last: Level {
        guard let levels else { preconditionFailure("a filter without a level") }
        return levels[levelCount - 1]
    }

    private mutating func grow() {
        var lineCount = Self.firstLineCount
        if levelCount > 0 { lineCount = last.lineCount * (last.lineCount < 128 ? 4 : 2) }
        let size = lineCount * 64
        // Memory of large levels is zero pages of the system, touched as keys come.
        guard let block = calloc(lineCount, 64) else {
            preconditionFailure("the system has no memory left for a filter of \(size) bytes")
        }
        let bitsPerKey = size <= Self.levelByteCountOfDenser ? 20 : 14
        let table = UnsafeMutablePointer<Level>.allocate(capacity: levelCount + 1)
        if let levels {
            table.update(from: levels, count: levelCount)
            levels.deallocate()
        }
        table[levelCount] = Level(
            bits: block.bindMemory(to: UInt64.self, capacity: lineCount * 8),
            touched: size > Self.levelByteCountOfSmall ? Self.noPages(lineCount) : nil,
            lineCount: lineCount, count: 0, capacity: size * 8 / bitsPerKey)
        levels = table
        levelCount += 1
        byteCount += size
    }

    /// The line of a key; `nil` when nothing near it was written.
    private static func line(of hash: UInt64, _ level: Level) -> UnsafeMutablePointer<UInt64>? {
        let number = Int(hash.multipliedFullWidth(by: UInt64(level.lineCount)).high)
        let page = number / linesPerPage
        if let touched = level.touched, touched[page >> 6] >> UInt64(page & 63) & 1 == 0 {
            return nil
        }
        return level.bits + number * 8
    }

    private static func noPages(_ lineCount: Int) -> UnsafeMutablePointer<UInt64> {
        let wordCount = lineCount / (linesPerPage * 64) + 1
        let pages = UnsafeMutablePointer<UInt64>.allocate(capacity: wordCount)
        pages.initialize(repeating: 0, count: wordCount)
        return pages
    }

    private static func touchedLine(
        of hash: UInt64, _ level: Level
    ) -> UnsafeMutablePointer<UInt64> {
        let number = Int(hash.multipliedFullWidth(by: UInt64(level.lineCount)).high)
        let line = level.bits + number * 8
        let page = number / linesPerPage
        guard let touched = level.touched, touched[page >> 6] >> UInt64(page & 63) & 1 == 0 else {
            return line
        }
        touched[page >> 6] |= 1 << UInt64(page & 63)
        // Lines of one number lie on two pages of the system when the block does not begin with one.
        let last = min((page + 1) * linesPerPage, level.lineCount) * 8 - 1
        level.bits[page * linesPerPage * 8] = 0
        level.bits[last] = 0
        return line
    }

    /// Lines that a bit of `touched` stands for: a page of 4 KB.
    private static let linesPerPage = 64

    private static func spread(_ hash: UInt64) -> UInt64 {
        let mixed = (hash ^ hash >> 32) &* 0xd6e8_feb8_6659_fd93
        return mixed ^ mixed >> 29
    }
}
