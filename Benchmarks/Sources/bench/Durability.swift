import Foundation

/// What the append-only file costs and gives, beside redis-server's; a verdict for each line.
struct Durability {
    let isQuick: Bool
    /// The parts to run: names in `parts`.
    let only: Set<String>
    /// Of each kind, in turns: other programs slow single ones down by half.
    private let roundCount = 9
    private let specification = String(repeating: "x", count: 300)
    private let task = "000000000000002a__rand_int__000000000000"
    /// On the disk that the sources are on: a file system in memory would sync nothing.
    private let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../.build/durability-\(ProcessInfo.processInfo.processIdentifier)"
    ).standardizedFileURL.path

    func run(_ report: inout Report) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        report.add("## Durability")
        report.add()
        if only.contains("cost") { try writeThroughput(&report) }
        if only.contains("synced") { try writeSyncedThroughput(&report) }
        if only.contains("loading") { try writeLoading(&report) }
        if only.contains("size") { try writeSize(&report) }
    }

    /// What it consists of: `--only` takes these.
    static let parts: Set = ["cost", "synced", "loading", "size"]

    /// An empty directory.
    private func directory(_ name: String) throws -> String {
        let path = "\(folder)/\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    private func verdict(_ isMet: Bool) -> String { isMet ? "**met**" : "**NOT met**" }

    // MARK: Writing

    private func writeThroughput(_ report: inout Report) throws {
        let kinds = ["no log", "everysec", "always"]
        let servers = try kinds.map { kind in
            // The log's thread runs where there is room, as it does for users.
            let settings = kind == "no log" ? [] : ["--appendonly", "yes", "--appendfsync", kind]
            let server = try ServerProcess.gcs(
                settings + ServerProcess.loopApart, directory: directory("cost \(kind)"), isPinned: false)
            _ = try Connection(port: server.port).command(["GCS.BATCH", "START", "ID", "42"])
            return server
        }
        var rates: [[Double]] = [[], [], []]
        var costs: [[Double]] = [[], [], []]
        let count = isQuick ? 100_000 : 1_000_000
        for _ in 0..<roundCount {
            for (kind, server) in servers.enumerated() {
                let before = server.processorSeconds
                rates[kind].append(
                    try Throughput.drive(
                        server, ["GCS.TASK", "ADD", task, specification], 16, count, keys: 200_000))
                costs[kind].append((server.processorSeconds - before) / Double(count) * 1e6)
            }
        }
        report.add("GCS.TASK ADD of 300 B, 50 connections, -P 16, median of \(roundCount) rounds in turns:")
        report.add()
        report.add(
            header: ["log", "commands/s", "of no log", "CPU s per million"],
            rows: kinds.indices.map { kind in
                [
                    kinds[kind], median(rates[kind]).text(0),
                    (median(rates[kind]) / median(rates[0])).text(2), median(costs[kind]).text(2),
                ]
            })
        let share = median(rates[1]) / median(rates[0])
        report.add(
            "everysec costs \(((1 - share) * 100).text(0)) % of the rate; at most 25 %: \(verdict(share >= 0.75))")
        report.add()
    }

    private func writeSyncedThroughput(_ report: inout Report) throws {
        let settings = ["--appendonly", "yes", "--appendfsync", "always"] + ServerProcess.loopApart
        let gcs = try ServerProcess.gcs(settings, directory: directory("always gcs"), isPinned: false)
        let redis = try ServerProcess.redis(settings, directory: directory("always redis"), isPinned: false)
        _ = try Connection(port: gcs.port).command(["GCS.BATCH", "START", "ID", "42"])
        var rates: [[Double]] = [[], []]
        let count = isQuick ? 5_000 : 50_000
        for _ in 0..<roundCount {
            rates[0].append(
                try Throughput.drive(gcs, ["GCS.TASK", "ADD", task, specification], 1, count))
            rates[1].append(
                try Throughput.drive(redis, ["SET", task, specification], 1, count))
        }
        let (ours, theirs) = (median(rates[0]), median(rates[1]))
        report.add(
            "appendfsync always, 50 connections, -P 1, 300 B: GCS.TASK ADD \(ours.text(0))/s, redis-server SET "
                + "\(theirs.text(0))/s, \((ours / theirs).text(2)) times; at least 1: \(verdict(ours >= theirs))")
        report.add()
    }

    // MARK: Loading

    private func writeLoading(_ report: inout Report) throws {
        let count = isQuick ? 200_000 : 5_000_000
        let settings = ["--appendonly", "yes", "--appendfsync", "no"]
        // As it was written, and not cleaned: the same data on each side.
        let plain = settings + ["--auto-aof-rewrite-percentage", "0", "--aof-use-rdb-preamble", "no"]
        let text = String(repeating: "x", count: 100)
        let ours = try loadingSeconds(count, "loading gcs", { try ServerProcess.gcs($0, directory: $1) }, settings) { id in
            [["GCS.TASK", "ADD", id, text]]
        }
        let both = try loadingSeconds(count, "loading both", { try ServerProcess.redis($0, directory: $1) }, plain) { id in
            [["SET", "task:\(id)", text], ["SADD", "batch:42", "task:\(id)"]]
        }
        let single = try loadingSeconds(count, "loading set", { try ServerProcess.redis($0, directory: $1) }, plain) { id in
            [["SET", "task:\(id)", text]]
        }
        report.add("Start with \(count) tasks of 100 B in the append-only file, until PING is answered:")
        report.add()
        report.add(
            header: ["server", "seconds", "records/s", "MB of log"],
            rows: [
                ("gcs-server", ours), ("redis-server, SET and SADD", both), ("redis-server, SET alone", single),
            ].map { name, found in
                [
                    name, found.seconds.text(2), (Double(count) / found.seconds).text(0),
                    (Double(found.byteCount) / 1e6).text(0),
                ]
            })
        report.add(
            "at least Redis' rate: SET and SADD \(verdict(ours.seconds <= both.seconds)), SET alone "
                + verdict(ours.seconds <= single.seconds))
        report.add()
    }

    /// How long a server takes to start with what it was sent before, and the bytes of its log.
    private func loadingSeconds(
        _ count: Int, _ name: String, _ start: ([String], String?) throws -> ServerProcess,
        _ settings: [String], _ commands: (String) -> [[String]]
    ) throws -> (seconds: Double, byteCount: Int) {
        let directory = try directory(name)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try fill(try start(settings, directory), count, commands)
        let clock = ContinuousClock()
        var server: ServerProcess?
        let time = try clock.measure { server = try start(settings, directory) }
        withExtendedLifetime(server) {}
        return (time / .seconds(1), byteCount(of: directory))
    }

    private func fill(_ server: ServerProcess, _ count: Int, _ commands: (String) -> [[String]]) throws {
        let connection = try Connection(port: server.port)
        if server.name == "gcs-server" { _ = connection.command(["GCS.BATCH", "START", "ID", "42"]) }
        for first in stride(from: 0, to: count, by: 1000) {
            var bytes: [UInt8] = []
            var lineCount = 0
            for number in first..<min(first + 1000, count) {
                // Scattered, as ids are.
                let unique = String(UInt64(number) &* 0x9e37_79b9_7f4a_7c15, radix: 16)
                let digits = String(repeating: "0", count: 16 - unique.count) + unique
                for words in commands("000000000000002a\(digits)00000000") {
                    bytes += Connection.request(words.map { Array($0.utf8) })
                    lineCount += 1
                }
            }
            connection.send(bytes)
            connection.awaitLines(lineCount)
        }
    }

    private func byteCount(of directory: String) -> Int {
        let files = FileManager.default.enumerator(atPath: directory)
        var total = 0
        while files?.nextObject() != nil {
            guard let attributes = files?.fileAttributes, attributes[.type] as? FileAttributeType == .typeRegular
            else { continue }
            total += attributes[.size] as? Int ?? 0
        }
        return total
    }

    // MARK: Size

    private func writeSize(_ report: inout Report) throws {
        let keys = 100_000
        let directory = try directory("size")
        let server = try ServerProcess.gcs(
            ["--appendonly", "yes", "--appendfsync", "everysec"], directory: directory)
        let connection = try Connection(port: server.port)
        _ = connection.command(["GCS.BATCH", "START", "ID", "42"])
        let words = ["GCS.TASK", "ADD", task, specification]
        _ = try Throughput.drive(server, words, 16, keys * 5, keys: keys)
        let live = try liveByteCount(connection, directory)
        let seconds = isQuick ? 20.0 : 600.0
        let start = ContinuousClock.now
        var (worst, written) = (0, 0)
        while ContinuousClock.now - start < .seconds(seconds) {
            _ = try Throughput.drive(server, words, 16, 50_000, keys: keys)
            written += 50_000
            worst = max(worst, byteCount(of: directory))
        }
        let bound = 2 * live + 128 << 20
        func megabytes(_ count: Int) -> String { "\((Double(count) / 1e6).text(0)) MB" }
        report.add(
            "\(keys) tasks overwritten \(written) times in \(seconds.text(0)) s: live data \(megabytes(live)), "
                + "the log at most \(megabytes(worst)); at most 2 times that and 128 MiB, \(megabytes(bound)): "
                + verdict(worst <= bound))
        report.add()
    }

    /// Bytes of a log that was just rewritten.
    private func liveByteCount(_ connection: Connection, _ directory: String) throws -> Int {
        _ = connection.command(["BGREWRITEAOF"])
        let deadline = ContinuousClock.now + .seconds(60)
        repeat {
            usleep(100_000)
            guard ContinuousClock.now < deadline else {
                throw BenchError(description: "the append-only file was not rewritten within 60 s")
            }
        } while information(connection, "aof_rewrite_in_progress") != 0
        return byteCount(of: directory)
    }

    private func information(_ connection: Connection, _ name: String) -> Int? {
        connection.send(Connection.request(["INFO", "persistence"].map { Array($0.utf8) }))
        let text = String(decoding: connection.awaitLines(18), as: UTF8.self)
        let line = text.split(separator: "\r\n").first { $0.hasPrefix("\(name):") }
        return line.flatMap { Int($0.dropFirst(name.utf8.count + 1)) }
    }
}
