import Foundation
import RESP
import Testing

@testable import AppendOnlyFile

/// What was written is read back; what is damaged is found, and its place told.
@Suite struct LogFileTests {
    /// A folder that goes with the test.
    final class Folder {
        let path: String

        init() throws {
            let url = FileManager.default.temporaryDirectory.appending(
                path: "gcs-log-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
            path = url.path()
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        var directory: LogDirectory { LogDirectory(directory: path, folder: "log", name: "file") }

        func bytes(_ segment: Int) throws -> Data {
            try Data(contentsOf: URL(filePath: directory.segmentPath(segment)))
        }

        func setBytes(_ bytes: Data, _ segment: Int) throws {
            try bytes.write(to: URL(filePath: directory.segmentPath(segment)))
        }
    }

    private static func change(_ number: Int) -> [UInt8] {
        let text = "record \(number)" + String(repeating: "x", count: number % 7)
        return Array(
            "*3\r\n$8\r\nGCS.LOAD\r\n$4\r\nTEST\r\n$\(text.utf8.count)\r\n\(text)\r\n".utf8)
    }

    private static func writer(
        _ directory: LogDirectory, segments: [Int] = [], firstMark: UInt64 = 1
    ) throws -> LogWriter {
        try LogWriter(
            directory, segments: segments, isWhole: true, firstMark: firstMark, sync: .always,
            version: 1)
    }

    /// Writes groups, each on the disk before the next.
    private static func write(_ groups: [[Int]], to writer: LogWriter) {
        for group in groups {
            let position = group.flatMap { change($0) }.withUnsafeBytes { writer.append($0) }
            while writer.status.synced < position { usleep(100) }
        }
    }

    /// The words of all changes, without those of segments.
    private static func read(_ directory: LogDirectory) throws -> [String] {
        var found: [String] = []
        var reader = try LogReader(directory)
        while try reader.read(
            budget: 50,
            { words in
                if words[1].matches("TEST") { found.append(words[2].text) }
                return nil
            })
        {}
        return found
    }

    private static func texts(_ numbers: some Sequence<Int>) -> [String] {
        numbers.map { "record \($0)" + String(repeating: "x", count: $0 % 7) }
    }

    @Test("gives back what was written, over restarts and segments")
    func readsBack() throws {
        let folder = try Folder()
        let first = try Self.writer(folder.directory)
        Self.write([[1, 2], [3]], to: first)
        first.rotate(1)
        Self.write([[4]], to: first)
        #expect(first.close())
        let reader = try LogReader(folder.directory)
        #expect(reader.segments == [1, 2])
        #expect(try Self.read(folder.directory) == Self.texts(1...4))
        let second = try Self.writer(folder.directory, segments: [1, 2], firstMark: 4)
        Self.write([[5, 6]], to: second)
        #expect(second.close())
        #expect(try Self.read(folder.directory) == Self.texts(1...6))
    }

    @Test("begins anew with a segment, and removes those before it")
    func beginsAnew() throws {
        let folder = try Folder()
        let writer = try Self.writer(folder.directory)
        Self.write([[1], [2]], to: writer)
        writer.rotate(7)
        Self.write([[3]], to: writer)
        writer.begin(at: 7)
        Self.write([[4]], to: writer)
        #expect(writer.close())
        #expect(try Self.read(folder.directory) == Self.texts(3...4))
        #expect(!FileManager.default.fileExists(atPath: folder.directory.segmentPath(1)))
    }

    @Test("a segment that cannot be begun for a while leaves nothing behind")
    func beginsLater() throws {
        let folder = try Folder()
        let writer = try Self.writer(folder.directory)
        Self.write([[1]], to: writer)
        // Where the manifest is written before it takes its place.
        let obstacle = folder.directory.manifestPath + ".temporary"
        try FileManager.default.createDirectory(
            atPath: obstacle, withIntermediateDirectories: false)
        writer.rotate(7)
        while writer.status.error.isEmpty { usleep(100) }
        // Time for two more tries.
        usleep(500_000)
        #expect(!writer.status.error.isEmpty)
        try FileManager.default.removeItem(atPath: obstacle)
        Self.write([[2]], to: writer)
        #expect(writer.status.segments == [1, 2])
        #expect(writer.close())
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.directory.path)
        #expect(files.count == 3, "\(files)")
        #expect(try Self.read(folder.directory) == Self.texts(1...2))
    }

    /// What a segment has before what was written ahead.
    private static func content(_ bytes: Data) -> Data {
        var end = bytes.count
        while end > 0, "#\n".utf8.contains(bytes[end - 1]) { end -= 1 }
        return bytes.prefix(end + 1)
    }

    @Test("a group that was written into filling counts when it is whole, wherever it was torn")
    func cutsFilling() throws {
        let folder = try Folder()
        let writer = try Self.writer(folder.directory)
        Self.write([[1, 2], [3]], to: writer)
        let before = try folder.bytes(1)
        Self.write([[4]], to: writer)
        let after = try folder.bytes(1)
        #expect(writer.close())
        let whole = Self.content(after)
        #expect(try folder.bytes(1) == whole)
        let start = Self.content(before).count
        #expect(start < whole.count && whole.count + 100_000 < after.count)
        #expect(before.count == after.count)

        let aside = folder.directory.segmentPath(1) + ".cut"
        try folder.setBytes(after, 1)
        #expect(try Self.read(folder.directory) == Self.texts(1...4))
        #expect(try folder.bytes(1) == whole)
        #expect(!FileManager.default.fileExists(atPath: aside))

        for place in start..<whole.count {
            let missesEnd = after.prefix(place) + before.suffix(from: place)
            let missesStart = before.prefix(place + 1) + after.suffix(from: place + 1)
            for torn in [missesEnd, missesStart] {
                try folder.setBytes(torn, 1)
                // The last line end may lie where the filling has one.
                let last = torn.prefix(whole.count) == whole ? 4 : 3
                #expect(try Self.read(folder.directory) == Self.texts(1...last), "\(place)")
            }
        }
    }

    @Test("is whole lines throughout while it is written")
    func isWholeLines() throws {
        let folder = try Folder()
        let writer = try Self.writer(folder.directory)
        for number in 1...20 {
            Self.write([[number]], to: writer)
            let bytes = try folder.bytes(1)
            let rest = bytes.suffix(from: Self.content(bytes).count)
            #expect(rest.first == UInt8(ascii: "#") && rest.last == UInt8(ascii: "\n"))
            #expect(rest.split(separator: UInt8(ascii: "\n")).allSatisfy { 1...2 ~= $0.count })
        }
        #expect(writer.close())
    }

    @Test("a log that never was whole is none")
    func isNoneBeforeItIsWhole() throws {
        let folder = try Folder()
        let writer = try LogWriter(
            folder.directory, segments: [], isWhole: false, firstMark: 1, sync: .always, version: 1)
        Self.write([[1]], to: writer)
        #expect(!folder.directory.hasLog)
        writer.begin(at: 0)
        #expect(writer.close())
        #expect(try Self.read(folder.directory) == Self.texts([1]))
    }

    @Test("cuts a torn end off at every length, and keeps whole groups")
    func cutsTornEnds() throws {
        let folder = try Folder()
        let writer = try Self.writer(folder.directory)
        Self.write([[1, 2], [3], [4, 5]], to: writer)
        #expect(writer.close())
        let whole = try folder.bytes(1)
        let ends = try Self.groupEnds(folder)
        #expect(ends.count == 3 && ends.last == whole.count)
        let counts = [0, 2, 3, 5]
        for length in 0...whole.count {
            try folder.setBytes(whole.prefix(length), 1)
            let groups = ends.count { $0 <= length }
            let found = try Self.read(folder.directory)
            #expect(found == Self.texts(1..<counts[groups] + 1), "cut after \(length) bytes")
            let cut = length - (groups == 0 ? 0 : ends[groups - 1])
            let aside = folder.directory.segmentPath(1) + ".cut"
            let kept = FileManager.default.contents(atPath: aside)?.count ?? 0
            #expect(kept == cut, "cut after \(length) bytes")
            try? FileManager.default.removeItem(atPath: aside)
        }
    }

    /// Where groups end in the first segment.
    private static func groupEnds(_ folder: Folder) throws -> [Int] {
        var ends: [Int] = []
        var segment = try Segment(folder.directory.segmentPath(1))
        while true {
            switch try segment.next({ _ in }) {
            case .mark: ends.append(segment.markEnd)
            case .change: continue
            case .end: return ends
            }
        }
    }

    @Test("refuses every changed byte before the last group, with its place")
    func refusesDamage() throws {
        let folder = try Folder()
        let writer = try Self.writer(folder.directory)
        Self.write([[1, 2], [3], [4, 5]], to: writer)
        #expect(writer.close())
        let whole = try folder.bytes(1)
        let last = try Self.groupEnds(folder)[1]
        for place in 0..<last {
            var damaged = whole
            damaged[place] ^= 0x15
            try folder.setBytes(damaged, 1)
            #expect(throws: LogError.self, "byte \(place)") {
                _ = try Self.read(folder.directory)
            }
            #expect(try folder.bytes(1) == damaged, "byte \(place)")
        }
    }

    @Test("refuses damage in a segment before the last, and one that is missing")
    func refusesDamagedSegments() throws {
        let folder = try Folder()
        let writer = try Self.writer(folder.directory)
        Self.write([[1, 2]], to: writer)
        writer.rotate(1)
        Self.write([[3]], to: writer)
        #expect(writer.close())
        let whole = try folder.bytes(1)
        try folder.setBytes(whole.dropLast(3), 1)
        #expect(throws: LogError.self) { _ = try Self.read(folder.directory) }
        try FileManager.default.removeItem(atPath: folder.directory.segmentPath(1))
        #expect(throws: LogError.missing(path: folder.directory.segmentPath(1))) {
            _ = try Self.read(folder.directory)
        }
    }

    @Test(
        "refuses a manifest that is none",
        arguments: ["", "file x seq 1 type i\n", "file file.1.incr.aof seq 1 type b\n", "\u{0}"])
    func refusesManifests(text: String) throws {
        let folder = try Folder()
        let writer = try Self.writer(folder.directory)
        #expect(writer.close())
        try text.write(toFile: folder.directory.manifestPath, atomically: true, encoding: .utf8)
        #expect(throws: LogError.self) { _ = try Self.read(folder.directory) }
    }

    @Test("a directory is locked once")
    func locks() throws {
        let folder = try Folder()
        let lock = try DirectoryLock(folder.path)
        _ = withExtendedLifetime(lock) {
            #expect(throws: LogError.locked(path: folder.path)) {
                _ = try DirectoryLock(folder.path)
            }
        }
    }

    @Test("a snapshot takes its name when it is whole")
    func writesSnapshots() throws {
        let folder = try Folder()
        let snapshot = LogDirectory(snapshot: folder.path + "/dump")
        let writer = try LogWriter(
            snapshot, segments: [], isWhole: false, firstMark: 1, sync: .never, version: 1)
        _ = Self.change(1).withUnsafeBytes { writer.append($0) }
        #expect(!snapshot.hasLog)
        writer.begin(at: 0)
        #expect(writer.close())
        #expect(try Self.read(snapshot) == Self.texts([1]))
    }
}
