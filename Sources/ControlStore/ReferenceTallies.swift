/// References of one type, counted.
public struct ReferenceTally: BitwiseCopyable, Equatable, Sendable {
    /// How many.
    public var count: UInt32 = 0
    /// Those of which nobody told the bytes.
    public var unsizedCount: UInt32 = 0
    /// Bytes of the others, as they were told.
    public var byteCount: UInt64 = 0
}

/// References counted by type: kept up to date, so that nobody walks to count them.
public struct ReferenceTallies: BitwiseCopyable, Sendable {
    private var tallies = InlineArray<5, ReferenceTally>(repeating: ReferenceTally())

    /// Those of one type.
    public subscript(type: ReferenceType) -> ReferenceTally { tallies[Int(type.rawValue) - 1] }

    /// Of all types.
    public var count: Int {
        ReferenceType.allCases.reduce(0) { $0 + Int(self[$1].count) }
    }

    /// Counts a reference more.
    mutating func add(_ type: ReferenceType, _ size: UInt64?) {
        let position = Int(type.rawValue) - 1
        tallies[position].count += 1
        if let size {
            tallies[position].byteCount += size
        } else {
            tallies[position].unsizedCount += 1
        }
    }

    /// Counts a reference less.
    mutating func subtract(_ type: ReferenceType, _ size: UInt64?) {
        let position = Int(type.rawValue) - 1
        tallies[position].count -= 1
        if let size {
            tallies[position].byteCount -= size
        } else {
            tallies[position].unsizedCount -= 1
        }
    }

    /// Counts others more.
    mutating func add(_ others: ReferenceTallies) {
        for position in tallies.indices {
            tallies[position].count += others.tallies[position].count
            tallies[position].unsizedCount += others.tallies[position].unsizedCount
            tallies[position].byteCount += others.tallies[position].byteCount
        }
    }

    /// Counts others less.
    mutating func subtract(_ others: ReferenceTallies) {
        for position in tallies.indices {
            tallies[position].count -= others.tallies[position].count
            tallies[position].unsizedCount -= others.tallies[position].unsizedCount
            tallies[position].byteCount -= others.tallies[position].byteCount
        }
    }
}
