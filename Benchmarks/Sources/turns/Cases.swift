import Glibc

/// What once stalled a server, or could: each case prints a line.
func runCases(isQuick: Bool) {
    let scale = isQuick ? 10 : 1
    print("| case | turns | p50 | p99 | max | max of the clock | reply |")
    print("|---|---|---|---|---|---|---|")
    references(1_000_000 / scale)
    list(1_000_000 / scale)
    deferral(1000)
    children(10_000 / scale)
    recursive(100_000 / scale)
    flushAll(100_000 / scale)
}

private func report(_ name: String, _ turns: Turns, _ reply: String) {
    let processor = turns.processor.sorted()
    func at(_ share: Double) -> Int { Int(processor[Int(share * Double(processor.count - 1))]) }
    let last = reply.split(separator: "\r\n").last.map { String($0.prefix(20)) } ?? ""
    print(
        "| \(name) | \(processor.count) | \(at(0.5)) | \(at(0.99)) | \(at(1)) "
            + "| \(Int(turns.clock.max() ?? 0)) | \(last) |")
    fflush(nil)
}

private func words(_ text: String...) -> [[UInt8]] { text.map { Array($0.utf8) } }

/// 20 bytes: batch, number, index.
private func id(_ batch: Int, _ number: Int, _ index: UInt32) -> [UInt8] {
    func bytes(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) }
    }
    return bytes(UInt64(batch)) + bytes(UInt64(number)) + bytes(UInt64(index)).suffix(4)
}

private func start(_ batch: Int, under parent: Int = 0) -> [[UInt8]] {
    words("GCS.BATCH", "START", "ID", "\(batch)", "PARENT", "\(parent)")
}

private func task(_ batch: Int, _ number: Int) -> [[UInt8]] {
    words("GCS.TASK", "ADD") + [id(batch, number, 0)] + words("spec")
}

private func object(_ id: [UInt8]) -> [[UInt8]] {
    words("GCS.OBJECT", "ADD") + [id] + words("node1", "100")
}

// MARK: - Cases

private func references(_ count: Int) {
    for countsReferences in [false, true] {
        var server = LocalServer(countsReferences: countsReferences)
        server.run("GCS.BATCH", "START", "ID", "1")
        if countsReferences { server.fill(count) { object(id(1, $0, 1)) } }
        server.fill(count) {
            words("GCS.REF", "ADD", "node1", "7", "LOCAL_REFERENCE") + [id(1, $0, 1)]
        }
        let name = "REF CLEAR of \(count)" + (countsReferences ? ", objects freed with them" : "")
        report(name, server.run("GCS.REF", "CLEAR", "node1", "7"), server.lastReply)
    }
}

private func list(_ count: Int) {
    var server = LocalServer()
    server.fill(count) { start($0 + 1) }
    for filter in [[], ["STATUS", "deferred"]] {
        var turns = Turns()
        var cursor = "0"
        repeat {
            let page = ["GCS.BATCH", "LIST", "CURSOR", cursor, "COUNT", "10000"] + filter
            turns = turns + server.run(LocalServer.request(page.map { Array($0.utf8) }))
            cursor = server.cursor
        } while cursor != "0"
        report((["LIST of \(count)"] + filter).joined(separator: " "), turns, cursor)
    }
    flush(&server, "FLUSHALL with \(count) empty batches")
}

/// Many batches, of which the last to end holds all others.
private func deferral(_ count: Int) {
    func depend(_ batch: Int, _ other: Int) -> [[UInt8]] {
        words("GCS.BATCH", "DEPEND", "\(batch)", "\(other)")
    }
    func measure(_ name: String, _ tie: (Int) -> [[[UInt8]]]) {
        var server = LocalServer()
        server.fill(count) { start($0 + 1) }
        for batch in 1...count {
            for request in tie(batch) { server.run(LocalServer.request(request)) }
        }
        var ends = Turns()
        for batch in 1..<count { ends = ends + server.run("GCS.BATCH", "END", "\(batch)") }
        report("\(name) of \(count): END, deferred", ends, server.lastReply)
        let last = server.run("GCS.BATCH", "END", "\(count)")
        report("\(name) of \(count): END of the last", last, server.lastReply)
    }
    measure("chain") { $0 < count ? [depend($0 + 1, $0)] : [] }
    measure("chain, the other way") { $0 < count - 1 ? [depend($0, $0 + 1)] : [] }
    measure("tree") { $0 > 1 ? [depend(count + 1 - $0 / 2, count + 1 - $0)] : [] }
    measure("circle") { [depend($0, $0 % count + 1)] }
    measure("circles of 3") { batch in
        guard batch < count else { return [] }
        let next = batch % 3 == 0 ? batch - 2 : min(batch + 1, count - 1)
        return (next == batch ? [] : [depend(batch, next)]) + [depend(count, batch)]
    }
    measure("star") { $0 < count ? [depend(count, $0)] : [] }
    measure("actor") { batch in
        [task(batch, 1) + words("ACTOR", String(repeating: "0", count: 39) + "1")]
    }
    measure("all on all") { batch in
        batch < count
            ? [depend(count, batch)] + (1..<min(batch, 100)).map { depend(batch, $0) } : []
    }
    nested(count)
}

private func nested(_ count: Int) {
    var server = LocalServer()
    server.fill(count) { start($0 + 1, under: $0) }
    server.run("GCS.BATCH", "START", "ID", "\(count + 1)")
    server.run("GCS.BATCH", "DEPEND", "\(count + 1)", "\(count)")
    let first = server.run("GCS.BATCH", "END", "1")
    report("nested \(count) deep: END, deferred", first, server.lastReply)
    let last = server.run("GCS.BATCH", "END", "\(count + 1)")
    report("nested \(count) deep: END of the last", last, server.lastReply)
}

private func children(_ count: Int) {
    for verb in [["DEL", "GC:1"], ["GCS.BATCH", "DESTROY", "1"], ["GCS.BATCH", "END", "1"]] {
        var server = LocalServer()
        server.run(LocalServer.request(start(1)))
        server.fill(count) { start($0 + 2, under: 1) }
        server.fill(count) { object(id($0 + 2, 1, 1)) }
        let turns = server.run(LocalServer.request(verb.map { Array($0.utf8) }))
        report("\(verb.joined(separator: " ")) with \(count) children", turns, server.lastReply)
    }
}

private func recursive(_ count: Int) {
    func chain(_ server: inout LocalServer) {
        server.run(LocalServer.request(start(1)))
        server.fill(count) { number in
            task(1, number) + words("STATE", "FINISHED")
                + (number > 0 ? words("ARGS", "1") + [id(1, number - 1, 1)] : [])
        }
        server.fill(count) { object(id(1, $0, 1)) }
    }
    var server = LocalServer()
    chain(&server)
    let free = words("GCS.OBJECT", "FREE", "RECURSIVE", "TASKS")
    let turns = server.run(LocalServer.request(free + [id(1, count - 1, 1)]))
    report("FREE RECURSIVE of a line of \(count)", turns, server.lastReply)
    var other = LocalServer()
    chain(&other)
    let named = other.run(LocalServer.request(free + (0..<count).map { id(1, $0, 1) }))
    report("FREE RECURSIVE that names \(count)", named, other.lastReply)
    var wide = LocalServer()
    wide.run(LocalServer.request(start(1)))
    wide.fill(count) { object(id(1, $0, 1)) }
    wide.run(
        LocalServer.request(
            task(1, count) + words("STATE", "FINISHED", "ARGS", "\(count)")
                + (0..<count).map { id(1, $0, 1) }))
    wide.run(LocalServer.request(object(id(1, count, 1))))
    let fan = wide.run(LocalServer.request(free + [id(1, count, 1)]))
    report("FREE RECURSIVE of a task with \(count) ARGS", fan, wide.lastReply)
}

private func flushAll(_ count: Int) {
    var server = LocalServer()
    server.fill(count) { start($0 + 1) }
    server.fill(count) { task($0 + 1, 1) }
    server.fill(count) { object(id($0 + 1, 1, 1)) }
    server.fill(count) {
        words("GCS.REF", "ADD", "node1", "7", "LOCAL_REFERENCE") + [id($0 + 1, 1, 1)]
    }
    flush(&server, "FLUSHALL with \(count) batches of 2 records")
}

private func flush(_ server: inout LocalServer, _ name: String) {
    report(name, server.run("FLUSHALL"), server.lastReply)
}
