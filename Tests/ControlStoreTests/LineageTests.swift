import Identifiers
import Testing

@testable import ControlStore

/// What FREE RECURSIVE frees at scale and in corners; the model test covers the rest.
@Suite struct LineageTests {
    private func makeStore() -> ControlStore {
        var random = SeededGenerator(seed: 7)
        return ControlStore(seeds: HashSeeds(from: &random))
    }

    private func id(_ batch: Int64, _ unique: UInt64, _ index: UInt32) -> RecordID {
        RecordID(batch: BatchID(rawValue: batch), unique: unique, index: index)
    }

    private func start(_ id: Int64, under parent: Int64 = 0, _ store: inout ControlStore) throws {
        var new = NewBatch()
        new.id = BatchID(rawValue: id)
        new.parent = BatchID(rawValue: parent)
        _ = try store.startBatch(new)
    }

    private func addTask(
        _ task: RecordID, _ arguments: [RecordID], _ store: inout ControlStore
    ) throws {
        var new = NewTask(id: task, specification: UnsafeRawBufferPointer(start: nil, count: 0))
        new.state = .finished
        new.argumentCount = arguments.count
        _ = try store.addTask(new) { arguments[$0] }
    }

    private func addObject(_ object: RecordID, _ store: inout ControlStore) throws {
        _ = try Array("n".utf8).withUnsafeBufferPointer { name throws(StoreError) in
            try store.addObject(object, node: name, size: 1, isSecondary: false)
        }
    }

    private func freeRecursively(_ object: RecordID, _ store: inout ControlStore) -> Int {
        var freeing = Freeing([object])
        freeing.isRecursive = true
        return store.wait(for: store.free(freeing))
    }

    @Test("a long line of tasks is freed in slices, all of it")
    func line() throws {
        var store = makeStore()
        try start(1, &store)
        for unique in 0..<5000 as Range<UInt64> {
            try addTask(id(1, unique, 0), unique == 0 ? [] : [id(1, unique - 1, 1)], &store)
            try addObject(id(1, unique, 1), &store)
        }
        var freeing = Freeing([id(1, 4999, 1)])
        freeing.isRecursive = true
        let (_, rest) = store.free(freeing)
        let afterFirst = store.objectCount
        #expect(rest != nil && afterFirst > 4000)
        // What a new task names in between stays, and what led to it.
        try addTask(id(1, 9999, 0), [id(1, 100, 1)], &store)
        let freed = store.wait(for: (0, rest))
        #expect(freed == 4899)
        let left = store.objectCount
        #expect(left == 101)
        let announced = store.announcements.map { deletion in
            if case .objects(let ids) = deletion.subject { ids.count } else { 0 }
        }
        #expect(announced.reduce(0, +) == 4899 && announced.allSatisfy { $0 <= 1000 })
    }

    @Test(
        "an object that tasks of many batches need is freed after the last, up to a limit",
        arguments: [1, 100, 2048, 2049])
    func manyBatches(count: Int64) throws {
        var store = makeStore()
        try start(1, &store)
        try addTask(id(1, 1, 0), [id(1, 9, 1)], &store)
        try addObject(id(1, 1, 1), &store)
        try addObject(id(1, 9, 1), &store)
        for batch in 2..<count + 1 {
            try start(batch, &store)
            try addTask(id(batch, 1, 0), [id(1, 9, 1)], &store)
        }
        if count > 1 {
            try addObject(id(1, 1, 2), &store)
            #expect(freeRecursively(id(1, 1, 2), &store) == 1)
        }
        for batch in 2..<count + 1 {
            _ = store.wait(for: try store.destroyBatch(BatchID(rawValue: batch)))
        }
        let isLimited = count > Int64(NeedRecord.batchCountMax)
        #expect(freeRecursively(id(1, 1, 1), &store) == (isLimited ? 1 : 2))
    }

    @Test("an output that came before its task counts; one with a high number spares the inputs")
    func earlyOutputs() throws {
        var store = makeStore()
        try start(1, &store)
        for (unique, index) in [(1, 2), (2, 60), (3, 70), (4, 1 << 31)] as [(UInt64, UInt32)] {
            try addObject(id(1, unique + 100, 1), &store)
            try addObject(id(1, unique, index), &store)
            try addTask(id(1, unique, 0), [id(1, unique + 100, 1)], &store)
            try addObject(id(1, unique, 1), &store)
            #expect(freeRecursively(id(1, unique, 1), &store) == 1)
            #expect(freeRecursively(id(1, unique, index), &store) == (index == 70 ? 1 : 2))
        }
    }

    @Test("needs of batches that have gone leave nothing in the estate")
    func nothingLeft() throws {
        var store = makeStore()
        for batch in 1...50 as ClosedRange<Int64> {
            try start(batch, &store)
            for unique in 0..<20 as Range<UInt64> {
                // Ids of no batch: the root's, with a record or without.
                let object = id(-5, unique, 1)
                try addTask(id(batch, unique, 0), [object, id(batch + 1, unique, 1)], &store)
                if unique % 2 == 0 { try addObject(object, &store) }
            }
        }
        for batch in 1...50 as ClosedRange<Int64> {
            _ = store.wait(for: try store.destroyBatch(BatchID(rawValue: batch)))
        }
        _ = store.freeObjects((0..<20).map { id(-5, $0, 1) })
        while store.maintain() {}
        let left = store.estate.count
        #expect(left == 0)
    }

    @Test("DESTROY of a batch with many children goes on in slices, children first")
    func destroy() throws {
        var store = makeStore()
        try start(1, &store)
        for batch in 2...500 as ClosedRange<Int64> {
            try start(batch, under: batch % 7 == 0 ? batch - 1 : 1, &store)
            try addObject(id(batch, 1, 1), &store)
        }
        let result = try store.destroyBatch(BatchID(rawValue: 1))
        let afterFirst = store.batchCount
        #expect(result.rest != nil && afterFirst > 400)
        // It may go from under the walk.
        _ = store.wait(for: try store.destroyBatch(BatchID(rawValue: 5)))
        while store.maintain() {}
        #expect(result.rest?.isDone == true && result.rest?.result == 498)
        let left = store.batchCount
        #expect(left == 1)
    }

    @Test("a batch that has as many records as it can is refused more, and lives on")
    func full() throws {
        var store = makeStore()
        store.slabCountMax = 8
        try start(1, &store)
        #expect(throws: StoreError.batchFull(BatchID(rawValue: 1))) {
            for unique in 0..<1_000_000 as Range<UInt64> {
                try addTask(id(1, unique, 0), [], &store)
            }
        }
        let count = store.taskCount
        #expect(count > 10)
        #expect(throws: Never.self) { try addTask(id(0, 1, 0), [], &store) }
        #expect(throws: Never.self) { _ = try store.endBatch(BatchID(rawValue: 1), isNoGC: false) }
    }
}
