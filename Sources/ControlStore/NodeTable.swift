public import Identifiers

/// A node: one machine, with its node manager and its object store.
public struct Node: Sendable {
    /// Its id.
    public let name: [UInt8]
    /// Where other nodes reach it.
    public internal(set) var address: [UInt8] = []
    /// Its object store's socket.
    public internal(set) var store: [UInt8] = []
    /// Milliseconds since 1970; 0 for a node that only locations name.
    public internal(set) var registeredAt: Int64 = 0
    /// Milliseconds since 1970 of its last registration, heartbeat or acknowledgement.
    public internal(set) var lastSeenAt: Int64 = 0
    /// The last deletion it carried out.
    public internal(set) var acknowledged = LogID.zero
    /// Milliseconds of silence since it was last seen.
    var silence: Int64 = 0
    /// Whether it was silent for so long that it counts as gone.
    public internal(set) var isLost = false
    /// What its last heartbeat told: field, value, field, value.
    public internal(set) var fields: [[UInt8]] = []
    /// What stands for it in locations; another one after each registration, so that what it reported
    /// before is forgotten at once.
    var number: UInt32
    /// What stands for it in the table of references, while its processes hold any.
    var holder = none
    /// The same for pins, while its store tells any.
    var pinHolder = none

    /// The log's last segment when it was told, or an earlier one.
    var toldSegment: UInt32 = 0

    /// Whether deletions wait for it.
    public var isRegistered: Bool { registeredAt > 0 }

    /// Whether `name` may be a node's id: 1 to 64 of `A-Z a-z 0-9 . _ : -`.
    public static func isValid(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        guard (1...64).contains(name.count) else { return false }
        return name.allSatisfy { byte in
            switch byte {
            case 0x30...0x3a, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
            default: false
            }
        }
    }
}

/// Nodes by name and by number; hundreds, so that plain arrays serve.
struct NodeTable: ~Copyable {
    private var index = HashIndex()
    private(set) var nodes: [Node?] = []
    private var freePositions: [Int] = []
    /// The position of the node that a number stands for; -1 once it stands for none.
    private var positions: [Int32] = []
    /// Nodes that deletions wait for.
    private(set) var registeredCount = 0

    func position(of name: UnsafeBufferPointer<UInt8>, _ seeds: HashSeeds) -> Int? {
        let place = index.find(seeds.hash(name)) { position in
            nodes.withUnsafeBufferPointer { nodes in
                nodes[Int(position)]?.name.withUnsafeBufferPointer { other in
                    other.count == name.count && other.elementsEqual(name)
                } ?? false
            }
        }
        return place.map { Int($0.pointee) }
    }

    /// The node of this name, known from now on.
    mutating func positionOrNew(_ name: UnsafeBufferPointer<UInt8>, _ memory: inout Memory) -> Int {
        let seeds = memory.seeds
        if let position = position(of: name, seeds) { return position }
        let node = Node(name: Array(name), number: UInt32(positions.count))
        let position = takeFreePosition()
        if position == nodes.count { nodes.append(node) } else { nodes[position] = node }
        positions.append(Int32(position))
        file(position, &memory)
        return position
    }

    /// A place without a node; loading fills places that count as free.
    private mutating func takeFreePosition() -> Int {
        while let position = freePositions.popLast() {
            if nodes[position] == nil { return position }
        }
        return nodes.count
    }

    /// Numbers given so far.
    var numberCount: Int { positions.count }

    /// Gives no number below `count` any more; numbers passed over stand for no node.
    mutating func raiseNumberCount(to count: Int) {
        while positions.count < min(count, 1 << 30) { positions.append(-1) }
    }

    /// Makes a node what it was.
    ///
    /// Whoever is in its place, and was made up because something named it before it was told of, moves
    /// until it is told of itself.
    ///
    /// - Returns: the places whose nodes are others now.
    mutating func load(_ loaded: LoadedNode, now: Int64, _ memory: inout Memory) -> [Int] {
        raiseNumberCount(to: loaded.numberCount)
        let known = loaded.name.withUnsafeBufferPointer { position(of: $0, memory.seeds) }
        let holders = known.flatMap { nodes[$0] }.map { ($0.holder, $0.pinHolder) } ?? (none, none)
        if let known { remove(at: known, memory.seeds) }
        while nodes.count <= loaded.position { nodes.append(nil) }
        var changed = [loaded.position]
        if let displaced = nodes[loaded.position] {
            remove(at: loaded.position, memory.seeds)
            changed.append(nodes.count)
            nodes.append(displaced)
            put(displaced, at: nodes.count - 1, &memory)
        }
        var node = Node(name: loaded.name, number: loaded.number)
        node.address = loaded.address
        node.store = loaded.store
        node.registeredAt = loaded.registeredAt
        node.acknowledged = loaded.acknowledged
        node.lastSeenAt = now
        (node.holder, node.pinHolder) = holders
        put(node, at: loaded.position, &memory)
        return changed
    }

    private mutating func put(_ node: Node, at position: Int, _ memory: inout Memory) {
        if node.isRegistered { registeredCount += 1 }
        nodes[position] = node
        positions[Int(node.number)] = Int32(position)
        file(position, &memory)
    }

    /// Finds the places without a node; after loading, which fills places in any order.
    mutating func findFreePositions() {
        freePositions = nodes.indices.filter { nodes[$0] == nil }
    }

    private mutating func file(_ position: Int, _ memory: inout Memory) {
        guard let node = nodes[position] else { return }
        let seeds = memory.seeds
        var grown = index
        grown.insert(
            node.name.withUnsafeBufferPointer { seeds.hash($0) }, UInt32(position), &memory.pool
        ) { other in
            nodes[Int(other)]?.name.withUnsafeBufferPointer { seeds.hash($0) } ?? 0
        }
        index = grown
    }

    func number(at position: Int) -> UInt32 {
        nodes.withUnsafeBufferPointer { $0[position]?.number ?? 0 }
    }

    func holder(at position: Int, _ type: ReferenceType) -> UInt32 {
        nodes.withUnsafeBufferPointer {
            (type.isClaim ? $0[position]?.holder : $0[position]?.pinHolder) ?? none
        }
    }

    mutating func setHolder(_ holder: UInt32, at position: Int, _ type: ReferenceType) {
        update(at: position) { node in
            if type.isClaim { node.holder = holder } else { node.pinHolder = holder }
        }
    }

    /// The node that a number in a location stands for; `nil` when it stands for none any more.
    func node(_ number: UInt32) -> Node? {
        guard Int(number) < positions.count else { return nil }
        let position = positions[Int(number)]
        return position < 0 ? nil : nodes[Int(position)]
    }

    func isAlive(_ number: UInt32) -> Bool {
        positions.withUnsafeBufferPointer { Int(number) < $0.count && $0[Int(number)] >= 0 }
    }

    /// Gives the node another number: what it reported before is forgotten.
    mutating func register(at position: Int, now: Int64) {
        guard var node = nodes[position] else { return }
        if !node.isRegistered { registeredCount += 1 }
        positions[Int(node.number)] = -1
        node.number = UInt32(positions.count)
        node.registeredAt = now
        positions.append(Int32(position))
        nodes[position] = node
    }

    mutating func update(at position: Int, _ change: (inout Node) -> Void) {
        guard var node = nodes[position] else { return }
        change(&node)
        nodes[position] = node
    }

    mutating func remove(at position: Int, _ seeds: HashSeeds) {
        guard let node = nodes[position] else { return }
        if node.isRegistered { registeredCount -= 1 }
        positions[Int(node.number)] = -1
        var edited = index
        _ = edited.remove(node.name.withUnsafeBufferPointer { seeds.hash($0) }) {
            Int($0) == position
        }
        index = edited
        nodes[position] = nil
        freePositions.append(position)
    }

    /// The last deletion that every registered node carried out; `nil` when none is registered.
    var acknowledgedByAll: LogID? {
        nodes.lazy.compactMap { $0 }.filter(\.isRegistered).map(\.acknowledged).min()
    }
}
