internal import Checksums

/// The command that ends a group of changes: `GCS.LOAD MARK <number> <unix-ms> <checksum>`.
///
/// The checksum is CRC-32C of all bytes behind the mark before (or from the segment's start), and of
/// number and time in decimal digits. RESP has no checksums, and a group counts only when its mark does.
struct LogMark: Equatable {
    var number: UInt64
    /// Milliseconds since 1970.
    var time: Int64
    var checksum: UInt32

    init(number: UInt64, time: Int64, checksum: UInt32) {
        self.number = number
        self.time = time
        self.checksum = checksum
    }

    /// The mark of a group.
    init(number: UInt64, time: Int64, group: CRC32C) {
        self.number = number
        self.time = time
        checksum = Self.sum(group, number, time)
    }

    /// Whether it is the mark of a group.
    func isMark(of group: CRC32C) -> Bool { Self.sum(group, number, time) == checksum }

    private static func sum(_ group: CRC32C, _ number: UInt64, _ time: Int64) -> UInt32 {
        var sum = group
        Array("\(number) \(time)".utf8).withUnsafeBytes { sum.update($0) }
        return sum.value
    }

    /// The command.
    var bytes: [UInt8] { Self.command(["MARK", "\(number)", "\(time)", "\(checksum)"]) }

    /// What a segment begins with.
    ///
    /// - Parameter nextMark: the number of its first mark.
    static func segmentHead(version: Int, number: Int, nextMark: UInt64) -> [UInt8] {
        command(["SEGMENT", "\(version)", "\(number)", "\(nextMark)"])
    }

    /// The last change of a snapshot: one without it is not whole.
    static var end: [UInt8] { command(["FINISH"]) }

    private static func command(_ words: [String]) -> [UInt8] {
        var text = "*\(words.count + 1)\r\n$8\r\nGCS.LOAD\r\n"
        for word in words { text += "$\(word.utf8.count)\r\n\(word)\r\n" }
        return Array(text.utf8)
    }
}
