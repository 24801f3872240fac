internal import PlasmaProtocol

extension StoreService {
    /// What the memory is used for.
    var usage: StoreUsage {
        var usage = StoreUsage()
        usage.capacity = Int64(store.capacity)
        usage.usedByteCount = Int64(store.usedByteCount)
        usage.pinnedCount = Int64(store.uses.pinnedCount)
        usage.pinnedByteCount = Int64(store.uses.pinnedByteCount)
        usage.consumedByteCount = Int64(store.uses.consumedByteCount)
        usage.evictedCount = Int64(store.evictedCount)
        usage.takenByteCount = Int64(store.arena.takenByteCount)
        usage.secondaryByteCount = Int64(store.secondaryByteCount)
        usage.evictedByteCount = Int64(store.uses.evictedByteCount)
        usage.idleMilliseconds = Int64(store.idleMilliseconds)
        usage.fallbackByteCount = Int64(store.arena.fallbackByteCount)
        return usage
    }

    /// The store's state, one line per fact.
    public var debugString: String {
        """
        \(StoreExtension.identity)
        capacity \(store.capacity) bytes
        used \(store.usedByteCount) bytes
        evictable \(store.evictableByteCount) bytes
        objects \(store.objectCount)
        sealed \(store.sealedCount)
        pinned \(store.uses.pinnedCount) of \(store.uses.pinnedByteCount) bytes
        consumed \(store.uses.consumedByteCount) bytes
        secondary \(store.secondaryByteCount) bytes
        evicted \(store.evictedCount) of \(store.uses.evictedByteCount) bytes
        unused for \(store.idleMilliseconds) ms
        clients \(sessionCount)
        segments \(store.arena.segmentCount) of \(store.arena.byteCount) bytes together
        taken \(store.arena.takenByteCount) bytes
        """ + statisticsLines + (turnLine.map { "\n" + $0() } ?? "") + processLines
    }

    /// Processes named in the debug string at most: those that use the most bytes.
    private static let processLineCountMax = 100

    /// A line for each process that uses objects.
    private var processLines: String {
        var uses: [Int32: (count: Int, byteCount: Int)] = [:]
        for session in sessions {
            guard let session else { continue }
            let links = store.sessions[Int(session.number)]
            guard links.useCount > 0 else { continue }
            uses[session.processID, default: (0, 0)].count += links.useCount
            uses[session.processID, default: (0, 0)].byteCount += links.usedByteCount
        }
        let largest = uses.sorted { ($0.value.byteCount, $0.key) > ($1.value.byteCount, $1.key) }
        return largest.prefix(Self.processLineCountMax).map { process, use in
            "\nprocess \(process) uses \(use.count) of \(use.byteCount) bytes"
        }.joined()
    }
}
