import Foundation
import Glibc
import Identifiers
import Testing

@testable import Checksums
@testable import SpillFiles

/// A directory that goes with its owner.
private final class Scratch {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "gcs-\(UUID())").path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func session(capacityMax: Double = 1) throws(SpillError) -> SpillSession {
        try SpillSession(
            paths: ["\(path)/a", "\(path)/b"], node: "n1", capacityMax: capacityMax)
    }
}

private func id(_ index: Int) -> RecordID {
    RecordID(batch: BatchID(rawValue: 7), unique: UInt64(index), index: 1)
}

private func content(_ index: Int) -> (data: [UInt8], metadata: [UInt8]) {
    let count = [0, 1, 100, 262_144, 1_000_003][index % 5]
    let data = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ index) }
    return (data, Array(repeating: UInt8(index), count: index % 3 * 5))
}

private func write(
    _ session: SpillSession, number: Int, count: Int
) throws -> (
    path: String, objects: [SpilledObject]
) {
    var writer = try session.writer(number: number, objectCount: count, byteCount: 100)
    for index in 0..<count {
        let (data, metadata) = content(index)
        try data.withUnsafeBytes { data in
            try metadata.withUnsafeBytes { metadata in
                try writer.append(
                    SpilledObject(
                        id: id(index), dataByteCount: 0, metadataByteCount: 0,
                        digest: UInt64(index), createdAt: 9),
                    data: data, metadata: metadata)
            }
        }
    }
    return try writer.finish()
}

private func read(_ path: String, _ object: SpilledObject) throws -> [UInt8] {
    let reader = try SpillReader(path: path)
    let header = try reader.header(of: object.id, at: object.offset)
    #expect(header == object)
    var bytes = [UInt8](repeating: 0, count: Int(object.byteCount))
    try bytes.withUnsafeMutableBytes { try reader.read(header, into: $0) }
    return bytes
}

@Suite struct SpillFilesTests {
    @Test func checksumsAreThoseOfTheStandard() {
        let zeros = [UInt8](repeating: 0, count: 32)
        let ones = [UInt8](repeating: 0xff, count: 32)
        let rising = Array(UInt8(0)..<32)
        for (bytes, sum) in [
            (zeros, 0x8a91_36aa), (ones, 0x62a8_ab43), (rising, 0x46dd_794e),
            (Array("123456789".utf8), 0xe306_9283), ([], 0),
        ] as [([UInt8], UInt32)] {
            #expect(bytes.withUnsafeBytes { CRC32C.of($0) } == sum)
            var slow = CRC32C()
            bytes.withUnsafeBytes { slow.updateInSoftware($0) }
            #expect(slow.value == sum)
        }
    }

    @Test func checksumsOfManyBytesAreThoseOfEachByte() {
        let bytes = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 * $0 >> 7 ^ $0) }
        // Around multiples of what is taken in at a time, from odd places, and in two steps.
        for count in [1, 8, 1023, 3071, 3072, 3073, 6144, 9000, 19_990] {
            for start in [0, 1, 7] {
                let part = bytes[start..<start + count]
                var slow = CRC32C()
                part.withUnsafeBytes { slow.updateInSoftware($0) }
                #expect(part.withUnsafeBytes { CRC32C.of($0) } == slow.value)
                var sum = CRC32C()
                part.prefix(count / 3).withUnsafeBytes { sum.update($0) }
                part.dropFirst(count / 3).withUnsafeBytes { sum.update($0) }
                #expect(sum.value == slow.value)
            }
        }
    }

    @Test func objectsComeBackAsTheyWere() throws {
        let scratch = try Scratch()
        let session = try scratch.session()
        let (path, objects) = try write(session, number: 0, count: 10)
        #expect(path.hasSuffix("-multi-10"))
        #expect(try SpillReader(path: path).objects() == objects)
        for (index, object) in objects.enumerated() {
            let (data, metadata) = content(index)
            #expect(try read(path, object) == data + metadata)
            #expect(object.digest == UInt64(index) && object.createdAt == 9)
        }
    }

    @Test func directoriesTakeTurns() throws {
        let scratch = try Scratch()
        let session = try scratch.session()
        let paths = try (0..<4).map { try write(session, number: $0, count: 1).path }
        let inFirst = paths.filter { $0.hasPrefix("\(scratch.path)/a/") }
        #expect(inFirst.count == 2)
    }

    @Test func anyChangedByteIsNoticed() throws {
        let scratch = try Scratch()
        let session = try scratch.session()
        let (path, objects) = try write(session, number: 0, count: 3)
        let size = try #require(try? SpillFile(path, O_RDONLY).byteCount)
        let positions = stride(from: 0, to: size, by: 7)
        for position in positions {
            let descriptor = open(path, O_RDWR)
            defer { close(descriptor) }
            var byte: UInt8 = 0
            _ = pread(descriptor, &byte, 1, Int(position))
            var changed = byte ^ 0x10
            _ = pwrite(descriptor, &changed, 1, Int(position))
            let reader = try SpillReader(path: path)
            var refusals = 0
            if (try? reader.objects()) == nil { refusals += 1 }
            for object in objects where (try? read(path, object)) == nil { refusals += 1 }
            // Some bytes are padding; none may lead to other content.
            if refusals == 0 { #expect(try reader.objects() == objects) }
            _ = pwrite(descriptor, &byte, 1, Int(position))
        }
        for object in objects { _ = try read(path, object) }
    }

    @Test func aShortenedFileIsRefused() throws {
        let scratch = try Scratch()
        let session = try scratch.session()
        let (path, objects) = try write(session, number: 0, count: 4)
        truncate(path, 300)
        #expect(throws: SpillError.self) { try SpillReader(path: path).objects() }
        let last = try #require(objects.last)
        #expect(throws: SpillError.self) { try read(path, last) }
        #expect(throws: SpillError.self) {
            try SpillReader(path: path).header(of: id(3), at: objects[1].offset)
        }
    }

    @Test func anUnfinishedFileLeavesNothing() throws {
        let scratch = try Scratch()
        let session = try scratch.session()
        do {
            var writer = try session.writer(number: 0, objectCount: 1, byteCount: 1)
            try writer.append(
                SpilledObject(
                    id: id(0), dataByteCount: 0, metadataByteCount: 0, digest: 0, createdAt: 0),
                data: UnsafeRawBufferPointer(start: nil, count: 0),
                metadata: UnsafeRawBufferPointer(start: nil, count: 0))
        }
        #expect(system("test -z \"$(find '\(scratch.path)' -name '*-multi-*')\"") == 0)
    }

    @Test func aFullFileSystemIsNamed() throws {
        let scratch = try Scratch()
        let session = try scratch.session(capacityMax: 0.000_001)
        #expect {
            try write(session, number: 0, count: 1)
        } throws: { error in
            "\(error)".contains("full, the limit is 0.0 %")
                && (error as? SpillError)?.isLackOfRoom == true
        }
    }

    @Test func leftoversOfDeadRunsAreFoundAndOthersAreNot() throws {
        let scratch = try Scratch()
        let living = try scratch.session()
        let (kept, _) = try write(living, number: 0, count: 2)
        // What a killed run leaves: its files, some not whole, and a lock that nobody holds.
        let dead = "\(scratch.path)/a/gcs_spilled_objects_n1/0123"
        #expect(system("mkdir -p \(dead) && touch \(dead)/lock \(dead)/x-multi-1.part") == 0)
        #expect(system("cp \(kept) \(dead)/y-multi-2 && echo bad > \(dead)/z-multi-1") == 0)
        let next = try scratch.session()
        var complaints = 0
        let found = next.leftovers { _ in complaints += 1 }
        #expect(found.map(\.path) == ["\(dead)/y-multi-2"])
        #expect(found.first?.objects.count == 2 && complaints == 1)
        #expect(system("test \"$(ls \(dead) | tr '\\n' ' ')\" = 'lock y-multi-2 '") == 0)
        try next.remove("\(dead)/y-multi-2")
        #expect(system("test ! -e \(dead)") == 0)
        try next.remove("\(dead)/y-multi-2")
        _ = try read(kept, try SpillReader(path: kept).objects()[1])
    }
}
