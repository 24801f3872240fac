/// What the store holds and has done, at one moment.
public struct StoreStatistics: Equatable, Sendable {
    /// Bytes of objects that fit.
    public var capacity = 0
    /// Bytes of objects in memory, those in the fallback file not counted.
    public var usedByteCount = 0
    /// Bytes of objects in memory that nobody uses.
    public var evictableByteCount = 0
    /// Objects, wherever they are.
    public var objectCount = 0
    /// Objects that can be read, wherever they are.
    public var sealedCount = 0
    /// Objects removed from memory to make room, since the start.
    public var evictedCount = 0
    /// Their bytes.
    public var evictedByteCount = 0
    /// Objects that only the external store holds now.
    public var externalCount = 0
    /// Their bytes.
    public var externalByteCount = 0
    /// Bytes written to the external store, since the start.
    public var externalWrittenByteCount = 0
    /// Objects brought back from the external store, since the start.
    public var restoredCount = 0
    /// Their bytes.
    public var restoredByteCount = 0
    /// Times that the external store could not be written or read, since the start.
    public var externalFailureCount = 0
    /// Bytes of objects in the fallback file.
    public var fallbackByteCount = 0
    /// Bytes that fit there.
    public var fallbackByteCountMax = 0
    /// Objects put into the fallback file, since the start.
    public var fallbackCount = 0
    /// Milliseconds since the last use of the object that would be evicted first.
    public var oldestAgeMilliseconds: Int64 = 0
    /// Clients with a quota.
    public var quotaCount = 0
    /// Bytes of their quotas.
    public var quotaByteCount = 0
    /// Open connections.
    public var clientCount = 0
}
