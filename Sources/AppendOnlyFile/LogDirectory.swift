internal import Glibc
internal import Platform

/// Where the segments of a log lie, and which of them make it up.
///
/// Names and manifest are those of Redis 7's append-only files, so that `redis-check-aof` reads them:
/// a line `file <name> seq <n> type i` for each segment.
///
/// Source: redis.io, Documentation > Persistence; checked with redis-check-aof 7.0.15.
public struct LogDirectory: Sendable {
    /// The directory's path; the file's, of a snapshot.
    public let path: String
    private let name: String
    /// Whether it is one file that takes its name when it is whole.
    let isSnapshot: Bool

    /// `dir`/`appenddirname`, with files named after `appendfilename`.
    public init(directory: String, folder: String, name: String) {
        path = directory + "/" + folder
        self.name = name
        isSnapshot = false
    }

    /// A snapshot: a log in one file.
    public init(snapshot path: String) {
        self.path = path
        name = ""
        isSnapshot = true
    }

    /// Bytes after which a segment is full.
    var segmentByteCountMax: Int { isSnapshot ? .max : 64 << 20 }

    /// The manifest's path.
    public var manifestPath: String { "\(path)/\(name).manifest" }

    /// The path of a segment.
    public func segmentPath(_ number: Int) -> String {
        isSnapshot ? path : "\(path)/\(segmentName(number))"
    }

    /// The path of a segment while it is written.
    func writingPath(_ number: Int) -> String {
        isSnapshot ? path + ".temporary" : segmentPath(number)
    }

    /// The path of a segment's copy, until it takes the segment's place.
    var renewedPath: String { isSnapshot ? path + ".again" : "\(path)/\(name).again" }

    private func segmentName(_ number: Int) -> String { "\(name).\(number).incr.aof" }

    /// Whether there is a log.
    public var hasLog: Bool { File.exists(isSnapshot ? path : manifestPath) }

    func make() throws(LogError) {
        if !isSnapshot { try File.makeDirectory(path) }
    }

    /// Finds out whether a log can be written here, and leaves nothing behind but the folder.
    public func probe() throws(LogError) {
        try make()
        let probe = manifestPath + ".probe"
        let file = try File(probe, .create)
        defer { File.remove(probe) }
        try file.write(Array("probe\n".utf8), at: 0)
        try file.synchronize()
    }

    /// The numbers of the segments that make up the log, in their order; none without a manifest.
    public func segments() throws(LogError) -> [Int] {
        guard hasLog else { return [] }
        guard !isSnapshot else { return [1] }
        let file = try File(manifestPath, .read)
        let text = String(decoding: try file.read(try file.size(), at: 0), as: UTF8.self)
        var numbers: [Int] = []
        for (line, content) in text.split(separator: "\n").enumerated()
        where !content.hasPrefix("#") {
            let words = content.split(separator: " ")
            guard words.count == 6, words[0] == "file", words[2] == "seq", words[4] == "type",
                let number = Int(words[3]), words[1] == segmentName(number)
            else { throw refusal(line, "expected 'file \(name).<n>.incr.aof seq <n> type i'") }
            guard words[5] == "i" else {
                throw refusal(line, "a file of type '\(words[5])', which gcs-server does not write")
            }
            guard number > numbers.last ?? 0 else { throw refusal(line, "segments out of order") }
            numbers.append(number)
        }
        guard !numbers.isEmpty else { throw refusal(0, "it names no segment") }
        for number in numbers where !File.exists(segmentPath(number)) {
            throw .missing(path: segmentPath(number))
        }
        return numbers
    }

    private func refusal(_ line: Int, _ reason: String) -> LogError {
        .manifest(path: manifestPath, line: line + 1, reason: reason)
    }

    /// Makes these segments the log.
    func setSegments(_ numbers: [Int]) throws(LogError) {
        guard !isSnapshot else { return try File.move(writingPath(1), to: path) }
        let lines = numbers.map { "file \(segmentName($0)) seq \($0) type i\n" }
        try File.replace(manifestPath, with: lines.joined())
    }

    /// Has there be no log: what was one stays, without its manifest, until another is whole.
    public func setAside() throws(LogError) {
        guard !isSnapshot, hasLog else { return }
        try File.move(manifestPath, to: manifestPath + ".old")
    }

    /// The highest number of any segment there, in the manifest or not; 0 without any.
    func lastNumber() -> Int { numbersThere().max() ?? 0 }

    private func numbersThere() -> [Int] {
        guard !isSnapshot else { return [] }
        return Directory.names(in: path).compactMap { file in
            guard file.hasPrefix(name + "."), file.hasSuffix(".incr.aof") else { return nil }
            return Int(file.dropFirst(name.utf8.count + 1).dropLast(".incr.aof".utf8.count))
        }
    }

    /// Removes segments that are no part of the log.
    func sweep(keeping numbers: [Int]) {
        for number in numbersThere() where !numbers.contains(number) {
            File.remove(segmentPath(number))
        }
    }
}
