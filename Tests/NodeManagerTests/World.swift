import Identifiers
import NodeManager
import RESP

/// A node manager between a model store and a model server, on a clock that the test turns.
///
/// What the manager asks waits in `toServer` and `toStore` until the test lets it through.
struct World {
    static let node = "n1"

    var manager: NodeManager
    var server = ModelServer()
    var store = ModelStore()
    /// Milliseconds since 1970; starts on a whole second.
    var now: Int64 = 1_700_000_000_000
    var isStoreUp = false
    var isServerUp = false
    var toServer: [(Int, [String])] = []
    var toStore: [NodeManager.Output] = []
    var said: [String] = []
    /// From where on the store was asked who uses what; `nil` until it is asked.
    var pinsAskedFrom: Int64?
    var isUsageAsked = false
    var spillRequests: [NodeManager.SpillRequest] = []

    init(_ change: (inout NodeManager.Configuration) -> Void = { _ in }) {
        manager = NodeManager(Self.configuration(change))
    }

    private static func configuration(
        _ change: (inout NodeManager.Configuration) -> Void
    ) -> NodeManager.Configuration {
        var configuration = NodeManager.Configuration(
            nodeID: node, address: "10.0.0.1", storePath: "/tmp/s")
        change(&configuration)
        return configuration
    }

    mutating func take(_ input: NodeManager.Input) {
        for output in manager.handle(input, at: now) {
            switch output {
            case .send(let number, let words): toServer.append((number, words))
            case .delete, .list, .drain: toStore.append(output)
            case .askPins(let sequence): pinsAskedFrom = sequence
            case .askUsage: isUsageAsked = true
            case .spilling(let request): spillRequests.append(request)
            case .say(_, let text): said.append(text)
            }
        }
    }

    mutating func connectStore() {
        isStoreUp = true
        store.subscribe()
        take(.storeConnected)
    }

    mutating func connectServer() {
        isServerUp = true
        take(.serverConnected)
    }

    /// Both sides, and all that follows.
    mutating func connect() {
        connectStore()
        connectServer()
        settle()
    }

    mutating func cutServer() {
        isServerUp = false
        toServer = []
        take(.serverLost)
    }

    /// The connection only: the store lives on.
    mutating func cutStore() {
        isStoreUp = false
        toStore = []
        store.changes = []
        take(.storeLost)
    }

    /// The node manager dies without a word, and another one starts where it was.
    mutating func restartManager() {
        isStoreUp = false
        isServerUp = false
        toStore = []
        toServer = []
        store.changes = []
        manager = NodeManager(Self.configuration { _ in })
    }

    /// Lets the server answer what was sent so far, without what that leads to.
    mutating func serverAnswers() {
        let sent = toServer
        toServer = []
        for (number, words) in sent { take(.reply(number, server.answer(words, at: now))) }
    }

    mutating func storeTells() {
        guard isStoreUp, !store.changes.isEmpty else { return }
        let changes = store.changes
        store.changes = []
        take(.storeChanged(changes))
    }

    /// Lets the store answer its oldest request.
    mutating func storeAnswers() {
        guard !toStore.isEmpty else { return }
        switch toStore.removeFirst() {
        case .list: take(.storeListed(store.list()))
        case .delete(let ids): take(.storeDeleted(store.delete(ids)))
        case .drain:
            storeTells()
            take(.storeDrained)
        case .send, .say, .askPins, .askUsage, .spilling: break
        }
    }

    /// Everything that is under way, until nothing is.
    mutating func settle() {
        while !toStore.isEmpty || !toServer.isEmpty || (isStoreUp && !store.changes.isEmpty) {
            storeTells()
            storeAnswers()
            serverAnswers()
        }
    }

    mutating func advance(_ milliseconds: Int64) {
        now += milliseconds
        take(.tick)
    }

    mutating func endBatch(
        _ batch: Int64, kept: [RecordID] = [], adopted: [RecordID] = []
    ) {
        server.end(batch, at: now, kept: kept, adopted: adopted)
        if isServerUp { take(.message) }
    }

    mutating func free(_ ids: [RecordID]) {
        server.free(ids, at: now)
        if isServerUp { take(.message) }
    }

    func has(_ id: RecordID) -> Bool { store.objects[id] != nil }
    func isLocated(_ id: RecordID) -> Bool { server.locations[id]?.contains(Self.node) == true }
    var acknowledged: LogID? { server.acknowledged[Self.node] }
    func heard(_ command: String) -> [[String]] {
        server.heard.filter { $0.joined(separator: " ").hasPrefix(command) }
    }
}

/// Object `unique` of a batch.
func object(_ batch: Int64, _ unique: UInt64) -> RecordID {
    RecordID(batch: BatchID(rawValue: batch), unique: unique, index: 1)
}

func objects(_ batch: Int64, _ range: Range<UInt64>) -> [RecordID] {
    range.map { object(batch, $0) }
}
