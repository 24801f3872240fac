internal import Identifiers
internal import NodeManager
internal import RESP

/// Agents and their stores.
extension World {
    mutating func startNode(_ node: Int) {
        nodes[node].life += 1
        nodes[node].isRunning = true
        let life = nodes[node].life
        note("\(nodes[node].name) starts")
        agenda.add(.nodeTick(node, life: life), at: now + 200)
        agenda.add(.connectStore(node, life: life), at: now + random.number(0...100))
        agenda.add(.connect(.control(node: node, life: life)), at: now + random.number(0...100))
        agenda.add(
            .connect(.subscription(node: node, life: life)), at: now + random.number(0...100))
    }

    mutating func tick(_ node: Int, _ life: Int) {
        guard nodes[node].isRunning, nodes[node].life == life else { return }
        give(.tick, to: node)
        agenda.add(.nodeTick(node, life: life), at: now + 200)
    }

    /// Lets an agent take in what happened, and does what it wants.
    mutating func give(_ input: NodeManager.Input, to node: Int) {
        guard nodes[node].isRunning else { return }
        for output in nodes[node].manager.handle(input, at: now + nodes[node].skew) {
            switch output {
            case .send(let number, let words):
                if let link = nodes[node].control { send(words, on: link, number: number) }
            case .delete, .list, .drain: ask(output, at: node)
            case .askPins, .askUsage: break
            // The simulated nodes do not spill.
            case .spilling: break
            case .say(_, let text): note("\(nodes[node].name) says: \(text)")
            }
        }
    }

    private mutating func ask(_ output: NodeManager.Output, at node: Int) {
        guard nodes[node].isConnected else { return }
        nodes[node].askedAt = max(nodes[node].askedAt, now + latency())
        agenda.add(
            .storeAsked(node, connection: nodes[node].connection, output), at: nodes[node].askedAt)
    }

    mutating func storeAsked(_ node: Int, _ connection: Int, _ output: NodeManager.Output) {
        guard nodes[node].connection == connection else { return }
        switch output {
        case .list: answer(.storeListed(nodes[node].store.list()), at: node)
        case .drain: tell(.storeDrained, at: node)
        case .delete(let ids):
            let outcomes = ids.map { delete($0, at: node) }
            answer(.storeDeleted(outcomes), at: node)
        case .send, .say, .askPins, .askUsage, .spilling: break
        }
    }

    private mutating func delete(_ id: RecordID, at node: Int) -> NodeManager.DeletionOutcome {
        let wasWhole = nodes[node].store.isWhole(id)
        let outcome = nodes[node].store.delete(id)
        note("\(nodes[node].name) deletes \(id.short): \(outcome)")
        if wasWhole, !model.mayGo.contains(id) {
            fail("\(nodes[node].name) deleted \(id.short), which nobody ended or freed")
        }
        if outcome == .removed { gone(id, at: node) }
        return outcome
    }

    private mutating func gone(_ id: RecordID, at node: Int) {
        nodes[node].mustGo.remove(id)
        tell(.storeChanged([.gone(id)]), at: node)
    }

    mutating func release(_ id: RecordID, at node: Int) {
        guard nodes[node].store.release(id) else { return }
        note("\(nodes[node].name) is released \(id.short), which goes")
        gone(id, at: node)
    }

    /// Sends an answer: in order with other answers.
    private mutating func answer(_ input: NodeManager.Input, at node: Int) {
        nodes[node].answeredAt = max(nodes[node].answeredAt, now + latency())
        agenda.add(
            .storeTells(node, connection: nodes[node].connection, input),
            at: nodes[node].answeredAt)
    }

    /// Sends a notification: in order with other notifications.
    mutating func tell(_ input: NodeManager.Input, at node: Int) {
        guard nodes[node].isConnected else { return }
        nodes[node].toldAt = max(nodes[node].toldAt, now + latency())
        agenda.add(
            .storeTells(node, connection: nodes[node].connection, input), at: nodes[node].toldAt)
    }

    mutating func connectStore(_ node: Int, _ life: Int) {
        guard nodes[node].isRunning, nodes[node].life == life, !nodes[node].isConnected else {
            return
        }
        nodes[node].isConnected = true
        nodes[node].connection += 1
        note("\(nodes[node].name) connects to its store")
        give(.storeConnected, to: node)
        for id in nodes[node].store.ids {
            let byteCount = nodes[node].store.objects[id]?.byteCount ?? 0
            tell(.storeChanged([.sealed(id, byteCount: byteCount)]), at: node)
        }
    }

    /// Ends the connection between an agent and its store; what was under way is lost.
    mutating func cutStore(_ node: Int) {
        guard nodes[node].isConnected else { return }
        nodes[node].isConnected = false
        nodes[node].connection += 1
        note("\(nodes[node].name) loses its store")
        give(.storeLost, to: node)
        agenda.add(
            .connectStore(node, life: nodes[node].life), at: now + random.number(1...1000))
    }

    mutating func restartStore(_ node: Int) {
        note(
            "the store of \(nodes[node].name) dies with \(nodes[node].store.objects.count) objects")
        nodes[node].store = StoreModel()
        nodes[node].storeLife += 1
        nodes[node].mustGo = []
        cutStore(node)
    }

    /// The agent dies without a word; its links end by themselves.
    mutating func restartNode(_ node: Int) {
        guard nodes[node].isRunning else { return }
        note("\(nodes[node].name) dies")
        nodes[node].isRunning = false
        nodes[node].isConnected = false
        nodes[node].connection += 1
        nodes[node].forget(plan)
        for link in [nodes[node].control, nodes[node].subscription] {
            guard let link else { continue }
            links[link].isOpenAtClient = false
            agenda.add(.serverHearsEnd(link: link), at: now + latency())
        }
        nodes[node].control = nil
        nodes[node].subscription = nil
        let absence = random.happens(20) ? random.number(3000...9000) : random.number(10...3000)
        agenda.add(.nodeStarts(node), at: now + absence)
    }

    mutating func put(_ id: RecordID, at node: Int) {
        guard !nodes[node].store.has(id) else { return }
        let isInUse = !isHealed && random.happens(10)
        let byteCount = random.number(1...1000)
        nodes[node].store.put(
            id,
            .init(createdAt: now + nodes[node].skew, byteCount: byteCount, isInUse: isInUse))
        model.put(id)
        note("\(id.short) is put at \(nodes[node].name)\(isInUse ? ", and used" : "")")
        tell(.storeChanged([.sealed(id, byteCount: byteCount)]), at: node)
        guard isInUse else { return }
        let release = Event.release(node, storeLife: nodes[node].storeLife, id)
        agenda.add(release, at: now + random.number(10...8000))
    }
}
