internal import Glibc
internal import Checksums
internal import Platform

/// The segments being written: the thread's own.
struct LogFiles: ~Copyable, Sendable {
    private let directory: LogDirectory
    private let version: Int
    /// The segments of the log, oldest first; the last is being written.
    private(set) var segments: [Int]
    private var sizes: [Int: Int] = [:]
    /// Bytes of changes that were written before each; 0 for those that were there at the start.
    private var starts: [Int: UInt64] = [:]
    /// Bytes of changes that were written.
    private var writtenByteCount: UInt64 = 0
    /// Where changes lie in each that are told again by reading them; of those that were there at the start it is
    /// not known.
    private var others: [Int: OtherRanges] = [:]
    /// The segments that the owner asked for.
    private var tokens: [UInt64: Int] = [:]
    /// Whether the manifest names the segments: not before the log is whole.
    private var isListed: Bool
    private var file: File?
    /// A segment whose file was begun, and that the manifest could not be told of yet.
    private var begunNumber: Int?
    private var offset = 0
    /// Bytes of the segment that were sent on their way to the disk.
    private var begunByteCount = 0
    /// Where the room that was asked for ends.
    private var reservedEnd = 0
    /// Where the filling ends that was written behind the end; 0 when there is none.
    private var filledEnd = 0
    /// Whether the file took no filling: it is written without.
    private var isUnfillable = false
    private var nextMark: UInt64
    /// The head of a segment, which its first group's checksum covers.
    private var head: [UInt8] = []
    /// Whether something was written since the last sync.
    private(set) var isUnsynced = false
    /// Whether a sync of the segment has failed.
    private var isDoubtful = false
    /// Milliseconds since 1970 before which it is not written again, and why it could not be.
    private var renewal: (notBefore: Int64, failure: LogError)?

    /// Bytes of room that are asked for ahead.
    private static let reserveByteCount = 8 << 20
    /// Bytes that are sent on their way to the disk together, while nobody waits for them: else a sync, which may be
    /// needed at once, would have a second's bytes to write.
    private static let begunTogetherByteCount = 2 << 20
    /// What is written ahead while every group is waited for: a group in its place leaves the file as long as it
    /// was, and where it was, so that a sync writes nothing but the group.
    ///
    /// Lines of comment, which redis-check-aof and servers read over: `#` at even places, a line's end at odd
    /// ones.
    private static let filling = Array(repeatElement(Array("#\n".utf8), count: 128 << 10).joined())

    /// - Parameter isWhole: whether the segments make up a log; if not, `begin(at:)` will tell when.
    init(
        _ directory: LogDirectory, segments: [Int], isWhole: Bool, nextMark: UInt64, version: Int
    ) throws(LogError) {
        self.directory = directory
        self.version = version
        self.segments = segments
        self.nextMark = nextMark
        isListed = isWhole
        try directory.make()
        File.remove(directory.renewedPath)
        for number in segments {
            let file = try File(directory.segmentPath(number), .read)
            sizes[number] = try file.size()
            // A process that crashed may have left its last segment to the system: what follows must
            // not be on the disk without it.
            if number == segments.last { try file.synchronize() }
        }
        try rotate(0)
    }

    /// Bytes of all segments.
    var byteCount: Int { sizes.values.reduce(0, +) }
    /// Bytes of the first one.
    var oldestByteCount: Int { segments.first.flatMap { sizes[$0] } ?? 0 }
    /// Where its changes lie among all that were written.
    var oldestChanges: Range<UInt64> {
        func start(_ number: Int?) -> UInt64 { number.flatMap { starts[$0] } ?? 0 }
        return start(segments.first)..<(segments.count > 1 ? start(segments[1]) : writtenByteCount)
    }

    /// Ends the segment, which is on the disk then, and begins another.
    ///
    /// - Parameter token: what the owner knows it by; `nil` when only the file was full.
    mutating func rotate(_ token: UInt64? = nil) throws(LogError) {
        try finish()
        let number = begunNumber ?? max(directory.lastNumber(), segments.last ?? 0) + 1
        let next = try File(directory.writingPath(number), .create)
        // Tried again, it is the same file: the manifest may name it already.
        begunNumber = number
        if let token { tokens[token] = number }
        if isListed { try directory.setSegments(segments + [number]) }
        begunNumber = nil
        segments.append(number)
        sizes[number] = 0
        starts[number] = writtenByteCount
        others[number] = OtherRanges()
        (offset, begunByteCount, reservedEnd, filledEnd, isUnfillable) = (0, 0, 0, 0, false)
        head = LogMark.segmentHead(version: version, number: number, nextMark: nextMark)
        file = consume next
    }

    private mutating func forget(_ number: Int) {
        (sizes[number], starts[number], others[number]) = (nil, nil, nil)
    }

    /// Where changes lie in a segment that are told again by reading them; `nil` when that is not known.
    func others(of number: Int) -> OtherRanges? { others[number] }

    /// Makes the log begin with a segment, and removes those before it.
    mutating func begin(at token: UInt64) throws(LogError) {
        guard let number = tokens[token] else { return }
        if directory.isSnapshot {
            try LogMark.end.span.bytes.withUnsafeBytes { (end) throws(LogError) in try write(end) }
        }
        try finish()
        let rest = segments.filter { $0 >= number }
        try directory.setSegments(rest)
        isListed = true
        for old in segments where old < number { forget(old) }
        segments = rest
        tokens = [:]
        directory.sweep(keeping: rest)
    }

    /// The path of a segment.
    func path(_ number: Int) -> String { directory.segmentPath(number) }

    /// Removes a segment, if it is the oldest: all behind it is on the disk first.
    mutating func drop(_ dropped: Int) throws(LogError) {
        guard segments.count > 1, segments[0] == dropped else { return }
        try synchronize()
        try directory.setSegments(Array(segments.dropFirst()))
        segments.removeFirst()
        forget(dropped)
        File.remove(directory.segmentPath(dropped))
    }

    /// Writes a group and its mark; after an error nothing of it is in the file.
    ///
    /// - Parameters:
    ///   - others: where changes lie in it that are told again by reading them.
    ///   - isAwaited: whether it is to be on the disk soon.
    mutating func write(
        _ group: UnsafeRawBufferPointer, others ranges: ArraySlice<Range<Int>> = [],
        isAwaited: Bool = false
    ) throws(LogError) {
        if offset >= directory.segmentByteCountMax { try rotate() }
        try makeReady(isAwaited)
        guard let descriptor = file?.descriptor else { return }
        var sum = CRC32C()
        head.withUnsafeBytes { sum.update($0) }
        sum.update(group)
        let mark = LogMark(number: nextMark, time: SystemClock.unixMilliseconds, group: sum).bytes
        let byteCount = head.count + group.count + mark.count
        // What is left of the filling is to begin with a whole line.
        let isWithinLine = offset + byteCount < filledEnd && (offset + byteCount) % 2 == 1
        if !isAwaited { reserve(byteCount) }
        do throws(LogError) {
            try file?.write(head, at: offset)
            try file?.write(group, at: offset + head.count)
            try file?.write(
                isWithinLine ? mark + Self.filling.prefix(1) : mark,
                at: offset + head.count + group.count)
        } catch {
            ftruncate(descriptor, offset)
            (reservedEnd, filledEnd) = (0, 0)
            throw error
        }
        if let last = segments.last {
            others[last]?.add(ranges, of: group, at: offset + head.count, mark)
        }
        offset += byteCount
        writtenByteCount += UInt64(group.count)
        if isAwaited, offset >= filledEnd { fill(descriptor) }
        if offset - begunByteCount >= Self.begunTogetherByteCount {
            file?.beginWriting(from: begunByteCount, byteCount: offset - begunByteCount)
            begunByteCount = offset
        }
        head = []
        nextMark += 1
        if let last = segments.last { sizes[last] = offset }
        isUnsynced = true
    }

    /// Has the group before on the disk before one is begun in filling.
    ///
    /// So after a loss of power at most the last one is not whole, and none is behind it. Filling that is not
    /// wanted any more goes.
    private mutating func makeReady(_ isAwaited: Bool) throws(LogError) {
        guard filledEnd > offset else { return }
        if isAwaited { return try synchronize() }
        try file?.truncate(to: offset)
        filledEnd = 0
    }

    private mutating func fill(_ descriptor: Int32) {
        guard !isUnfillable else { return }
        reservedEnd = 0
        do throws(LogError) {
            let filling = Self.filling
            try file?.write(offset % 2 == 0 ? filling : filling.prefix(1) + filling, at: offset)
            filledEnd = offset + filling.count
        } catch {
            ftruncate(descriptor, offset)
            (filledEnd, isUnfillable) = (0, true)
        }
    }

    private mutating func reserve(_ byteCount: Int) {
        guard offset + byteCount > reservedEnd else { return }
        file?.reserve(from: offset, byteCount: byteCount + Self.reserveByteCount)
        reservedEnd = offset + byteCount + Self.reserveByteCount
    }

    /// Makes all that was written durable.
    ///
    /// When a sync has failed the system may forget that bytes were not written: another one that succeeds
    /// says nothing about them. So the segment is written again, to another file.
    mutating func synchronize() throws(LogError) {
        guard isUnsynced else { return }
        if isDoubtful {
            try renew()
        } else {
            isDoubtful = true
            try file?.synchronize()
        }
        (isDoubtful, isUnsynced) = (false, false)
    }

    /// Has the segment written again at once, if it must be, however short ago that failed.
    mutating func hurry() { renewal = nil }

    private mutating func renew() throws(LogError) {
        if let renewal, SystemClock.unixMilliseconds < renewal.notBefore { throw renewal.failure }
        do throws(LogError) {
            try copySegment()
            renewal = nil
        } catch {
            File.remove(directory.renewedPath)
            renewal = (SystemClock.unixMilliseconds + Self.renewalPause, error)
            throw error
        }
    }

    /// Milliseconds between two tries to write a segment again.
    private static let renewalPause: Int64 = 1000

    /// Puts a file with the same bytes in the place of the segment's.
    private mutating func copySegment() throws(LogError) {
        guard let number = segments.last else { return }
        let path = directory.writingPath(number)
        let copy = try File(directory.renewedPath, .create)
        var copied = 0
        while copied < offset {
            let bytes = try file?.read(min(offset - copied, 1 << 20), at: copied) ?? []
            guard !bytes.isEmpty else { break }
            try copy.write(bytes, at: copied)
            copied += bytes.count
        }
        // What could not be written may be gone from memory, too.
        guard copied == offset, Self.isWhole(directory.renewedPath, offset) else {
            throw .damaged(
                path: path, offset: copied, reason: "a sync that failed lost some of its bytes")
        }
        try copy.synchronize()
        try File.move(directory.renewedPath, to: path)
        file = consume copy
        (reservedEnd, filledEnd) = (0, 0)
    }

    /// Whether a segment's groups are what was written, to its end.
    private static func isWhole(_ path: String, _ byteCount: Int) -> Bool {
        do throws(LogError) {
            var segment = try Segment(path)
            while try segment.next({ _ in }) != .end {}
            return segment.markEnd == byteCount
        } catch {
            return false
        }
    }

    /// Ends the file: durable, and without the room behind its end.
    mutating func finish() throws(LogError) {
        try synchronize()
        if max(reservedEnd, filledEnd) > offset { try file?.truncate(to: offset) }
        (reservedEnd, filledEnd) = (0, 0)
    }
}
