import Foundation
import Identifiers
import Testing

@testable import ControlStore

/// The store and the model do the same, step by step, for random steps.
@Suite struct ControlStoreModelTests {
    struct World: ~Copyable {
        var random: SeededGenerator
        var store: ControlStore
        var model = Model()
        /// The last choice of what to do.
        var last = 0
        let batchCount: Int64
        let specificationCountMax: Int

        init(seed: UInt64, batchCount: Int64, specificationCountMax: Int) {
            random = SeededGenerator(seed: seed)
            store = ControlStore(seeds: HashSeeds(from: &random))
            store.now = 1000
            self.batchCount = batchCount
            self.specificationCountMax = specificationCountMax
        }

        mutating func batch() -> BatchID {
            BatchID(rawValue: Int64.random(in: 0...batchCount, using: &random))
        }

        mutating func actor() -> RecordID {
            RecordID(batch: .root, unique: UInt64.random(in: 0..<4, using: &random), index: 0)
        }

        mutating func object() -> RecordID {
            RecordID(
                batch: batch(), unique: UInt64.random(in: 0..<40, using: &random),
                index: [1, 1, 2, 2, 1 << 31 + 1].randomElement(using: &random) ?? 1)
        }

        mutating func state() -> TaskState {
            TaskState.allCases.randomElement(using: &random) ?? .lost
        }
    }

    /// `SEEDS=n` runs the first n; a failure names its seed.
    static let seeds =
        0..<(ProcessInfo.processInfo.environment["SEEDS"].flatMap { UInt64($0) } ?? 12)

    @Test("agrees with the model", arguments: seeds)
    func agrees(seed: UInt64) {
        var world = World(
            seed: seed, batchCount: seed % 3 == 0 ? 3 : 12,
            specificationCountMax: seed % 4 == 0 ? 40_000 : 300)
        for step in 0..<4000 {
            act(&world)
            if step % 7 == 0 { _ = world.store.maintain() }
            compareAnnouncements(&world)
            let isSound = world.store.invariantsHold()
            if !isSound {
                Issue.record("seed \(seed): not sound after step \(step), \(world.last)")
                return
            }
            if step % 500 == 0 { compareAll(&world) }
        }
        compareAll(&world)
        let tops = world.model.batches.keys.filter { world.model.batches[$0]?.parent == .root }
        // One that waited for another may have gone with it.
        for id in tops where world.model.batches[id] != nil {
            #expect(throws: Never.self) {
                _ = world.store.wait(for: try world.store.destroyBatch(id))
            }
            _ = world.model.collect(id, takesKept: true)
        }
        compareAll(&world)
        while world.store.maintain() {}
        let isFreeing = world.store.isFreeing
        #expect(!isFreeing)
        compareAll(&world)
    }

    private func act(_ world: inout World) {
        world.last = Int.random(in: -32..<100, using: &world.random)
        switch world.last {
        case -32 ..< -24: freeRecursively(&world)
        case -24 ..< -16: changeState(&world)
        case -16 ..< -11: depend(&world)
        case -11 ..< -7: checkpoint(&world)
        case -7 ..< -4: pin(&world)
        case -4 ..< -2: unpin(&world)
        case -2..<0: adoptTask(&world)
        case 0..<25: addTask(&world)
        case 25..<55: addObject(&world)
        case 55..<65: start(&world)
        case 65..<75: keep(&world)
        case 75..<82: transfer(&world)
        case 82..<86: free(&world)
        case 86..<90: removeTask(&world)
        case 90..<96: end(&world)
        case 96..<98: destroy(&world)
        default: delete(&world)
        }
    }

    /// Runs both; they give the same value or the same error.
    private func same<Value: Equatable>(
        _ step: String, _ real: () throws(StoreError) -> Value,
        _ model: () throws(StoreError) -> Value
    ) {
        var found: Result<Value, StoreError>
        var wanted: Result<Value, StoreError>
        do throws(StoreError) { found = .success(try real()) } catch { found = .failure(error) }
        do throws(StoreError) { wanted = .success(try model()) } catch { wanted = .failure(error) }
        #expect(found == wanted, "\(step)")
    }

    private func addTask(_ world: inout World) {
        var id = world.object()
        id.index = 0
        let count = Int.random(in: 0...world.specificationCountMax, using: &world.random)
        let specification = [UInt8](repeating: UInt8(truncatingIfNeeded: count), count: count)
        let arguments = [world.object(), world.object()]
        let state = world.state()
        let hasActor = Int.random(in: 0..<6, using: &world.random) == 0
        let actor = world.actor()
        let argumentCount = Int.random(in: 0...2, using: &world.random)
        same("add task \(id)") { () throws(StoreError) in
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
            defer { bytes.deallocate() }
            bytes.copyBytes(from: specification)
            var task = NewTask(id: id, specification: UnsafeRawBufferPointer(bytes))
            task.actor = hasActor ? actor : nil
            task.argumentCount = argumentCount
            task.state = state
            return try world.store.addTask(task) { arguments[$0] }
        } _: { () throws(StoreError) in
            try world.model.addTask(
                id, specification, actor: hasActor ? actor : nil,
                arguments: Array(arguments.prefix(argumentCount)), state: state)
        }
        guard let (_, task) = world.store.task(id) else { return }
        #expect(Array(task.specification) == specification)
        #expect(task.argumentCount == argumentCount)
        #expect(task.actor == (hasActor ? actor : nil))
        for position in 0..<argumentCount {
            #expect(task.argument(position) == arguments[position])
        }
    }

    private func addObject(_ world: inout World) {
        let id = world.object()
        let node = "n\(Int.random(in: 0..<5, using: &world.random))"
        same("add object \(id)") { () throws(StoreError) in
            let name = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: node.utf8.count)
            defer { name.deallocate() }
            _ = name.initialize(from: node.utf8)
            return try world.store.addObject(
                id, node: UnsafeBufferPointer(name), size: 9, isSecondary: false)
        } _: { () throws(StoreError) in
            try world.model.addObject(id, node)
        }
    }

    private func start(_ world: inout World) {
        var new = NewBatch()
        let id = world.batch()
        new.id = id
        new.parent = world.batch()
        new.isNoCleanup = Int.random(in: 0..<8, using: &world.random) == 0
        new.name = Array("batch".utf8)
        let parent = new.parent
        let isActive = parent == .root || world.model.batches[parent]?.status == .active
        let isPossible =
            isActive && id.rawValue > 0 && world.model.batches[id] == nil
            && !world.model.ended.contains(id)
        let started = try? world.store.startBatch(new)
        #expect((started != nil) == isPossible)
        if isPossible {
            world.model.batches[id] = Model.Batch(parent: parent, isNoCleanup: new.isNoCleanup)
        }
    }

    private func keep(_ world: inout World) {
        let batch = world.batch()
        var ids = (0..<Int.random(in: 1...3, using: &world.random)).map { _ in world.object() }
        for position in ids.indices where Int.random(in: 0..<4, using: &world.random) > 0 {
            ids[position].batch = batch
        }
        same("keep \(ids) in \(batch)") { () throws(StoreError) in
            try world.store.keep(ids, in: batch)
        } _: { () throws(StoreError) in
            try world.model.keep(ids, in: batch)
        }
    }

    private func transfer(_ world: inout World) {
        let batch = world.batch()
        let ids = (0..<Int.random(in: 1...3, using: &world.random)).map { _ in world.object() }
        same("transfer \(ids) to \(batch)") { () throws(StoreError) in
            try world.store.transfer(ids, to: batch)
        } _: { () throws(StoreError) in
            try world.model.transfer(ids, to: batch)
        }
    }

    private func depend(_ world: inout World) {
        let (batch, other) = (world.batch(), world.batch())
        same("depend \(batch) on \(other)") { () throws(StoreError) in
            try world.store.addDependency(of: batch, on: other)
        } _: { () throws(StoreError) in
            try world.model.depend(batch, on: other)
        }
    }

    private func checkpoint(_ world: inout World) {
        let actor = world.actor()
        guard
            let task = world.model.tasks.filter({ $0.value.actor == actor })
                .min(by: { $0.value.sequence < $1.value.sequence })?.key
        else { return }
        same("checkpoint at \(task)") { () throws(StoreError) in
            try world.store.checkpoint(actor, at: task)
            return true
        } _: { () throws(StoreError) in
            try world.model.checkpoint(actor, at: task)
            return true
        }
    }

    private func pin(_ world: inout World) {
        let ids = [world.object(), world.object()]
        same("pin \(ids)") { () throws(StoreError) in
            try world.store.pin(ids)
        } _: { () throws(StoreError) in
            try world.model.pin(ids)
        }
    }

    private func unpin(_ world: inout World) {
        let pinned = world.model.objects.filter(\.value.isPinned).keys.sorted {
            $0.bytes.lexicographicallyPrecedes($1.bytes)
        }
        guard let id = pinned.randomElement(using: &world.random) else { return }
        #expect(world.store.unpin([id]) == world.model.unpin(id))
    }

    private func adoptTask(_ world: inout World) {
        var id = world.object()
        id.index = 0
        let batch = world.batch()
        same("adopt \(id) into \(batch)") { () throws(StoreError) in
            try world.store.adopt([(id, .task)], into: batch)
        } _: { () throws(StoreError) in
            try world.model.adoptTask(id, into: batch)
        }
    }

    private func free(_ world: inout World) {
        let id = world.object()
        let count = world.model.free([id], isRecursive: false, takesTasks: false)
        #expect(world.store.freeObjects([id]) == count)
    }

    private func freeRecursively(_ world: inout World) {
        let makers = world.model.tasks.filter { !$0.value.arguments.isEmpty }.keys
            .sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        var ids = [world.object()]
        if let maker = makers.randomElement(using: &world.random) {
            ids += [1, 2, 1 << 31 + 1].map {
                RecordID(batch: maker.batch, unique: maker.unique, index: $0)
            }
        }
        var freeing = Freeing(ids)
        freeing.isRecursive = true
        freeing.takesTasks = Int.random(in: 0..<6, using: &world.random) == 0
        while !world.store.free(&freeing, budget: 2) {}
        let count = world.model.free(ids, isRecursive: true, takesTasks: freeing.takesTasks)
        #expect(freeing.count == count, "free \(ids)")
    }

    private func changeState(_ world: inout World) {
        let ids = world.model.tasks.keys.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        guard let id = ids.randomElement(using: &world.random) else { return }
        let state = world.state()
        world.model.tasks[id]?.state = state
        #expect(throws: Never.self) { try world.store.setTaskState(id, state) }
    }

    private func removeTask(_ world: inout World) {
        var id = world.object()
        id.index = 0
        let isThere = world.model.tasks.removeValue(forKey: id) != nil
        #expect(world.store.removeTask(id) == isThere)
    }

    private func end(_ world: inout World) {
        let batch = world.batch()
        let isNoGC = Int.random(in: 0..<4, using: &world.random) == 0
        same("end \(batch)") { () throws(StoreError) in
            switch try world.store.endBatch(batch, isNoGC: isNoGC) {
            case .collected: "collected"
            case .deferred: "deferred"
            case .ended: "ended"
            }
        } _: { () throws(StoreError) in
            switch try world.model.end(batch, isNoGC: isNoGC) {
            case nil: "collected"
            case .deferred: "deferred"
            case .done, .active: "ended"
            }
        }
    }

    private func destroy(_ world: inout World) {
        let batch = world.batch()
        same("destroy \(batch)") { () throws(StoreError) in
            world.store.wait(for: try world.store.destroyBatch(batch))
        } _: { () throws(StoreError) in
            if batch == .root { throw .rootBatch }
            try world.model.known(batch)
            return world.model.collect(batch, takesKept: true)
        }
    }

    private func delete(_ world: inout World) {
        let batch = world.batch()
        same("delete \(batch)") { () throws(StoreError) in
            let (isDeleted, rest) = try world.store.deleteBatch(batch)
            _ = world.store.wait(for: (0, rest))
            return isDeleted
        } _: { () throws(StoreError) in
            if batch == .root { throw .rootBatch }
            guard world.model.batches[batch] != nil else { return false }
            _ = world.model.collect(batch, takesKept: false)
            return true
        }
        // Ended ids come back sooner than in life, so that the same ids meet again.
        if Int.random(in: 0..<3, using: &world.random) == 0 { forget(&world) }
    }

    private func forget(_ world: inout World) {
        // What a task needs of a batch whose id comes again is not known any more.
        for (id, task) in world.model.tasks
        where task.arguments.contains(where: { world.model.ended.contains($0.batch) }) {
            world.model.tasks[id] = nil
            let isThere = world.store.removeTask(id)
            #expect(isThere)
        }
        world.store.now += 1
        let seeds = world.store.memory.seeds
        while world.store.tombstones.expire(before: world.store.now, budget: 100, seeds) {}
        world.model.ended = []
    }
}

// MARK: - Comparing

extension ControlStoreModelTests {
    private func compareAnnouncements(_ world: inout World) {
        var found: [BatchID: (Set<RecordID>, Set<RecordID>)] = [:]
        for deletion in world.store.announcements {
            if case .batch(let id, _, _, _, let kept, let adopted) = deletion.subject {
                found[id] = (Set(kept), Set(adopted))
            }
        }
        world.store.announcements = []
        #expect(found.count == world.model.collected.count)
        // Children of one parent are collected in an order of the store's choice: kept and adopted of
        // one depend on it only through objects of the other, so only lone batches are compared whole.
        if world.model.collected.count == 1 {
            for (id, kept, adopted) in world.model.collected {
                #expect(found[id]?.0 == kept, "kept of \(id)")
                #expect(found[id]?.1 == adopted, "adopted of \(id)")
            }
        }
        world.model.collected = []
    }

    private func compareAll(_ world: inout World) {
        #expect(world.store.taskCount == world.model.tasks.count)
        #expect(world.store.objectCount == world.model.objects.count)
        #expect(world.store.batchCount == world.model.batches.count + 1)
        for (id, object) in world.model.objects {
            let found = world.store.object(id)
            #expect(found?.owner == object.owner, "owner of \(id)")
            #expect(found?.isKept == object.isKept, "kept mark of \(id)")
            #expect(found?.isPinned == object.isPinned, "pin of \(id)")
            let nodes = found?.locations.map { String(decoding: $0.node, as: UTF8.self) } ?? []
            #expect(Set(nodes) == object.nodes && nodes.count == object.nodes.count)
        }
        let needed = world.model.needed
        for (id, task) in world.model.tasks {
            let found = world.store.task(id)
            #expect(found?.owner == task.owner)
            #expect(found.map { Array($0.1.specification) } == task.specification)
            #expect(found?.1.state == task.state)
            let isSpent = world.store.isSpent(id)
            #expect(isSpent == world.model.isSpent(id), "whether \(id) is spent")
            for object in task.arguments where world.model.objects[object] != nil {
                let isNeeded = world.store.isNeeded(object)
                #expect(isNeeded == needed.contains(object), "whether \(object) is needed")
            }
        }
        for id in Array(world.model.batches.keys) + [.root] { compareMembers(id, &world) }
        compareScan(world.store, world.model)
    }

    private func compareMembers(_ id: BatchID, _ world: inout World) {
        var members: Set<Member> = []
        var cursor: UInt64 = 0
        repeat {
            cursor =
                world.store.scanMembers(of: id, from: cursor, budget: 50) {
                    members.insert(Member($0, $1))
                } ?? 0
        } while cursor != 0
        let objects = world.model.objects.filter { $0.value.owner == id && !$0.value.isKept }
        let tasks = world.model.tasks.filter { $0.value.owner == id }
        let wanted = objects.keys.map { Member($0, .object) } + tasks.keys.map { Member($0, .task) }
        #expect(members == Set(wanted), "members of \(id)")
        #expect(world.store.memberCount(id) == wanted.count)
        let info = try? world.store.batchInfo(id)
        if id != .root {
            let links = try? world.store.dependencies(id)
            #expect(
                Set(links?.dependsOn ?? []) == world.model.namedDependencies(id),
                "dependencies of \(id)")
            let status: BatchStatus =
                switch world.model.batches[id]?.status {
                case .done: .done
                case .deferred: .deferred
                case .active, nil: .active
                }
            #expect(info?.status == status, "status of \(id)")
        }
        #expect(info?.taskCount == tasks.count)
        #expect(info?.objectCount == objects.count)
        #expect(
            info?.keptCount == world.model.objects.count { $0.value.owner == id && $0.value.isKept }
        )
    }

    private func compareScan(_ store: borrowing ControlStore, _ model: Model) {
        var found: Set<Member> = []
        var batches: Set<BatchID> = []
        var cursor: UInt64 = 0
        repeat {
            cursor = store.scan(from: cursor, budget: 30) { key in
                switch key {
                case .record(let id, let kind) where kind != .actor: found.insert(Member(id, kind))
                case .batch(let id): batches.insert(id)
                default: break
                }
            }
        } while cursor != 0
        let wanted =
            model.objects.keys.map { Member($0, .object) }
            + model.tasks.keys.map { Member($0, .task) }
        #expect(found == Set(wanted))
        #expect(batches == Set(model.batches.keys).union([.root]))
    }
}

/// A record as a set holds it.
private struct Member: Hashable {
    var id: RecordID
    var kind: RecordKind

    init(_ id: RecordID, _ kind: RecordKind) {
        self.id = id
        self.kind = kind
    }
}
