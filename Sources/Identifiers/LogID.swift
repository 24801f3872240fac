/// The id of an entry of the deletion log: the server's time, and a number, as in a Redis stream.
public struct LogID: Comparable, Hashable, Sendable {
    /// Milliseconds since 1970, by the server's clock.
    public var milliseconds: UInt64
    /// Tells entries of one millisecond apart.
    public var sequence: UInt64

    /// An id from its parts.
    @inlinable
    public init(milliseconds: UInt64, sequence: UInt64) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    /// Before every entry.
    public static let zero = LogID(milliseconds: 0, sequence: 0)
    /// After every entry.
    public static let max = LogID(milliseconds: .max, sequence: .max)

    /// Orders by time, then by number.
    @inlinable
    public static func < (left: LogID, right: LogID) -> Bool {
        (left.milliseconds, left.sequence) < (right.milliseconds, right.sequence)
    }

    /// The smallest id above this one.
    public var next: LogID {
        sequence == .max
            ? LogID(milliseconds: milliseconds &+ 1, sequence: 0)
            : LogID(milliseconds: milliseconds, sequence: sequence + 1)
    }

    /// Reads `<milliseconds>-<sequence>`; with a sequence for a part that is missing, also `<milliseconds>`.
    public init?(_ text: String, sequence missing: UInt64? = nil) {
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard let milliseconds = UInt64(parts[0]) else { return nil }
        guard let sequence = parts.count == 2 ? UInt64(parts[1]) : missing else { return nil }
        self.init(milliseconds: milliseconds, sequence: sequence)
    }
}

extension LogID: CustomStringConvertible {
    /// `<milliseconds>-<sequence>`.
    public var description: String { "\(milliseconds)-\(sequence)" }
}
