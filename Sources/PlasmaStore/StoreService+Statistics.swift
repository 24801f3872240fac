extension StoreService {
    /// What the store holds and has done.
    public var statistics: StoreStatistics {
        var statistics = StoreStatistics()
        statistics.capacity = store.capacity
        statistics.usedByteCount = store.usedByteCount
        statistics.evictableByteCount = store.evictableByteCount
        statistics.objectCount = store.objectCount
        statistics.sealedCount = store.sealedCount
        statistics.evictedCount = store.evictedCount
        statistics.evictedByteCount = store.uses.evictedByteCount
        if let external = store.external {
            statistics.externalCount = external.objectCount
            statistics.externalByteCount = external.byteCount
            statistics.externalWrittenByteCount = external.writtenByteCount
            statistics.restoredCount = external.restoredCount
            statistics.restoredByteCount = external.restoredByteCount
            statistics.externalFailureCount = external.failureCount
        }
        statistics.fallbackByteCount = store.arena.fallbackByteCount
        statistics.fallbackByteCountMax = store.arena.fallbackByteCountMax
        statistics.fallbackCount = store.fallbackCount
        statistics.oldestAgeMilliseconds = Int64(store.idleMilliseconds)
        statistics.quotaCount = store.quotaCount
        statistics.quotaByteCount = store.capacity - store.accounts[Account.shared].capacity
        statistics.clientCount = sessionCount
        return statistics
    }

    /// Lines of the debug string about what other stores do not have.
    var statisticsLines: String {
        let now = statistics
        return """

            external \(now.externalCount) of \(now.externalByteCount) bytes
            external written \(now.externalWrittenByteCount) bytes, \(now.externalFailureCount) failures
            restored \(now.restoredCount) of \(now.restoredByteCount) bytes
            fallback \(now.fallbackByteCount) of \(now.fallbackByteCountMax) bytes, \(now.fallbackCount) objects since the start
            quotas \(now.quotaCount) of \(now.quotaByteCount) bytes
            """
    }
}
