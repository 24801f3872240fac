import Foundation
import Testing

@testable import AppendOnlyFile

/// What is to be told again of the oldest segment is read, and nothing else is.
@Suite struct OldestPartTests {
    private static func change(_ number: Int) -> [UInt8] {
        let text = "other \(number)" + String(repeating: "y", count: number % 5 * 700)
        return Array(
            "*3\r\n$8\r\nGCS.LOAD\r\n$4\r\nTEST\r\n$\(text.utf8.count)\r\n\(text)\r\n".utf8)
    }

    private static func record(_ number: Int) -> [UInt8] {
        let id = [UInt8](repeating: UInt8(number % 256), count: 20)
        let bytes = [UInt8](repeating: 0x78, count: number % 9 * 300)
        return Array("*5\r\n$8\r\nGCS.LOAD\r\n$6\r\nRECORD\r\n$2\r\n17\r\n$20\r\n".utf8) + id
            + Array("\r\n$\(bytes.count)\r\n".utf8) + bytes + Array("\r\n".utf8)
    }

    /// Writes groups of records and others, and ends the segment; the others that it told.
    private static func write(to writer: LogWriter) -> [UInt8] {
        var told: [UInt8] = []
        for group in 0..<200 {
            var bytes: [UInt8] = []
            var others: [Range<Int>] = []
            for number in 0..<group % 6 {
                if (group + number) % 3 == 0 {
                    let change = change(group * 10 + number)
                    others.append(bytes.count..<bytes.count + change.count)
                    bytes += change
                    told += change
                } else {
                    bytes += record(group + number)
                }
            }
            let position = bytes.withUnsafeBytes { writer.append($0, others: others) }
            if group % 7 == 0 { while writer.status.written < position { usleep(100) } }
        }
        writer.endSegment()
        let last = record(1).withUnsafeBytes { writer.append($0) }
        while writer.status.synced < last { usleep(100) }
        return told
    }

    private static func read(_ writer: LogWriter, _ choice: OldestPart.Choice) -> [OldestPart] {
        var parts: [OldestPart] = []
        repeat {
            writer.readOldest(choice)
            var found: OldestPart?
            while found == nil {
                usleep(100)
                found = writer.takeOldest()
            }
            if let found { parts.append(found) }
        } while parts.last.map { !$0.lines.isEnd && $0.error.isEmpty } ?? false
        return parts
    }

    /// The changes among a part's others that are none of records.
    private static func others(_ parts: [OldestPart]) -> [UInt8] {
        var found: [UInt8] = []
        for part in parts {
            part.lines.bytes.withBytes { bytes in
                for range in part.lines.others {
                    let text = String(decoding: bytes[range], as: UTF8.self)
                    for line in text.components(
                        separatedBy: "*3\r\n$8\r\nGCS.LOAD\r\n$4\r\nTEST\r\n"
                    ).dropFirst() {
                        let count = Int(line.dropFirst().prefix { $0 != "\r\n" }) ?? 0
                        let body = line.drop { $0 != "\r\n" }.dropFirst().prefix(count)
                        found += Array(
                            "*3\r\n$8\r\nGCS.LOAD\r\n$4\r\nTEST\r\n$\(count)\r\n\(body)\r\n".utf8)
                    }
                }
            }
        }
        return found
    }

    @Test("all changes but records' are read, from places known or not")
    func readsOthers() throws {
        let folder = try LogFileTests.Folder()
        let writer = try LogWriter(
            folder.directory, segments: [], isWhole: true, firstMark: 1, sync: .always, version: 1)
        let told = Self.write(to: writer)
        let segments = writer.status.segments
        #expect(segments.count == 2)
        let changes = writer.status.oldestChanges
        #expect(
            changes.lowerBound == 0
                && changes.upperBound == writer.status.written - UInt64(Self.record(1).count))
        let known = Self.read(writer, .others)
        #expect(known.count == 1 && known[0].lines.records.isEmpty && known[0].error.isEmpty)
        #expect(Self.others(known) == told)
        #expect(Self.read(writer, .all).contains { !$0.lines.records.isEmpty })
        #expect(writer.close())
        // After a start it is not known where they lie.
        let next = try LogWriter(
            folder.directory, segments: segments, isWhole: true, firstMark: 1000, sync: .always,
            version: 1)
        let unknown = Self.read(next, .others)
        #expect(unknown.allSatisfy { $0.lines.records.isEmpty && $0.error.isEmpty })
        #expect(Self.others(unknown) == told)
        #expect(next.close())
    }

    @Test("a changed byte of them is found")
    func findsDamage() throws {
        let folder = try LogFileTests.Folder()
        let writer = try LogWriter(
            folder.directory, segments: [], isWhole: true, firstMark: 1, sync: .always, version: 1)
        let told = Self.write(to: writer)
        let number = try #require(writer.status.segments.first)
        var bytes = try folder.bytes(number)
        let place = try #require(bytes.firstRange(of: Data(told.prefix(60))))
        bytes[place.upperBound - 5] ^= 1
        try folder.setBytes(bytes, number)
        let parts = Self.read(writer, .others)
        #expect(parts.count == 1 && parts[0].error.contains("it is not what was written there"))
        _ = writer.close()
    }
}
