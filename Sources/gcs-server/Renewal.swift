internal import AppendOnlyFile
internal import Commands
internal import ControlStore

/// What a part of an old segment tells of, on its way to be told again where it is still there.
struct Renewal {
    let part: OldestPart
    private var recordCount = 0
    private var otherCount = 0
    /// How far the present one of the others is looked at.
    private var offset = 0

    /// Bytes of a record's change that are not its own, about.
    private static let changeByteCount = 80

    init(of part: OldestPart) { self.part = part }

    /// Looks at the next commands.
    ///
    /// - Parameter budget: bytes of commands after which it ends.
    /// - Returns: whether it has looked at all.
    mutating func step(_ store: inout ControlStore, budget: Int) -> Bool {
        var left = budget
        let lines = part.lines
        lines.bytes.withBytes { bytes in
            while left > 0, recordCount < lines.records.count {
                left -= renewRecords(&store, lines.records, bytes)
            }
            while left > 0, otherCount < lines.others.count {
                left -= renewOthers(&store, lines.others[otherCount], bytes, budget: left)
            }
        }
        return recordCount == lines.records.count && otherCount == lines.others.count
    }

    /// Looks at records together; the bytes that tell of them.
    private mutating func renewRecords(
        _ store: inout ControlStore, _ records: [OldestPart.Record], _ bytes: UnsafeRawBufferPointer
    ) -> Int {
        let end = min(recordCount + ControlStore.renewedTogetherCount, records.count)
        var told: [ToldRecord] = []
        told.reserveCapacity(end - recordCount)
        var byteCount = 0
        for record in records[recordCount..<end] {
            byteCount += record.bytes.count + Self.changeByteCount
            // A line that is not understood would not have been loaded: it tells of nothing.
            guard let traits = UInt8(exactly: record.traits).flatMap(RecordTraits.init(rawValue:))
            else { continue }
            let payload = UnsafeRawBufferPointer(rebasing: bytes[record.bytes])
            told.append(ToldRecord(record.id, traits, payload))
        }
        store.renew(told)
        recordCount = end
        return byteCount
    }

    /// Looks at other commands that lie together; the bytes of those.
    private mutating func renewOthers(
        _ store: inout ControlStore, _ range: Range<Int>, _ bytes: UnsafeRawBufferPointer,
        budget: Int
    ) -> Int {
        let commands = UnsafeRawBufferPointer(rebasing: bytes[range])
        let start = offset
        offset = Change.renew(
            commands, from: start, budget: budget, of: part.segment, in: &store)
        let byteCount = max(offset - start, 1)
        // What cannot be parsed was checked by its mark: nothing is behind it.
        if offset == commands.count || offset == start {
            otherCount += 1
            offset = 0
        }
        return byteCount
    }
}
