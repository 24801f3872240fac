import Identifiers
import Testing

@testable import ControlStore

@Suite struct RegionCompactionTests {
    @Test("a record that is replaced while its region is compacted has its new bytes")
    func replace() throws {
        var random = SeededGenerator(seed: 1)
        var store = ControlStore(seeds: HashSeeds(from: &random))
        var batch = NewBatch()
        batch.id = BatchID(rawValue: 7)
        _ = try store.startBatch(batch)
        var wanted: [[UInt8]] = Array(repeating: [], count: 20)
        for round in 0..<2_000 {
            let number = Int.random(in: 0..<20, using: &random)
            let count = [20, 60, 300, 4_000].randomElement(using: &random) ?? 20
            wanted[number] = .init(repeating: UInt8(truncatingIfNeeded: round), count: count)
            _ = try wanted[number].withUnsafeBytes { bytes throws(StoreError) in
                try store.addTask(NewTask(id: task(number), specification: bytes)) { _ in task(0) }
            }
            for (number, bytes) in wanted.enumerated() where !bytes.isEmpty {
                guard let (_, found) = store.task(task(number)) else {
                    Issue.record("task \(number) is gone in round \(round)")
                    return
                }
                try #require(Array(found.specification) == bytes, "task \(number), round \(round)")
            }
        }
    }

    private func task(_ number: Int) -> RecordID {
        RecordID(batch: BatchID(rawValue: 7), unique: UInt64(number), index: 0)
    }
}
