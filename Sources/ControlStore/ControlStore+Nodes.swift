public import Identifiers

extension ControlStore {
    /// Takes a node in, and forgets where it reported objects before, and which its store saw pinned.
    ///
    /// - Returns: the last deletion it carried out; zero for a new one.
    public mutating func registerNode(
        _ name: UnsafeBufferPointer<UInt8>, address: [UInt8]?, store: [UInt8]?
    ) -> LogID {
        let position = nodePositionOrNew(name)
        nodes.register(at: position, now: now)
        _ = clearPins(ofNodeAt: position)
        var acknowledged = LogID.zero
        nodes.update(at: position) { node in
            if let address { node.address = address }
            if let store { node.store = store }
            node.lastSeenAt = now
            node.silence = 0
            node.isLost = false
            acknowledged = node.acknowledged
        }
        acknowledgedByAll = nodes.acknowledgedByAll ?? .zero
        noteNode(at: position)
        return acknowledged
    }

    /// Notes that a registered node lives.
    public mutating func noteHeartbeat(
        _ name: UnsafeBufferPointer<UInt8>, fields: [[UInt8]]
    ) throws(StoreError) {
        let position = try registered(name)
        nodes.update(at: position) { node in
            node.lastSeenAt = now
            node.silence = 0
            node.isLost = false
            node.fields = fields
        }
    }

    /// Notes that a registered node carried out every deletion up to `id`.
    public mutating func acknowledge(
        _ name: UnsafeBufferPointer<UInt8>, upTo id: LogID
    ) throws(StoreError) {
        let position = try registered(name)
        guard id <= log.lastID else { throw .acknowledgedTooMuch }
        nodes.update(at: position) { node in
            node.lastSeenAt = now
            node.silence = 0
            node.isLost = false
            node.acknowledged = max(node.acknowledged, id)
        }
        noteNode(at: position)
        acknowledgedByAll = nodes.acknowledgedByAll ?? .zero
    }

    /// The place of the node of this name, known from now on.
    mutating func nodePositionOrNew(_ name: UnsafeBufferPointer<UInt8>) -> Int {
        let known = nodes.numberCount
        let position = nodes.positionOrNew(name, &memory)
        if nodes.numberCount != known { noteNode(at: position) }
        return position
    }

    private mutating func noteNode(at position: Int) {
        if let node = nodes.nodes[position] { journal.noteNode(node.name) }
    }

    private func registered(_ name: UnsafeBufferPointer<UInt8>) throws(StoreError) -> Int {
        guard let position = nodes.position(of: name, memory.seeds),
            nodes.nodes[position]?.isRegistered == true
        else { throw .noNode }
        return position
    }

    /// Forgets a node, its copies and what its processes hold; deletions no longer wait for it.
    ///
    /// - Returns: whether it was known.
    public mutating func removeNode(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let position = nodes.position(of: name, memory.seeds) else { return false }
        noteNode(at: position)
        _ = clearReferences(ofNodeAt: position, isSilent: false)
        nodes.remove(at: position, memory.seeds)
        acknowledgedByAll = nodes.acknowledgedByAll ?? .zero
        return true
    }

    /// A node by its name.
    public func node(_ name: UnsafeBufferPointer<UInt8>) -> Node? {
        nodes.position(of: name, memory.seeds).flatMap { nodes.nodes[$0] }
    }

    /// Every node known, in no order.
    public var knownNodes: [Node] { nodes.nodes.compactMap { $0 } }
}
