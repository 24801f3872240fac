import Foundation
import Identifiers
import Testing

@testable import ControlStore

/// The table of references and a plain set do the same, step by step, for random steps.
@Suite struct ReferenceModelTests {
    struct Holding: Hashable {
        var node: String
        var process: UInt32
        var type: ReferenceType
        var object: RecordID
    }

    struct World: ~Copyable {
        var random: SeededGenerator
        var store: ControlStore
        var held: [Holding: UInt64] = [:]
        /// Objects that have a record.
        var objects: Set<RecordID> = []
        var kept: Set<RecordID> = []
        var pinned: Set<RecordID> = []
        var spared: Set<RecordID> { kept.union(pinned) }
        /// Objects that lost their last reference and found none since: they are to be freed.
        var lost: Set<RecordID> = []
        /// Objects that have references, one of which was more than a pin since they had none.
        var claimed: Set<RecordID> = []
        /// Objects with pins that came after the last reference went: while that waits to be swept, they
        /// count as claimed.
        var perhapsClaimed: Set<RecordID> = []
        /// Objects that got a record anew after that: what is left to do for references cleared before
        /// may free them, as a reference names an object and not a record.
        var doubtful: Set<RecordID> = []
        /// Objects that were freed, by what the store showed before it announced them.
        var unannounced: Set<RecordID> = []

        init(seed: UInt64, isCounting: Bool) throws {
            random = SeededGenerator(seed: seed)
            store = ControlStore(seeds: HashSeeds(from: &random))
            store.now = 1000
            store.isCountingReferences = isCounting
            var batch = NewBatch()
            batch.id = BatchID(rawValue: 1)
            _ = try store.startBatch(batch)
        }

        mutating func object() -> RecordID {
            RecordID(
                batch: BatchID(rawValue: Int64.random(in: 0...1, using: &random)),
                unique: UInt64.random(in: 0..<30, using: &random), index: 1)
        }

        mutating func node() -> String { "n\(Int.random(in: 0..<3, using: &random))" }

        mutating func process() -> UInt32 { UInt32.random(in: 0..<4, using: &random) }
    }

    static let seeds =
        0..<(ProcessInfo.processInfo.environment["SEEDS"].flatMap { UInt64($0) } ?? 12)

    @Test("agrees with the model", arguments: seeds, [false, true])
    func agrees(seed: UInt64, isCounting: Bool) throws {
        var world = try World(seed: seed, isCounting: isCounting)
        for step in 0..<4000 {
            try act(&world)
            if step % 5 == 0 { _ = world.store.maintain() }
            takeAnnouncements(&world)
            if step % 50 == 0 { compare(&world) }
        }
        for node in 0..<3 { clear(&world, node: "n\(node)", process: nil) }
        compare(&world)
        while world.store.maintain() {}
        takeAnnouncements(&world)
        #expect(world.unannounced.isEmpty)
        let left = world.lost.intersection(world.objects).subtracting(world.spared)
        #expect(left.isEmpty || !isCounting)
        expectEmpty(&world)
    }

    private func expectEmpty(_ world: inout World) {
        #expect(world.store.references.references.count == 0)
        #expect(world.store.references.processes.count == 0)
        #expect(world.store.references.nodes.count == 0)
        #expect(world.store.references.sites.count == 0)
    }

    private func act(_ world: inout World) throws {
        switch Int.random(in: 0..<1000, using: &world.random) {
        case 0..<400: add(&world)
        case 400..<850: remove(&world)
        case 850..<960: addObject(&world)
        case 960..<970: try keep(&world)
        case 970..<975: free(&world)
        case 975..<978: try pin(&world)
        case 978..<982: register(&world)
        case 982..<995: clear(&world, node: world.node(), process: world.process())
        default: clear(&world, node: world.node(), process: nil)
        }
    }

    private func withName<Value>(
        _ node: String, _ body: (UnsafeBufferPointer<UInt8>) throws -> Value
    ) rethrows -> Value {
        try Array(node.utf8).withUnsafeBufferPointer(body)
    }

    private func holding(_ world: inout World) -> Holding {
        let type = ReferenceType.allCases.randomElement(using: &world.random) ?? .localReference
        return Holding(
            node: world.node(), process: world.process(), type: type, object: world.object())
    }

    private func add(_ world: inout World) {
        let holding = holding(&world)
        // A sweep that lags may have freed the object before this reference came.
        noteFreed(&world, holding.object)
        let size = UInt64.random(in: 0..<1000, using: &world.random)
        let site = Array("file\(size % 7):\(holding.process)".utf8)
        let isNew = withName(holding.node) { name in
            site.withUnsafeBufferPointer { site in
                var new = NewReference(
                    holder: HolderName(node: name, process: holding.process), type: holding.type,
                    object: holding.object)
                new.size = size
                new.site = site
                return world.store.addReference(new)
            }
        }
        #expect(isNew == (world.held[holding] == nil))
        world.held[holding] = size
        if holding.type != .pinnedInMemory { world.claimed.insert(holding.object) }
        let wasLost = world.lost.remove(holding.object) != nil
        let wasDoubtful = world.doubtful.remove(holding.object) != nil
        if wasLost || wasDoubtful { world.perhapsClaimed.insert(holding.object) }
    }

    private func remove(_ world: inout World) {
        var holding = holding(&world)
        if let known = world.held.keys.first, Bool.random(using: &world.random) { holding = known }
        let wasKnown = withName(holding.node) { name in
            world.store.removeReference(
                HolderName(node: name, process: holding.process), holding.type, holding.object)
        }
        #expect(wasKnown == (world.held[holding] != nil))
        drop(&world) { $0 == holding }
    }

    private func clear(_ world: inout World, node: String, process: UInt32?) {
        let count = withName(node) { name in
            guard let process else { return world.store.clearReferences(ofNode: name) }
            return world.store.clearReferences(HolderName(node: name, process: process))
        }
        let before = world.held.count
        drop(&world) { $0.node == node && (process == nil || $0.process == process) }
        #expect(count == before - world.held.count)
    }

    /// A node that registers tells anew which objects its store sees pinned.
    private func register(_ world: inout World) {
        let node = world.node()
        withName(node) { _ = world.store.registerNode($0, address: nil, store: nil) }
        drop(&world) { $0.node == node && $0.type == .pinnedInMemory }
    }

    /// Forgets holdings; objects that had some and have none are lost.
    private func drop(_ world: inout World, _ isGone: (Holding) -> Bool) {
        let gone = world.held.keys.filter(isGone)
        for holding in gone { world.held[holding] = nil }
        let held = Set(world.held.keys.map(\.object))
        for object in Set(gone.map(\.object)).subtracting(held) {
            if world.claimed.remove(object) != nil {
                world.lost.insert(object)
            } else if world.perhapsClaimed.contains(object) {
                world.doubtful.insert(object)
            }
            world.perhapsClaimed.remove(object)
        }
    }

    private func addObject(_ world: inout World) {
        let object = world.object()
        noteFreed(&world, object)
        if !world.objects.contains(object), world.lost.remove(object) != nil {
            world.doubtful.insert(object)
        }
        withName("n0") { name in
            #expect(throws: Never.self) {
                try world.store.addObject(object, node: name, size: 1, isSecondary: false)
            }
        }
        world.objects.insert(object)
    }

    private func keep(_ world: inout World) throws {
        let batch = BatchID(rawValue: 1)
        let object = world.object()
        guard object.batch == batch else { return }
        noteFreed(&world, object)
        guard world.objects.contains(object) else { return }
        _ = try world.store.keep([object], in: batch)
        world.kept.insert(object)
    }

    private func pin(_ world: inout World) throws {
        let object = world.object()
        noteFreed(&world, object)
        guard world.objects.contains(object) else { return }
        _ = try world.store.pin([object])
        world.pinned.insert(object)
    }

    private func free(_ world: inout World) {
        let object = world.object()
        noteFreed(&world, object)
        let freed = world.store.freeObjects([object])
        guard !world.pinned.contains(object) else { return #expect(freed == 0) }
        #expect(freed == (world.objects.contains(object) ? 1 : 0))
        if freed == 1 { world.unannounced.insert(object) }
        world.objects.remove(object)
        world.kept.remove(object)
    }

    /// Notes that the store freed an object; only one that lost its last reference may go.
    private func noteFreed(_ world: inout World, _ object: RecordID) {
        guard world.objects.contains(object), !world.store.exists(object, .object) else { return }
        let mayGo = world.lost.contains(object) || world.doubtful.contains(object)
        #expect(mayGo && world.store.isCountingReferences && !world.spared.contains(object))
        world.objects.remove(object)
        world.unannounced.insert(object)
    }

    private func takeAnnouncements(_ world: inout World) {
        for object in world.objects { noteFreed(&world, object) }
        for deletion in world.store.announcements {
            guard case .objects(let ids) = deletion.subject else {
                Issue.record("a batch was collected")
                continue
            }
            #expect(world.unannounced.isSuperset(of: ids))
            world.unannounced.subtract(ids)
        }
        world.store.announcements = []
    }

    private func compare(_ world: inout World) {
        #expect(world.store.referenceCount == world.held.count)
        var wanted: [RecordID: Int] = [:]
        for holding in world.held.keys { wanted[holding.object, default: 0] += 1 }
        for batch in 0...1 {
            for unique in 0..<30 {
                let object = RecordID(
                    batch: BatchID(rawValue: Int64(batch)), unique: UInt64(unique), index: 1)
                #expect(world.store.referenceCount(of: object) == wanted[object] ?? 0)
                #expect(world.store.references(to: object).count == wanted[object] ?? 0)
                #expect(world.store.exists(object, .object) == world.objects.contains(object))
            }
        }
        var shown: [Holding: UInt64?] = [:]
        var cursor: UInt64 = 0
        repeat {
            cursor = world.store.scanReferences(from: cursor, budget: 100) { reference in
                let holding = Holding(
                    node: String(decoding: reference.node, as: UTF8.self),
                    process: reference.process, type: reference.type, object: reference.object)
                #expect(shown.updateValue(reference.size, forKey: holding) == nil)
                let site = "file\((reference.size ?? 0) % 7):\(reference.process)"
                #expect(reference.site == Array(site.utf8))
            }
        } while cursor > 0
        #expect(shown == world.held.mapValues { $0 })
        compareTallies(&world)
    }

    private func compareTallies(_ world: inout World) {
        for type in ReferenceType.allCases {
            let wanted = world.held.filter { $0.key.type == type }
            let tally = world.store.referenceTallies[type]
            #expect(Int(tally.count) == wanted.count && tally.unsizedCount == 0)
            #expect(tally.byteCount == wanted.values.reduce(0, +))
            for node in world.store.knownNodes {
                let name = String(decoding: node.name, as: UTF8.self)
                let sizes = wanted.filter { $0.key.node == name }.values
                let told = world.store.referenceTallies(of: node)[type]
                #expect(Int(told.count) == sizes.count && told.byteCount == sizes.reduce(0, +))
            }
        }
    }
}
