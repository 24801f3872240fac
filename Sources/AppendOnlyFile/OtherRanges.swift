internal import Checksums

/// Where changes lie in a segment that are told again by reading them, with their checksums.
///
/// Ranges that lie close together are one, with what is between them: each takes memory as long as the segment is there.
struct OtherRanges: Sendable {
    private(set) var ranges: [(bytes: Range<Int>, sum: CRC32C)] = []

    /// Bytes between two that are put together.
    static let gapByteCount = 4096

    /// Adds those of a group.
    ///
    /// - Parameters:
    ///   - others: in the group.
    ///   - start: where the group lies in the file.
    ///   - mark: what follows it.
    mutating func add(
        _ others: ArraySlice<Range<Int>>, of group: UnsafeRawBufferPointer, at start: Int,
        _ mark: [UInt8]
    ) {
        for var range in others {
            let isNext = ranges.last?.bytes.upperBound == start
            if isNext, range.lowerBound < Self.gapByteCount { range = 0..<range.upperBound }
            append(UnsafeRawBufferPointer(rebasing: group[range]), at: start + range.lowerBound)
        }
        guard let last = others.last, group.count - last.upperBound < Self.gapByteCount else {
            return
        }
        append(
            UnsafeRawBufferPointer(rebasing: group[last.upperBound...]), at: start + last.upperBound
        )
        mark.withUnsafeBytes { append($0, at: start + group.count) }
    }

    /// Reads them from a segment's file.
    func read(_ path: String) throws(LogError) -> OldestPart.Lines {
        var lines = OldestPart.Lines()
        lines.isEnd = true
        guard let last = ranges.last else { return lines }
        let mapping = try File(path, .read).map()
        for range in ranges {
            var sum = CRC32C()
            if last.bytes.upperBound <= mapping.bytes.count {
                sum.update(UnsafeRawBufferPointer(rebasing: mapping.bytes[range.bytes]))
            }
            guard sum == range.sum else {
                throw .damaged(
                    path: path, offset: range.bytes.lowerBound,
                    reason: "it is not what was written there")
            }
            lines.addOther(range.bytes)
        }
        lines.bytes = MappedBytes(mapping, 0..<mapping.bytes.count)
        return lines
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer, at start: Int) {
        if let last = ranges.indices.last, ranges[last].bytes.upperBound == start {
            ranges[last].bytes = ranges[last].bytes.lowerBound..<start + bytes.count
            ranges[last].sum.update(bytes)
            return
        }
        var sum = CRC32C()
        sum.update(bytes)
        ranges.append((start..<start + bytes.count, sum))
    }
}
