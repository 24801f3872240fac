/// A batch: a job, a request, an experiment; what memory ends with.
///
/// `0` is the root, which always exists. Written as a decimal number.
public struct BatchID: Hashable, Sendable, Comparable, BitwiseCopyable {
    /// The first eight bytes of an id of the batch, read big-endian.
    public var rawValue: Int64

    /// A batch by its number.
    @inlinable @inline(__always)
    public init(rawValue: Int64) { self.rawValue = rawValue }

    /// The batch that always exists and never ends.
    public static let root = BatchID(rawValue: 0)

    /// Orders by number.
    @inlinable
    public static func < (left: BatchID, right: BatchID) -> Bool { left.rawValue < right.rawValue }
}

extension BatchID: CustomStringConvertible {
    /// The number, in decimal.
    public var description: String { String(rawValue) }
}
