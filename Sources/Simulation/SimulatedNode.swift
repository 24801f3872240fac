internal import Identifiers
internal import NodeManager

/// A machine: a store, and the agent in its present life.
struct SimulatedNode {
    var manager: NodeManager
    var store = StoreModel()
    let name: String
    /// Milliseconds that the machine's clock is ahead of the server's.
    let skew: Int64
    /// Lives of the agent and of the store, and connections between them.
    var life = 0
    var storeLife = 0
    var connection = 0
    var isRunning = true
    var isConnected = false
    var control: Int?
    var subscription: Int?
    /// When what was last sent between agent and store arrives.
    var askedAt: Int64 = 0
    var answeredAt: Int64 = 0
    var toldAt: Int64 = 0
    /// Objects that have to go, because a deletion was about them when they were here.
    var mustGo: Set<RecordID> = []
    /// Whether the server in its present life has this node registered.
    var isRegistered = false
    /// Whether it has read nothing since its link was cut; for planted bugs.
    var hasReconnected = false

    init(_ number: Int, _ plan: Plan, skew: Int64) {
        name = "n\(number)"
        self.skew = skew
        manager = Self.makeManager(name, plan)
    }

    private static func makeManager(_ name: String, _ plan: Plan) -> NodeManager {
        var configuration = NodeManager.Configuration(nodeID: name)
        configuration.deletionChunkCount = plan.chunkCount
        configuration.logPageCount = plan.pageCount
        configuration.reportWindowCount = plan.windowCount
        return NodeManager(configuration)
    }

    /// The agent forgets everything.
    mutating func forget(_ plan: Plan) { manager = Self.makeManager(name, plan) }
}
