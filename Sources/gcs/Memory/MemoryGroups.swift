internal import Identifiers

/// Rows in groups, each in order; with a limit, only its first rows are kept.
struct MemoryGroups {
    /// References of one type in a group.
    struct Tally {
        var count = 0
        var byteCount: Int64 = 0
        var unknownCount = 0
    }

    /// Rows that belong together.
    struct Group {
        var rows: [MemoryRow] = []
        var count = 0
        var tallies: [UInt32: Tally] = [:]
        /// Bytes of its objects, each counted once.
        var byteCount: Int64 = 0
        var unknownCount = 0
        /// Hashes of its objects: 16 bytes for each, where ids would take 48.
        fileprivate var objects: Set<Int> = []
    }

    /// Rows kept at most, 80 bytes each; more are counted and not shown.
    static let rowCountMax = 4_000_000

    private let options: MemoryOptions
    private(set) var groups: [UInt32: Group] = [:]
    private(set) var rowCount = 0
    private(set) var keptCount = 0

    init(_ options: MemoryOptions) { self.options = options }

    /// Whether rows were left out because there are too many.
    var isCut: Bool { options.numEntries == nil && rowCount > keptCount }

    mutating func add(_ row: MemoryRow, _ texts: Interned) {
        let key = options.unreferenced ? 0 : options.groupBy == .node ? row.node : row.site
        // An object may come twice when the server's index grows meanwhile.
        if options.unreferenced, groups[key]?.objects.contains(row.object.hashValue) == true {
            return
        }
        rowCount += 1
        groups[key, default: Group()].count(row)
        guard options.numEntries != nil || keptCount < Self.rowCountMax else { return }
        groups[key]?.rows.append(row)
        keptCount += 1
        guard let limit = options.numEntries, let count = groups[key]?.rows.count,
            count >= 2 * limit + 1000
        else { return }
        cut(key, to: limit, texts)
    }

    /// Puts every group in order, and cuts it to what is to be shown.
    mutating func finish(_ texts: Interned) {
        for key in groups.keys { cut(key, to: options.numEntries ?? .max, texts) }
    }

    private mutating func cut(_ key: UInt32, to limit: Int, _ texts: Interned) {
        guard var rows = groups[key]?.rows else { return }
        groups[key]?.rows = []
        keptCount -= rows.count
        let isDescending = options.desc
        rows.sort { isDescending ? precedes($1, $0, texts) : precedes($0, $1, texts) }
        if rows.count > limit { rows.removeLast(rows.count - limit) }
        keptCount += rows.count
        groups[key]?.rows = rows
    }

    private func precedes(_ one: MemoryRow, _ two: MemoryRow, _ texts: Interned) -> Bool {
        switch options.sortBy {
        case .size: if one.size != two.size { return one.size < two.size }
        case .process: if one.process != two.process { return one.process < two.process }
        case .type: if one.type != two.type { return texts[one.type] < texts[two.type] }
        }
        if one.process != two.process { return one.process < two.process }
        if one.object.batch != two.object.batch {
            return one.object.batch.rawValue < two.object.batch.rawValue
        }
        return (one.object.unique, one.object.index) < (two.object.unique, two.object.index)
    }
}

extension MemoryGroups.Group {
    fileprivate mutating func count(_ row: MemoryRow) {
        count += 1
        tallies[row.type, default: MemoryGroups.Tally()].add(row.knownSize)
        guard objects.insert(row.object.hashValue).inserted else { return }
        if let size = row.knownSize { byteCount += size } else { unknownCount += 1 }
    }
}

extension MemoryGroups.Tally {
    fileprivate mutating func add(_ size: Int64?) {
        count += 1
        if let size { byteCount += size } else { unknownCount += 1 }
    }
}
