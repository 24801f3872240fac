internal import Identifiers

/// What the server must know, and what may be deleted: the contract's rules, written plainly.
///
/// Sets and dictionaries, walked whole; nothing of how the server does it. It hears of every command
/// where the server sends the reply, before the network can lose that, so it never has to guess whether
/// a command was carried out.
struct Model {
    enum Status: String {
        case active
        case done
        case deferred
    }

    struct Batch {
        var parent: BatchID
        var status = Status.active
        var isNoCleanup = false
        /// Taken along by the end of its parent: it waits for it.
        var goesWithParent = false
        /// Milliseconds of the server's clock; 0 for never.
        var deadline: Int64 = 0
        /// Owners of objects that its tasks named, and batches that DEPEND named.
        var named: Set<BatchID> = []
        var explicit: Set<BatchID> = []
    }

    struct Object {
        var owner: BatchID
        var isKept = false
        var isPinned = false
        /// Whether only its pin keeps it.
        var isOrphan = false
        /// Whether it lost its last reference while it was kept or pinned.
        var isUnreferenced = false
        var nodes: Set<String> = []
    }

    struct Task {
        var owner: BatchID
        var state = "PENDING"
        var actor: RecordID?
        var arguments: [RecordID] = []
        /// Its number among all tasks on actors, by first ADD.
        var turn = 0
    }

    struct Reference: Hashable {
        var node: String
        var process: String
        var type: String
        var object: RecordID
    }

    /// Batches that live, without the root.
    var batches: [BatchID: Batch] = [:]
    /// Batches that ended in this life of the server.
    private(set) var ended: Set<BatchID> = []
    var records: [RecordID: Object] = [:]
    var tasks: [RecordID: Task] = [:]
    /// Who had tasks on an actor since its last checkpoint, in order.
    var actors: [RecordID: [(turn: Int, batch: BatchID)]] = [:]
    var lastTurn = 0
    var references: Set<Reference> = []
    /// Objects that have references, one of which was more than a pin of a store.
    var claimed: Set<RecordID> = []
    /// When each registered node was last heard of.
    var lastSeen: [String: Int64] = [:]
    /// When a process of a node last told of a reference.
    var lastReferred: [String: Int64] = [:]
    /// Nodes that the server has heard the name of.
    var knownNodes: Set<String> = []
    /// Whether an object that lost its last reference is freed.
    let isCounting: Bool

    /// Objects that were put, or named in a command.
    private(set) var objects: Set<RecordID> = []
    /// Objects that some deletion was about, ever: a node may delete them.
    private(set) var mayGo: Set<RecordID> = []
    /// Objects that a deletion was about since this was last emptied.
    var condemned: [RecordID] = []
    private var everEnded: Set<BatchID> = []

    init(isCounting: Bool) { self.isCounting = isCounting }

    /// Who owns a new record of this id; `nil` when its batch has ended.
    func home(of id: RecordID) -> BatchID? {
        if id.batch == .root || batches[id.batch] != nil { return id.batch }
        return ended.contains(id.batch) ? nil : .root
    }

    /// Who owns an object, or would.
    func owner(of id: RecordID) -> BatchID? { records[id]?.owner ?? home(of: id) }

    /// An object was put into a store.
    mutating func put(_ id: RecordID) {
        objects.insert(id)
        // Put after its batch ended, or where the server that knew has forgotten it.
        let isAtHome = records[id].map { $0.owner == id.batch } ?? true
        if isAtHome, everEnded.contains(id.batch) { mayGo.insert(id) }
    }

    /// The server lost its memory.
    mutating func forget() {
        var new = Model(isCounting: isCounting)
        (new.objects, new.mayGo, new.everEnded) = (objects, mayGo, everEnded)
        self = new
    }

    /// The server is there again with all that it knew, but for what stores tell it anew; a silent node
    /// is silent from now on.
    mutating func restart(at now: Int64) {
        references = references.filter { $0.type != "PINNED_IN_MEMORY" }
        claimed.formIntersection(references.map(\.object))
        for name in lastSeen.keys { lastSeen[name] = now }
    }

    /// An object has a record from now on; what is not there yet belongs to the batch in its id.
    mutating func record(_ id: RecordID) {
        objects.insert(id)
        if records[id] == nil { records[id] = Object(owner: home(of: id) ?? .root) }
    }

    /// A deletion is about an object.
    mutating func condemn(_ id: RecordID) {
        records[id] = nil
        mayGo.insert(id)
        condemned.append(id)
    }

    mutating func bury(_ id: BatchID) {
        batches[id] = nil
        ended.insert(id)
        everEnded.insert(id)
    }
}
