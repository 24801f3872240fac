import Foundation

/// What references cost in memory, how those of a process go, and how a million batches are listed.
struct ReferenceUse {
    let isQuick: Bool

    private var count: Int { isQuick ? 100_000 : 1_000_000 }
    private let sites = (0..<100).map { "driver.py:main:\($0)" }

    func run(_ report: inout Report) throws {
        report.add("## References")
        report.add()
        try held(&report)
        try counted(&report)
        try listed(&report)
    }

    private func object(_ number: Int) -> [UInt8] {
        var id = [UInt8](repeating: 0, count: 20)
        for byte in 0..<8 { id[15 - byte] = UInt8(truncatingIfNeeded: number >> (8 * byte)) }
        id[7] = 1
        id[19] = 1
        return id
    }

    private func reference(_ number: Int, _ verb: String, _ rest: [String] = []) -> [UInt8] {
        let words = ["GCS.REF", verb, "node1", "4711", "LOCAL_REFERENCE"].map { Array($0.utf8) }
        return Connection.request(words + [object(number)] + rest.map { Array($0.utf8) })
    }

    private func add(_ number: Int) -> [UInt8] {
        reference(number, "ADD", ["BYTES", "\(number)", "SITE", sites[number % sites.count]])
    }

    /// Sends requests whose replies are a line each, some thousands at a time; microseconds for each.
    @discardableResult
    private func send(_ connection: Connection, _ request: (Int) -> [UInt8]) -> Double {
        let start = DispatchTime.now().uptimeNanoseconds
        for first in stride(from: 0, to: count, by: 5000) {
            let end = min(first + 5000, count)
            connection.send((first..<end).flatMap(request))
            connection.awaitLines(end - first)
        }
        return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e3 / Double(count)
    }

    private func clear(_ connection: Connection) -> Double {
        let start = DispatchTime.now().uptimeNanoseconds
        let reply = connection.command(["GCS.REF", "CLEAR", "node1", "4711"])
        precondition(reply == ":\(count)", "CLEAR answered \(reply)")
        return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
    }

    /// References to objects without records: what the table itself costs.
    private func held(_ report: inout Report) throws {
        let server = try ServerProcess.gcs()
        let connection = try Connection(port: server.port)
        let before = server.residentByteCount
        let adding = send(connection, add)
        let cost = Double(server.residentByteCount - before) / Double(count)
        let removing = send(connection) { reference($0, "REMOVE") }
        sleep(1)
        let afterRemoval = Double(server.residentByteCount - before) / 1e6
        send(connection, add)
        let pinger = Pinger(port: server.port)
        let baseline = try pinger.longestGap(seconds: 3) {}
        var answer = 0.0
        let during = try pinger.longestGap(seconds: 3) { answer = clear(connection) }
        let afterClear = Double(server.residentByteCount - before) / 1e6
        report.add("\(count) references of one process, with sizes and 100 call sites:")
        report.add()
        report.add(
            header: ["what", "measured", "promise"],
            rows: [
                ["bytes per reference", cost.text(1), "<= 64"],
                ["microseconds per ADD, client included", adding.text(2), ""],
                ["microseconds per REMOVE, client included", removing.text(2), ""],
                ["memory not given back after REMOVE, MB", afterRemoval.text(1), "<= 80"],
                ["CLEAR answered, ms", answer.text(2), "< 1"],
                ["longest PING before, ms", baseline.text(2), ""],
                ["longest PING during CLEAR and freeing, ms", during.text(2), "<= before + 1"],
                ["memory not given back after CLEAR, MB", afterClear.text(1), "<= 80"],
            ])
    }

    /// With `reference-counting` the objects go with their references.
    private func counted(_ report: inout Report) throws {
        let server = try ServerProcess.gcs()
        let connection = try Connection(port: server.port)
        _ = connection.command(["CONFIG", "SET", "reference-counting", "yes"])
        _ = connection.command(["GCS.BATCH", "START", "ID", "1"])
        let prefix = ["GCS.OBJECT", "ADD"].map { Array($0.utf8) }
        send(connection) { number in
            Connection.request(prefix + [object(number), Array("node1".utf8), Array("1000".utf8)])
        }
        send(connection, add)
        let pinger = Pinger(port: server.port)
        let baseline = try pinger.longestGap(seconds: 3) {}
        var seconds = 0.0
        let during = try pinger.longestGap(seconds: 3) {
            let start = Date()
            _ = clear(connection)
            while connection.command(["SCARD", "GC:1"]) != ":0" { usleep(20_000) }
            seconds = Date().timeIntervalSince(start)
        }
        let entries = connection.command(["XLEN", "gc:log"])
        report.add("The same with `reference-counting yes` and a record for each object:")
        report.add()
        report.add(
            header: ["what", "measured", "promise"],
            rows: [
                ["seconds until every object is freed", seconds.text(2), ""],
                ["longest PING before, ms", baseline.text(2), ""],
                ["longest PING meanwhile, ms", during.text(2), "<= before + 1"],
                ["entries of gc:log", String(entries.dropFirst()), ""],
            ])
    }

    private func listed(_ report: inout Report) throws {
        let server = try ServerProcess.gcs()
        let connection = try Connection(port: server.port)
        send(connection) { number in
            Connection.request(["GCS.BATCH", "START", "ID", "\(number + 1)"].map { Array($0.utf8) })
        }
        var rows: [[String]] = []
        let pinger = Pinger(port: server.port)
        let baseline = try pinger.longestGap(seconds: 3) {}
        for (title, options) in [
            ("COUNT 1000", ["COUNT", "1000"]), ("COUNT 10000", ["COUNT", "10000"]),
            ("STATUS done (none is)", ["STATUS", "done"]),
        ] {
            var pages = Pages()
            let gap = try pinger.longestGap(seconds: 1) { pages = walk(connection, options) }
            let found = options.contains("STATUS") ? 0 : count + 1
            precondition(pages.batchCount == found, "\(pages.batchCount) batches listed")
            rows.append([title, "\(pages.count)", pages.slowest.text(2), gap.text(2)])
        }
        report.add(
            "GCS.BATCH LIST over \(count) batches; longest PING before: \(baseline.text(2)) ms:")
        report.add()
        report.add(
            header: ["page", "pages", "slowest page, ms", "longest PING meanwhile, ms"], rows: rows)
    }

    private struct Pages {
        var count = 0
        var batchCount = 0
        var slowest = 0.0
    }

    private func walk(_ connection: Connection, _ options: [String]) -> Pages {
        var pages = Pages()
        var cursor = "0"
        repeat {
            let start = DispatchTime.now().uptimeNanoseconds
            let request = ["GCS.BATCH", "LIST", "CURSOR", cursor] + options
            connection.send(Connection.request(request.map { Array($0.utf8) }))
            let lines = connection.arrayLines(headerLineCount: 4)
            pages.slowest = max(
                pages.slowest, Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6)
            cursor = lines[2]
            pages.batchCount += lines.count - 4
            pages.count += 1
        } while cursor != "0"
        return pages
    }
}
