import DiskTier
import Foundation
import Identifiers
import Testing

@testable import ControlStore

@Suite struct RocksStoreTests {
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "flushed-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    private func key(_ batch: Int64, _ unique: UInt64) -> RecordKey {
        RecordKey(RecordID(batch: BatchID(rawValue: batch), unique: unique, index: 0), .task)
    }

    private func group(_ batch: Int64, _ numbers: Range<UInt64>, _ text: String) -> DiskGroup {
        var group = DiskGroup()
        for number in numbers {
            Array("\(text) \(number)".utf8).withUnsafeBytes { group.append(key(batch, number), $0) }
        }
        return group
    }

    @Test("reads back what was written, the last of it")
    func readsBack() throws {
        try withDirectory { path in
            let store = RocksStore(path: path)
            defer { store.close() }
            try store.put(group(7, 0..<100, "first"))
            try store.put(group(7, 50..<60, "second"))
            #expect(try store.get(key(7, 3)) == Array("first 3".utf8))
            #expect(try store.get(key(7, 55)) == Array("second 55".utf8))
            #expect(try store.get(key(7, 100)) == nil)
            try store.remove([key(7, 3)], [])
            #expect(try store.get(key(7, 3)) == nil)
        }
    }

    @Test("lists a batch in pages, each key once, and no other batch")
    func lists() throws {
        try withDirectory { path in
            let store = RocksStore(path: path)
            defer { store.close() }
            for batch in [6, 7, 8] as [Int64] { try store.put(group(batch, 0..<500, "x")) }
            var seen: [RecordKey] = []
            var place: UInt64 = 0
            while place < 1 << 32 {
                let (keys, next) = try store.scan(BatchID(rawValue: 7), from: place, count: 33)
                seen += keys
                #expect(next > place)
                place = next
            }
            #expect(seen.count == 500 && Set(seen).count == 500)
            #expect(seen.allSatisfy { $0.id.batch.rawValue == 7 })
        }
    }

    @Test("a removed batch is gone, its neighbours stay, and its space comes back")
    func removesBatch() throws {
        try withDirectory { path in
            let store = RocksStore(path: path)
            defer { store.close() }
            let text = String(repeating: "0123456789", count: 20)
            for round in 0..<20 as Range<UInt64> {
                try store.put(group(7, round * 1000..<(round + 1) * 1000, text))
            }
            try store.put(group(8, 0..<10, "x"))
            store.reclaim([])
            let before = store.byteCount
            try store.remove([], [BatchID(rawValue: 7)])
            store.reclaim([BatchID(rawValue: 7)])
            #expect(try store.get(key(7, 3)) == nil)
            #expect(try store.get(key(8, 3)) != nil)
            #expect(before > 1 << 20 && store.byteCount < before / 10)
        }
    }

    @Test("is empty after a restart, or as it was")
    func restarts() throws {
        try withDirectory { path in
            let first = RocksStore(path: path)
            try first.begin(identity: 5)
            try first.put(group(7, 0..<10, "x"))
            first.close()
            #expect(throws: DiskError.self) { try RocksStore(path: path).keep(identity: 6) }
            #expect(throws: DiskError.self) {
                try RocksStore(path: path + "/none").keep(identity: 5)
            }
            let second = RocksStore(path: path)
            try second.keep(identity: 5)
            try second.put(group(7, 10..<20, "x"))
            #expect(try second.get(key(7, 3)) != nil)
            let (page, isEnd) = try second.list(after: nil, of: nil)
            #expect(page.count == 20 && isEnd)
            second.close()
            let third = RocksStore(path: path)
            try third.put(group(7, 20..<30, "x"))
            #expect(try third.get(key(7, 3)) == nil)
            third.close()
        }
    }
}
