public import Identifiers

/// Bytes of a file that stay mapped as long as somebody holds them.
public struct MappedBytes: Sendable {
    private var mapping: Mapping?
    private var range = 0..<0

    /// No bytes.
    init() {}

    init(_ mapping: Mapping, _ range: Range<Int>) { (self.mapping, self.range) = (mapping, range) }

    /// How many there are.
    public var count: Int { range.count }

    /// Lends the bytes.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        guard let mapping else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        return body(UnsafeRawBufferPointer(rebasing: mapping.bytes[range]))
    }
}

/// A part of the oldest segment, read by the log's thread: the loop looks at few of its bytes.
public struct OldestPart: Sendable {
    /// What is wanted of it.
    public enum Choice: Sendable {
        /// All changes.
        case all
        /// All but those of records that are where their ids say.
        case others
    }

    /// The change of a record that is where its id says.
    public struct Record: Sendable {
        /// The number that it tells first.
        public var traits: Int
        /// What it is about.
        public var id: RecordID
        /// Where the record lies in the part's bytes.
        public var bytes: Range<Int>
    }

    /// What it consists of.
    public struct Lines: Sendable {
        /// Whole commands, as they are in the file.
        public var bytes = MappedBytes()
        /// Those of records.
        public var records: [Record] = []
        /// Where others lie.
        public private(set) var others: [Range<Int>] = []
        /// Whether the segment ends behind them.
        public var isEnd = false

        mutating func addOther(_ range: Range<Int>) {
            guard !range.isEmpty else { return }
            if let last = others.last, last.upperBound == range.lowerBound {
                others[others.count - 1] = last.lowerBound..<range.upperBound
            } else {
                others.append(range)
            }
        }
    }

    /// The segment.
    public var segment: Int
    /// Its commands.
    public var lines = Lines()
    /// Why it could not be read; empty when it could.
    public var error = ""
}
