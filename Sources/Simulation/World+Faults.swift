/// What goes wrong, until it is healed.
extension World {
    mutating func breakSomething() {
        guard !isHealed else { return }
        agenda.add(.fault, at: now + random.number(10...plan.faultGapMax))
        if random.happens(plan.serverRestartPercent) { return stopServer() }
        let node = random.count(0...nodes.count - 1)
        switch random.count(0...99) {
        case 0..<20: cutIfThere(nodes[node].control)
        case 20..<35: cutIfThere(nodes[node].subscription)
        case 35..<50:
            cutIfThere(nodes[node].control)
            cutIfThere(nodes[node].subscription)
        case 50..<62: cutIfThere(drivers[random.count(0...drivers.count - 1)].link)
        case 62..<77: cutStore(node)
        case 77..<92: restartNode(node)
        default: restartStore(node)
        }
    }

    private mutating func cutIfThere(_ link: Int?) {
        if let link { cut(link) }
    }

    private mutating func stopServer() {
        guard isServerUp else { return }
        note("the server dies")
        isServerUp = false
        if !plan.isDurable { forgetServer() }
        for link in links.indices where links[link].isOpenAtServer {
            serverLoses(link)
            agenda.add(.clientHearsEnd(link: link), at: now + latency())
        }
        agenda.add(.serverStarts, at: now + random.number(1...3000))
    }

    /// All that it knew is gone, and owed no more.
    private mutating func forgetServer() {
        model.forget()
        for node in nodes.indices {
            nodes[node].mustGo = []
            nodes[node].isRegistered = false
        }
    }

    mutating func startServer() {
        var log = server.log
        log?.crash()
        if plantedMistake == .answersBeforeSync { log?.loseLast() }
        let bytes = log.map { ", with \($0.byteCount) bytes of log" } ?? ""
        note("the server starts\(bytes)")
        server = SimulatedServer(seed: random.next(), plan, at: now, log: log)
        isServerUp = true
        if plan.isDurable { model.restart(at: now) }
    }

    mutating func heal() {
        isHealed = true
        note("no more faults")
        for node in nodes.indices {
            for id in nodes[node].store.ids { release(id, at: node) }
        }
        for driver in drivers.indices {
            agenda.add(.driverActs(driver), at: now + 5000)
        }
    }
}
