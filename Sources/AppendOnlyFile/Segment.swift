internal import CProcessor
internal import Glibc
internal import Identifiers
internal import RESP
internal import Checksums

/// A segment that is read: mapped, and cut into groups by its marks.
struct Segment: ~Copyable {
    let path: String
    private let mapping: Mapping
    private var parser = RequestParser()
    private var limits = RequestParser.Limits()
    /// How far it is read.
    private(set) var offset = 0
    /// Where the present group began, and its checksum up to `summed`.
    private var sum = CRC32C()
    private var summed = 0
    /// Where the last mark ended.
    private(set) var markEnd = 0
    /// The last mark.
    private(set) var mark: LogMark?
    /// Whether the last change of a snapshot was read.
    private(set) var isFinished = false
    /// The number that the next mark must have; 0 before the segment told.
    private(set) var nextMark: UInt64 = 0

    init(_ path: String) throws(LogError) {
        self.path = path
        limits.wordByteCountMax = 1 << 40
        mapping = try File(path, .read).map()
    }

    private var bytes: UnsafeRawBufferPointer { mapping.bytes }

    /// Bytes of the file.
    var count: Int { bytes.count }

    /// What comes next in a segment.
    enum Step {
        /// A change.
        case change
        /// The end of a group whose checksum is right.
        case mark
        /// The end of the file.
        case end
    }

    /// Reads the next command; `body` gets the words of a change.
    ///
    /// - Throws: what is wrong at `offset`.
    mutating func next(_ body: (Words) -> Void) throws(LogError) -> Step {
        guard offset < bytes.count, let base = bytes.baseAddress else { return .end }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
        let parsed: Int?
        do throws(ProtocolError) {
            parsed = try parser.parse(rest.bytes, limits: limits)
        } catch {
            throw damaged("no command: \(error.text)")
        }
        guard let taken = parsed else { throw damaged("a command that is not complete") }
        defer { parser.reset() }
        let words = parser.words(at: (base + offset).assumingMemoryBound(to: UInt8.self))
        guard words.count >= 2, words[0].matches("GCS.LOAD") else {
            let found = words.count > 0 ? words[0].text.prefix(32) : ""
            throw damaged("expected GCS.LOAD, found '\(found)'")
        }
        if words[1].matches("MARK") {
            try checkMark(words, byteCount: taken)
            offset += taken
            (markEnd, summed, sum) = (offset, offset, CRC32C())
            return .mark
        }
        if words[1].matches("SEGMENT"), words.count == 5 {
            nextMark = words[4].integer.map { UInt64($0) } ?? 0
        }
        if words[1].matches("FINISH") { isFinished = true } else { body(words) }
        offset += taken
        return .change
    }

    /// Reads on for about a number of bytes.
    mutating func take(
        _ byteCount: Int, _ choice: OldestPart.Choice = .all
    ) throws(LogError) -> OldestPart.Lines {
        let start = offset
        var lines = OldestPart.Lines()
        while !lines.isEnd, offset - start < byteCount {
            let before = offset
            if let record = record(from: start) {
                if choice == .all { lines.records.append(record) }
                continue
            }
            lines.isEnd = try next({ _ in }) == .end
            lines.addOther(before - start..<offset - start)
        }
        lines.bytes = MappedBytes(mapping, start..<offset)
        return lines
    }

    /// Reads a record's change that is where its id says, without looking for words first: a log consists of
    /// little else.
    ///
    /// - Returns: `nil`, and nothing is read, for any other change.
    private mutating func record(from start: Int) -> OldestPart.Record? {
        let head: StaticString = "*5\r\n$8\r\nGCS.LOAD\r\n$6\r\nRECORD\r\n"
        guard let base = bytes.baseAddress, bytes.count - offset > head.utf8CodeUnitCount,
            memcmp(base + offset, head.utf8Start, head.utf8CodeUnitCount) == 0
        else { return nil }
        var reader = BulkReader(bytes, at: offset + head.utf8CodeUnitCount)
        guard let traits = reader.word().flatMap({ BulkReader.number($0) }), let id = reader.word(),
            id.count == RecordID.byteCount, let idStart = id.baseAddress,
            let payload = reader.word()
        else { return nil }
        // The next ones are likely as long: each would be waited for.
        gcs_prefetch(base + reader.offset + Self.recordsAhead * (reader.offset - offset))
        offset = reader.offset
        let end = reader.offset - 2 - start
        return OldestPart.Record(
            traits: traits, id: RecordID(loading: idStart), bytes: end - payload.count..<end)
    }

    private static let recordsAhead = 4

    private mutating func checkMark(_ words: Words, byteCount: Int) throws(LogError) {
        guard words.count == 5, let number = words[2].integer, let time = words[3].integer,
            let checksum = words[4].integer.flatMap({ UInt32(exactly: $0) })
        else { throw damaged("a mark that is none") }
        sum.update(UnsafeRawBufferPointer(rebasing: bytes[summed..<offset]))
        summed = offset
        let found = LogMark(number: UInt64(number), time: time, checksum: checksum)
        // To the last byte: the checksum covers the group, not the mark.
        guard bytes[offset..<offset + byteCount].elementsEqual(found.bytes) else {
            throw damaged("a mark that is none")
        }
        guard found.isMark(of: sum) else {
            throw damaged("the checksum of the group from byte \(markEnd) on is wrong")
        }
        mark = found
        nextMark = found.number + 1
    }

    private func damaged(_ reason: String) -> LogError {
        .damaged(path: path, offset: offset, reason: reason)
    }

    /// Whether nothing follows a place but what `LogFiles` writes ahead.
    func isFilling(from start: Int) -> Bool {
        bytes[start...].allSatisfy { $0 == UInt8(ascii: "#") || $0 == UInt8(ascii: "\n") }
    }

    /// Whether another group's mark lies behind the place where reading failed: then the file is
    /// damaged in the middle, and not only its end is missing.
    func hasMarks(behind start: Int) -> Bool {
        let pattern = Array("\r\n$8\r\nGCS.LOAD\r\n$4\r\nMARK\r\n$".utf8)
        var place = start
        while let found = find(pattern, from: place) {
            place = found + pattern.count
            // The length of the number, a line's end, the number.
            let words = text(from: place, 64).split(separator: "\r\n", maxSplits: 2)
            guard words.count > 1, let number = UInt64(words[1]) else { continue }
            if number > nextMark { return true }
        }
        return false
    }

    private func text(from start: Int, _ count: Int) -> String {
        let end = min(start + count, bytes.count)
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    private func find(_ pattern: [UInt8], from start: Int) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        var place = start
        while place + pattern.count <= bytes.count {
            let left = bytes.count - place
            guard let first = memchr(base + place, Int32(pattern[0]), left) else { return nil }
            place = base.distance(to: UnsafeRawPointer(first))
            guard place + pattern.count <= bytes.count else { return nil }
            if memcmp(base + place, pattern, pattern.count) == 0 { return place }
            place += 1
        }
        return nil
    }
}
