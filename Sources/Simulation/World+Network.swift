internal import Identifiers
internal import NodeManager
internal import RESP

/// Links between clients and the server.
extension World {
    /// Milliseconds that a message takes.
    mutating func latency() -> Int64 {
        if isHealed { return random.number(1...5) }
        return random.happens(plan.latePercent)
            ? random.number(20...plan.latencyMax) : random.number(1...20)
    }

    mutating func connect(_ peer: Peer) {
        guard isCurrent(peer) else { return }
        guard isServerUp else {
            return agenda.add(.connect(peer), at: now + random.number(50...1000))
        }
        let number = links.count
        links.append(Link(peer: peer))
        server.open(number)
        note("\(name(number)) connects")
        switch peer {
        case .driver(let driver): drivers[driver].link = number
        case .control(let node, _):
            nodes[node].control = number
            nodes[node].hasReconnected = true
            give(.serverConnected, to: node)
        case .subscription(let node, _):
            nodes[node].subscription = number
            send(["PSUBSCRIBE", "GC:*"], on: number)
        }
    }

    /// Whether the one who wants to connect still lives.
    private func isCurrent(_ peer: Peer) -> Bool {
        switch peer {
        case .driver: true
        case .control(let node, let life), .subscription(let node, let life):
            nodes[node].isRunning && nodes[node].life == life
        }
    }

    func name(_ link: Int) -> String {
        switch links[link].peer {
        case .driver(let driver): "driver\(driver + 1)#\(link)"
        case .control(let node, _): "\(nodes[node].name)#\(link)"
        case .subscription(let node, _): "\(nodes[node].name)-sub#\(link)"
        }
    }

    /// Sends a request in pieces, each on its own way but in order.
    mutating func send(_ words: [String], on link: Int, number: Int = 0) {
        guard links[link].isOpenAtClient else { return }
        links[link].unanswered.append(.init(words: words, number: number))
        links[link].awaited.append(.init(words: words, number: number))
        for piece in pieces(encodedRequest(words)) {
            links[link].reachesServerAt = max(links[link].reachesServerAt, now + latency())
            agenda.add(.toServer(link: link, piece), at: links[link].reachesServerAt)
        }
    }

    private mutating func pieces(_ bytes: [UInt8]) -> [[UInt8]] {
        guard !isHealed, bytes.count > 1, random.happens(20) else { return [bytes] }
        let middle = random.count(1...bytes.count - 1)
        return [Array(bytes[..<middle]), Array(bytes[middle...])]
    }

    mutating func turnServer() {
        guard isServerUp else { return }
        server.turn(at: now)
        model.expire(at: now)
        clearLostNodes()
        collectCondemned()
        sendOutput()
    }

    mutating func serverReceives(_ bytes: [UInt8], _ link: Int) {
        guard links[link].isOpenAtServer, isServerUp else { return }
        // What is due by time happens first.
        turnServer()
        server.receive(bytes, from: link)
        sendOutput()
    }

    private mutating func sendOutput() {
        for (link, output) in server.takeOutput() {
            let bytes = saidByServer(output, link)
            hear(bytes, link)
            for piece in pieces(bytes) {
                links[link].reachesClientAt = max(links[link].reachesClientAt, now + latency())
                agenda.add(.toClient(link: link, piece), at: links[link].reachesClientAt)
            }
        }
        for link in server.takeClosed() {
            serverLoses(link)
            let arrival = max(links[link].reachesClientAt, now + latency())
            agenda.add(.clientHearsEnd(link: link), at: arrival)
        }
    }

    /// Tells the model what the server has done.
    private mutating func hear(_ bytes: [UInt8], _ link: Int) {
        if case .subscription = links[link].peer { return }
        links[link].sentReplies.append(bytes)
        while let reply = links[link].sentReplies.next() {
            let words = links[link].unanswered.removeFirst().words
            note("\(name(link)): \(shown(words)) -> \(shown(reply))")
            let expected = model.carryOut(words, at: now)
            noteRegistration(words, link)
            collectCondemned()
            if !expected.allows(reply) {
                fail("\(shown(words)) was answered \(shown(reply)) instead of \(expected)")
            }
        }
    }

    private mutating func noteRegistration(_ words: [String], _ link: Int) {
        guard words[0] == "GCS.NODE" else { return }
        if words[1] == "REGISTER", case .control(let node, _) = links[link].peer {
            nodes[node].isRegistered = true
        } else if words[1] == "REMOVE" {
            // Nothing is owed to a node that is not registered.
            for node in nodes.indices where nodes[node].name == words[2] {
                nodes[node].isRegistered = false
                nodes[node].mustGo = []
            }
        }
    }

    mutating func clientReceives(_ bytes: [UInt8], _ link: Int) {
        guard links[link].isOpenAtClient else { return }
        links[link].receivedReplies.append(bytes)
        while links[link].isOpenAtClient, let reply = links[link].receivedReplies.next() {
            switch links[link].peer {
            case .driver: links[link].awaited.removeFirst()
            case .control(let node, _):
                let request = links[link].awaited.removeFirst()
                let reply = understood(reply, to: request.words, at: node)
                give(.reply(request.number, reply), to: node)
            case .subscription(let node, _):
                let isMessage = reply.elements?.first?.text == "pmessage"
                give(isMessage ? .message : .subscribed, to: node)
            }
        }
    }

    /// Cuts a link: one end hears at once, the other later; what is under way to the latter arrives.
    mutating func cut(_ link: Int) {
        let other = now + (isHealed ? 0 : random.number(0...2 * plan.latencyMax))
        if random.happens(50) {
            agenda.add(.serverHearsEnd(link: link), at: other)
            clientLoses(link)
        } else {
            agenda.add(.clientHearsEnd(link: link), at: other)
            serverLoses(link)
        }
    }

    mutating func serverLoses(_ link: Int) {
        guard links[link].isOpenAtServer else { return }
        links[link].isOpenAtServer = false
        server.close(link)
        note("server loses \(name(link))")
    }

    mutating func clientLoses(_ link: Int) {
        guard links[link].isOpenAtClient else { return }
        links[link].isOpenAtClient = false
        note("\(name(link)) ends")
        let peer = links[link].peer
        guard isCurrent(peer) else { return }
        switch peer {
        case .driver(let driver): drivers[driver].link = nil
        case .control(let node, _):
            nodes[node].control = nil
            give(.serverLost, to: node)
        case .subscription(let node, _): nodes[node].subscription = nil
        }
        agenda.add(.connect(peer), at: now + random.number(1...500))
    }
}
