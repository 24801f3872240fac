/// What a store is made of; the limits of its clients are apart, in `StoreLimits`.
public struct StoreConfiguration: Sendable {
    /// Bytes of objects that fit, data and metadata counted as asked for.
    public var capacity: Int
    /// Where object files lie; `nil` for anonymous memory.
    public var directory: String?
    /// Bytes of a huge page of the file system that `directory` is on; `nil` for ordinary pages.
    public var hugePageByteCount: Int?
    /// Where evicted objects are kept; `nil` to drop them.
    public var externalDirectory: String?
    /// Where the file lies that takes objects when the arena is full.
    public var fallbackDirectory = "/tmp"
    /// Bytes of objects in that file; 0 for none: a full store refuses then, as Arrow's does.
    public var fallbackByteCountMax = 0

    /// A store in memory, without anything that is optional.
    public init(capacity: Int) { self.capacity = capacity }
}
