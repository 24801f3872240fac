import Identifiers
import NodeManager
import Testing

/// Random lives of a node, each from one seed: everything happens at every moment; then all is
/// healed, and what must be there is, what must be gone is not.
@Suite struct ChaosTests {
    @Test("nothing is deleted too early and nothing is forgotten", arguments: 0..<150)
    func nothingLost(seed: UInt64) {
        var chaos = Chaos(seed: seed, losesMemory: false)
        chaos.run()
        #expect(Set(chaos.world.store.objects.keys) == chaos.alive, "seed \(seed)")
        #expect(chaos.located == chaos.alive, "seed \(seed)")
        #expect(chaos.world.acknowledged ?? .zero == chaos.world.server.log.last?.id ?? .zero)
        #expect(chaos.world.manager.isIdle, "seed \(seed)")
    }

    @Test(
        "with logs trimmed and servers that forget, still nothing is deleted too early",
        arguments: 0..<150)
    func nothingTooEarly(seed: UInt64) {
        var chaos = Chaos(seed: seed, losesMemory: true)
        chaos.run()
        #expect(chaos.alive.isSubset(of: chaos.world.store.objects.keys), "seed \(seed)")
        #expect(chaos.located == Set(chaos.world.store.objects.keys), "seed \(seed)")
        #expect(chaos.world.manager.isIdle, "seed \(seed)")
    }
}

/// A world in which random things happen, and what has to come of them.
private struct Chaos {
    var world = World {
        $0.deletionChunkCount = 3
        $0.reportWindowCount = 4
        $0.logPageCount = 2
    }
    /// Objects that nobody deleted.
    var alive: Set<RecordID> = []
    private var generator: SplitMix
    private let losesMemory: Bool
    private var nextUnique: UInt64 = 0
    private var nextBatch: Int64 = 1
    /// Kept when their batch ended; they may be put later.
    private var kept: Set<RecordID> = []
    private var inUse: [RecordID] = []

    init(seed: UInt64, losesMemory: Bool) {
        generator = SplitMix(state: seed)
        self.losesMemory = losesMemory
    }

    var located: Set<RecordID> {
        Set(world.server.locations.filter { $0.value.contains(World.node) }.keys)
    }

    mutating func run() {
        for _ in 0..<400 { step() }
        for id in inUse { world.store.release(id) }
        if !world.isStoreUp { world.connectStore() }
        if !world.isServerUp { world.connectServer() }
        world.settle()
        for _ in 0..<10 {
            world.advance(1000)
            world.settle()
        }
    }

    private mutating func step() {
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<30: put()
        case 30..<34: end()
        case 34..<38: free()
        case 38..<41: evict()
        case 41..<43: release()
        case 43..<55: world.storeTells()
        case 55..<65: world.storeAnswers()
        case 65..<80: world.serverAnswers()
        case 80..<90:
            // Notifications are late, but never by seconds.
            world.storeTells()
            world.advance(Int64.random(in: 1...1500, using: &generator))
        case 90..<93: if world.isServerUp { world.cutServer() } else { world.connectServer() }
        case 93..<95: if world.isStoreUp { world.cutStore() } else { world.connectStore() }
        case 95: world.restartManager()
        case 96: storeDies()
        case 97 where losesMemory: forget()
        case 98 where losesMemory: world.server.trimLog()
        default: if !world.isServerUp { world.connectServer() }
        }
    }

    private mutating func put() {
        let batch = Int64.random(in: max(1, nextBatch - 2)...nextBatch + 2, using: &generator)
        nextUnique += 1
        let isInUse = Int.random(in: 0..<10, using: &generator) == 0
        let late = kept.subtracting(world.store.objects.keys).min { $0.unique < $1.unique }
        let id = isInUse ? object(batch, nextUnique) : late ?? object(batch, nextUnique)
        kept.remove(id)
        world.store.put(id, at: world.now, isInUse: isInUse)
        if isInUse { inUse.append(id) }
        if !world.server.ended.contains(batch) || world.server.records.contains(id) {
            alive.insert(id)
        }
    }

    private mutating func end() {
        let batch = nextBatch
        nextBatch += 1
        let members = alive.filter { $0.batch.rawValue == batch }.sorted { $0.unique < $1.unique }
        var stay = members.filter { _ in Int.random(in: 0..<4, using: &generator) == 0 }
        nextUnique += 1
        let notPutYet = object(batch, nextUnique)
        stay.append(notPutYet)
        kept.insert(notPutYet)
        let others = alive.filter { $0.batch.rawValue != batch }.sorted { $0.unique < $1.unique }
        let adopted = others.filter { _ in Int.random(in: 0..<8, using: &generator) == 0 }
        alive.subtract(Set(members).subtracting(stay))
        alive.subtract(adopted)
        world.endBatch(batch, kept: stay, adopted: adopted)
    }

    private mutating func free() {
        let ids = alive.sorted { $0.unique < $1.unique }
            .filter { _ in Int.random(in: 0..<8, using: &generator) == 0 }
        alive.subtract(ids)
        world.free(ids)
    }

    private mutating func evict() {
        let free = world.store.objects.filter { !$0.value.isInUse }.keys
        guard let id = free.sorted(by: { $0.unique < $1.unique }).randomElement(using: &generator)
        else { return }
        alive.remove(id)
        world.store.evict(id)
    }

    private mutating func release() {
        guard !inUse.isEmpty else { return }
        world.store.release(inUse.removeFirst())
    }

    private mutating func storeDies() {
        if world.isStoreUp { world.cutStore() }
        world.store = ModelStore()
        inUse = []
        alive = []
    }

    private mutating func forget() {
        if world.isServerUp { world.cutServer() }
        world.server.restart()
        kept = []
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
