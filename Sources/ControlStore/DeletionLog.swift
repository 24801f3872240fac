public import Identifiers

/// What was deleted: the value behind a notification and a log entry.
public struct Deletion: Sendable {
    /// What it covers.
    public enum Subject: Sendable {
        /// A whole batch, less `kept`, plus `adopted`.
        case batch(
            BatchID, CollectReason, taskCount: Int, objectCount: Int, kept: [RecordID],
            adopted: [RecordID])
        /// Single objects.
        case objects([RecordID])
    }

    /// Its place in the log.
    public var id: LogID
    /// What it covers.
    public var subject: Subject
}

/// The stream `gc:log`: every deletion until all nodes acknowledged it.
///
/// Entries are kept as the RESP array of their fields: a read is a copy. Pages keep growth from moving
/// what is there.
public struct DeletionLog: ~Copyable {
    /// One entry.
    public struct Entry: Sendable {
        /// Its id.
        public let id: LogID
        /// Its fields and values, as a RESP array of bulk strings.
        public let fields: [UInt8]
    }

    private static let pageCount = 512

    private var pages: [[Entry]] = []
    /// Entries of `pages[0]` that are trimmed.
    private var trimmedCount = 0
    /// Entries held.
    public private(set) var count = 0
    /// The newest id ever given.
    public private(set) var lastID = LogID.zero
    /// Entries ever added.
    public private(set) var addedCount = 0
    /// The newest id that was trimmed.
    public private(set) var lastTrimmedID = LogID.zero

    /// Bytes of the fields of all entries.
    public private(set) var byteCount = 0

    init() {}

    /// The oldest entry held.
    public var first: Entry? { count > 0 ? pages[0][trimmedCount] : nil }

    /// The newest entry held.
    public var last: Entry? { count > 0 ? pages.last?.last : nil }

    mutating func nextID(now: Int64) -> LogID {
        let milliseconds = UInt64(max(now, 0))
        return milliseconds > lastID.milliseconds
            ? LogID(milliseconds: milliseconds, sequence: 0) : lastID.next
    }

    mutating func append(_ entry: Entry) {
        if pages.isEmpty || pages[pages.count - 1].count == Self.pageCount {
            var page: [Entry] = []
            page.reserveCapacity(Self.pageCount)
            pages.append(page)
        }
        pages[pages.count - 1].append(entry)
        count += 1
        addedCount += 1
        byteCount += entry.fields.count
        lastID = entry.id
    }

    /// Raises what is told of the past.
    mutating func load(lastID: LogID, lastTrimmedID: LogID, addedCount: Int) {
        self.lastID = max(self.lastID, lastID)
        self.lastTrimmedID = max(self.lastTrimmedID, lastTrimmedID)
        self.addedCount = max(self.addedCount, addedCount)
    }

    /// Takes back an entry that is newer than all held.
    mutating func load(_ entry: Entry) {
        let (last, added) = (lastID, addedCount)
        append(entry)
        lastID = max(last, entry.id)
        addedCount = max(added, count)
    }

    /// Forgets the oldest entries: those up to `acknowledged`, and more while above `countMax`.
    mutating func trim(upTo acknowledged: LogID, countMax: Int, budget: Int) -> Bool {
        for _ in 0..<budget {
            guard let first, first.id <= acknowledged || count > countMax else { return false }
            lastTrimmedID = first.id
            byteCount -= first.fields.count
            trimmedCount += 1
            count -= 1
            guard trimmedCount == pages[0].count else { continue }
            pages.removeFirst()
            trimmedCount = 0
        }
        return true
    }

    /// A log without entries; ids go on from the last.
    func emptied() -> DeletionLog {
        var log = DeletionLog()
        log.lastID = lastID
        return log
    }

    /// Frees some entries of a log that is used no more; whether there were any.
    mutating func dropPage() -> Bool { pages.popLast() != nil }

    /// The position of the first entry at or after `id`, counted from the oldest one.
    public func position(of id: LogID) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The entry at a position, counted from the oldest one.
    public subscript(position: Int) -> Entry {
        precondition(position < count, "an entry beyond the log")
        // Every page but the last is full, and only the first is trimmed.
        let number = position + trimmedCount
        return pages[number / Self.pageCount][number % Self.pageCount]
    }
}
