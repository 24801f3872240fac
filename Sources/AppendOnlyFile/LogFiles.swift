internal import Glibc
internal import Checksums

/// The segments being written: the thread's own.
struct LogFiles: ~Copyable, Sendable {
    private let directory: LogDirectory
    private let version: Int
    /// The segments of the log, oldest first; the last is being written.
    private(set) var segments: [Int]
    private var sizes: [Int: Int] = [:]
    /// The segments that the owner asked for.
    private var tokens: [UInt64: Int] = [:]
    /// Whether the manifest names the segments: not before the log is whole.
    private var isListed: Bool
    private var file: File?
    /// A segment whose file was begun, and that the manifest could not be told of yet.
    private var begunNumber: Int?
    private var offset = 0
    /// Where the room that was asked for ends.
    private var reservedEnd = 0
    private var nextMark: UInt64
    /// The head of a segment, which its first group's checksum covers.
    private var head: [UInt8] = []
    /// Whether something was written since the last sync.
    private(set) var isUnsynced = false

    /// Bytes of room that are asked for ahead.
    private static let reserveByteCount = 8 << 20

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
        (offset, reservedEnd) = (0, 0)
        head = LogMark.segmentHead(version: version, number: number, nextMark: nextMark)
        file = consume next
    }

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
        for old in segments where old < number { sizes[old] = nil }
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
        sizes[dropped] = nil
        File.remove(directory.segmentPath(dropped))
    }

    /// Writes a group and its mark; after an error nothing of it is in the file.
    mutating func write(_ group: UnsafeRawBufferPointer) throws(LogError) {
        if offset >= directory.segmentByteCountMax { try rotate() }
        guard let descriptor = file?.descriptor else { return }
        var sum = CRC32C()
        head.withUnsafeBytes { sum.update($0) }
        sum.update(group)
        let mark = LogMark(number: nextMark, time: Self.unixMilliseconds, group: sum).bytes
        let byteCount = head.count + group.count + mark.count
        reserve(byteCount)
        do throws(LogError) {
            try file?.write(head, at: offset)
            try file?.write(group, at: offset + head.count)
            try file?.write(mark, at: offset + head.count + group.count)
        } catch {
            ftruncate(descriptor, offset)
            reservedEnd = 0
            throw error
        }
        offset += byteCount
        head = []
        nextMark += 1
        if let last = segments.last { sizes[last] = offset }
        isUnsynced = true
    }

    private mutating func reserve(_ byteCount: Int) {
        guard offset + byteCount > reservedEnd else { return }
        file?.reserve(from: offset, byteCount: byteCount + Self.reserveByteCount)
        reservedEnd = offset + byteCount + Self.reserveByteCount
    }

    /// Makes all that was written durable.
    mutating func synchronize() throws(LogError) {
        guard isUnsynced else { return }
        try file?.synchronize()
        isUnsynced = false
    }

    /// Ends the file: durable, and without the room behind its end.
    mutating func finish() throws(LogError) {
        try synchronize()
        if reservedEnd > offset { try file?.truncate(to: offset) }
        reservedEnd = 0
    }

    static var unixMilliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
