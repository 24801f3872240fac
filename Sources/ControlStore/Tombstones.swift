internal import Identifiers

/// Ended batches, remembered for a while so that late writes are refused: 16 bytes and an index entry.
struct Tombstones: ~Copyable {
    private struct Stone {
        var batch: BatchID
        /// Milliseconds since 1970.
        var endedAt: Int64
    }

    private static let pageCount = 4096

    private var index = HashIndex()
    /// Pages of stones in the order of their ends; the front one may be partly expired.
    private var pages: [UnsafeMutablePointer<Stone>] = []
    /// The number of the first stone of `pages[0]`.
    private var firstNumber: UInt32 = 0
    /// Stones at the front of `pages[0]` that are expired.
    private var expiredCount = 0
    /// Stones in the last page.
    private var lastCount = 0

    /// Batches remembered.
    var count: Int { Int(index.count) }

    deinit {
        for page in pages { page.deallocate() }
    }

    private func stone(_ number: UInt32) -> UnsafeMutablePointer<Stone> {
        let position = Int(number &- firstNumber)
        return pages[position / Self.pageCount] + position % Self.pageCount
    }

    func contains(_ batch: BatchID, _ seeds: HashSeeds) -> Bool {
        guard count > 0 else { return false }
        return index.find(seeds.hash(UInt64(bitPattern: batch.rawValue))) {
            stone($0).pointee.batch == batch
        } != nil
    }

    mutating func insert(_ batch: BatchID, endedAt: Int64, _ memory: inout Memory) {
        if pages.isEmpty || lastCount == Self.pageCount {
            pages.append(.allocate(capacity: Self.pageCount))
            lastCount = 0
        }
        let number = firstNumber &+ UInt32((pages.count - 1) * Self.pageCount + lastCount)
        pages[pages.count - 1].advanced(by: lastCount)
            .initialize(to: Stone(batch: batch, endedAt: endedAt))
        lastCount += 1
        let seeds = memory.seeds
        var grown = index
        grown.insert(seeds.hash(UInt64(bitPattern: batch.rawValue)), number, &memory.pool) {
            seeds.hash(UInt64(bitPattern: stone($0).pointee.batch.rawValue))
        }
        index = grown
    }

    /// Forgets one batch before its time.
    mutating func remove(_ batch: BatchID, _ seeds: HashSeeds) {
        guard count > 0 else { return }
        var edited = index
        _ = edited.remove(seeds.hash(UInt64(bitPattern: batch.rawValue))) {
            stone($0).pointee.batch == batch
        }
        index = edited
    }

    /// Visits up to `budget` batches remembered, oldest first.
    ///
    /// - Parameter cursor: 0 at first.
    /// - Returns: the next cursor; 0 at the end.
    func visit(from cursor: UInt64, budget: Int, _ visit: (BatchID, Int64) -> Void) -> UInt64 {
        guard !pages.isEmpty else { return 0 }
        let start = UInt64(firstNumber) + UInt64(expiredCount)
        let end = UInt64(firstNumber) + UInt64((pages.count - 1) * Self.pageCount + lastCount)
        // A cursor is one more than a number, so that none is 0.
        let first = max(start, cursor == 0 ? 0 : cursor - 1)
        let last = min(first + UInt64(budget), end)
        for number in first..<max(first, last) {
            let stone = stone(UInt32(truncatingIfNeeded: number)).pointee
            visit(stone.batch, stone.endedAt)
        }
        return last < end ? last + 1 : 0
    }

    /// Forgets up to `budget` batches that ended before `time`; whether more of them wait.
    mutating func expire(before time: Int64, budget: Int, _ seeds: HashSeeds) -> Bool {
        for _ in 0..<budget {
            guard let page = pages.first else { return false }
            let filled = pages.count == 1 ? lastCount : Self.pageCount
            if expiredCount == filled {
                guard pages.count > 1 else { return false }
                page.deallocate()
                pages.removeFirst()
                firstNumber &+= UInt32(Self.pageCount)
                expiredCount = 0
                continue
            }
            let stone = page[expiredCount]
            guard stone.endedAt < time else { return false }
            let number = firstNumber &+ UInt32(expiredCount)
            var edited = index
            _ = edited.remove(seeds.hash(UInt64(bitPattern: stone.batch.rawValue))) { $0 == number }
            index = edited
            expiredCount += 1
        }
        return true
    }
}
