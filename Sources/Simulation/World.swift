internal import Identifiers
internal import NodeManager
internal import RESP

/// One server, some nodes and drivers, on a clock and a network of their own; all from one seed.
struct World: ~Copyable {
    /// 2023-11-14 22:13:20 UTC, in milliseconds.
    static let start: Int64 = 1_700_000_000_000

    let plan: Plan
    let plantedMistake: Mistake?
    var random: Random
    var agenda = Agenda()
    var now = World.start
    var server: SimulatedServer
    var isServerUp = true
    var links: [Link] = []
    var nodes: [SimulatedNode] = []
    var drivers: [Driver] = []
    var model: Model
    var isHealed = false
    var isOver = false
    /// What went wrong; the world stops there.
    var failure: String?
    var eventCount = 0
    var lastBatch: Int64 = 0
    var lastUnique: UInt64 = 0
    /// `nil` when nobody wants to read it.
    let trace: ((String) -> Void)?

    init(seed: UInt64, planting mistake: Mistake?, trace: ((String) -> Void)?) {
        var random = Random(seed: seed)
        plan = Plan(&random)
        plantedMistake = mistake
        model = Model(isCounting: plan.isCounting)
        server = SimulatedServer(seed: random.next(), plan, at: World.start)
        self.trace = trace
        self.random = random
        for number in 1...plan.nodeCount {
            let skew = self.random.number(-20_000...20_000)
            nodes.append(SimulatedNode(number, plan, skew: skew))
        }
        drivers = Array(repeating: Driver(), count: plan.driverCount)
        note("plan \(plan)")
        schedule()
    }

    private mutating func schedule() {
        agenda.add(.serverTick, at: now)
        for index in nodes.indices { startNode(index) }
        for index in drivers.indices {
            agenda.add(.connect(.driver(index)), at: now)
            agenda.add(.driverActs(index), at: now + 10)
        }
        agenda.add(.fault, at: now + 1000)
        agenda.add(.heal, at: now + plan.chaos)
        agenda.add(.check(attempt: 0), at: now + plan.chaos + Plan.healing)
    }

    mutating func run() {
        while failure == nil, !isOver, let (time, event) = agenda.next() {
            now = time
            eventCount += 1
            handle(event)
        }
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .toServer(let link, let bytes): serverReceives(bytes, link)
        case .toClient(let link, let bytes): clientReceives(bytes, link)
        case .serverHearsEnd(let link): serverLoses(link)
        case .clientHearsEnd(let link): clientLoses(link)
        case .serverTick:
            turnServer()
            agenda.add(.serverTick, at: now + 100)
        case .serverStarts: startServer()
        case .connect(let peer): connect(peer)
        case .driverActs(let driver): act(driver)
        case .lateWrite(let id, let node): put(id, at: node)
        case .fault: breakSomething()
        case .heal: heal()
        case .check(let attempt): check(attempt)
        case .nodeTick, .nodeStarts, .connectStore, .storeAsked, .storeTells, .release:
            handleNode(event)
        }
    }

    private mutating func handleNode(_ event: Event) {
        switch event {
        case .nodeTick(let node, let life): tick(node, life)
        case .nodeStarts(let node): startNode(node)
        case .connectStore(let node, let life): connectStore(node, life)
        case .storeAsked(let node, let connection, let output):
            storeAsked(node, connection, output)
        case .storeTells(let node, let connection, let input):
            guard nodes[node].connection == connection else { return }
            give(input, to: node)
        case .release(let node, let storeLife, let id):
            guard nodes[node].storeLife == storeLife else { return }
            release(id, at: node)
        default: preconditionFailure("an event that is none of a node's")
        }
    }

    mutating func fail(_ text: String) {
        guard failure == nil else { return }
        failure = text
        note("FAILED: \(text)")
    }

    /// Tells what happened, one line per event; it is not made up when nobody reads it.
    func note(_ text: @autoclosure () -> String) {
        guard let trace else { return }
        let time = now - World.start
        let seconds = String(time / 1000)
        let padding = String(repeating: " ", count: max(3 - seconds.count, 0))
        trace("\(padding)\(seconds).\(String(1000 + time % 1000).dropFirst())  \(text())")
    }
}
