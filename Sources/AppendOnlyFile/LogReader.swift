public import RESP

/// Reads a log from its first segment to its end.
///
/// The end of the last segment may be missing: a group without its mark is cut off. Anything else that
/// is wrong is an error with its place.
public struct LogReader: ~Copyable {
    /// The segments that make up the log.
    public let segments: [Int]
    /// Bytes of all segments.
    public let byteCount: Int
    /// Bytes read.
    public private(set) var readByteCount = 0
    /// Commands read.
    public private(set) var changeCount = 0
    /// The number of the next mark.
    public private(set) var nextMark: UInt64 = 1
    /// Bytes that were cut off the end, and the file that has them now.
    public let cut: (byteCount: Int, path: String)?

    private let directory: LogDirectory
    private var position = 0
    private var segment: Segment?

    /// Opens a log; cuts off what is not whole at its end.
    public init(_ directory: LogDirectory) throws(LogError) {
        let segments = try directory.segments()
        // A snapshot takes its name when it is whole: nothing of it may be missing.
        let last = directory.isSnapshot ? nil : segments.last
        let cut = try last.flatMap { (number) throws(LogError) in
            try Self.checkEnd(of: directory.segmentPath(number))
        }
        var byteCount = 0
        for number in segments {
            byteCount += try File(directory.segmentPath(number), .read).size()
        }
        directory.sweep(keeping: segments)
        self.directory = directory
        self.segments = segments
        self.byteCount = byteCount
        self.cut = cut
    }

    /// What had to be cut off the end of a segment.
    private static func checkEnd(
        of path: String
    ) throws(LogError) -> (byteCount: Int, path: String)? {
        var last = try Segment(path)
        do throws(LogError) {
            while try last.next({ _ in }) != .end {}
        } catch {
            let end = last.markEnd
            if last.isFilling(from: end) {
                try truncate(path, to: end)
                return nil
            }
            guard !last.hasMarks(behind: end) else { throw error }
            return try cut(path, from: end, last.count)
        }
        guard last.markEnd < last.count else { return nil }
        return try cut(path, from: last.markEnd, last.count)
    }

    /// Keeps what is cut off beside the segment: nothing is lost by a wrong guess.
    private static func cut(
        _ path: String, from end: Int, _ count: Int
    ) throws(LogError) -> (byteCount: Int, path: String) {
        let file = try File(path, .read)
        let bytes = try file.read(count - end, at: end)
        let aside = path + ".cut"
        let copy = try File(aside, .create)
        try copy.write(bytes, at: 0)
        try copy.synchronize()
        try truncate(path, to: end)
        return (count - end, aside)
    }

    private static func truncate(_ path: String, to end: Int) throws(LogError) {
        let file = try File(path, .append)
        try file.truncate(to: end)
        try file.synchronize()
    }

    /// Reads about `budget` bytes.
    ///
    /// - Parameter apply: takes a change, its words from `GCS.LOAD` on; returns why it is refused.
    /// - Returns: whether there is more.
    public mutating func read(
        budget: Int, _ apply: (Words) -> String?
    ) throws(LogError) -> Bool {
        let end = readByteCount + budget
        while readByteCount < end {
            guard position < segments.count else { return false }
            if segment == nil {
                segment = try Segment(directory.segmentPath(segments[position]))
            }
            try readOne(apply)
        }
        return true
    }

    private mutating func readOne(_ apply: (Words) -> String?) throws(LogError) {
        guard let start = segment?.offset else { return }
        var refusal: String?
        let step = try segment?.next { refusal = apply($0) }
        if let refusal, let path = segment?.path {
            throw .damaged(path: path, offset: start, reason: refusal)
        }
        readByteCount += (segment?.offset ?? start) - start
        switch step {
        case .change: changeCount += 1
        case .mark: try follow()
        case .end, nil: try endSegment()
        }
    }

    /// Marks count up: a segment that is missing in the middle shows.
    private mutating func follow() throws(LogError) {
        guard let mark = segment?.mark, let path = segment?.path else { return }
        guard changeCount == 0 || nextMark == 1 || mark.number == nextMark else {
            throw .damaged(
                path: path, offset: segment?.markEnd ?? 0,
                reason: "group \(mark.number) follows group \(nextMark - 1)")
        }
        nextMark = mark.number + 1
    }

    private mutating func endSegment() throws(LogError) {
        if let markEnd = segment?.markEnd, let count = segment?.count, markEnd < count,
            let path = segment?.path
        {
            throw .damaged(
                path: path, offset: markEnd, reason: "\(count - markEnd) bytes without a mark")
        }
        if directory.isSnapshot, let path = segment?.path, segment?.isFinished == false {
            throw .damaged(
                path: path, offset: segment?.count ?? 0,
                reason: "the end of the snapshot is missing")
        }
        segment = nil
        position += 1
    }
}
