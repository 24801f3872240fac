import Foundation

/// The same work by both servers, in turns, driven by redis-benchmark.
struct Throughput {
    /// One workload: what each server is sent, and how many commands go out at a time.
    private struct Work {
        var name: String
        var pipeline: Int
        var count: Int
        var gcs: [String]
        var redis: [String]
    }

    let isQuick: Bool
    private let roundCount = 3
    /// A task as a driver of a runtime adds it.
    private let specification = String(repeating: "x", count: 300)

    private func works(_ script: String) -> [Work] {
        let task = "000000000000002a__rand_int__000000000000"
        return [
            Work(name: "PING", pipeline: 1, count: 200_000, gcs: ["PING"], redis: ["PING"]),
            Work(name: "PING", pipeline: 16, count: 2_000_000, gcs: ["PING"], redis: ["PING"]),
            Work(
                name: "add a task of 300 B to a batch", pipeline: 16, count: 1_000_000,
                gcs: ["GCS.TASK", "ADD", task, specification],
                redis: ["EVALSHA", script, "2", "task:__rand_int__", "batch:42", specification]),
            Work(
                name: "read a task", pipeline: 16, count: 1_000_000, gcs: ["GCS.TASK", "GET", task],
                redis: ["GET", "task:__rand_int__"]),
            Work(
                name: "record an object's copy", pipeline: 16, count: 1_000_000,
                gcs: ["GCS.OBJECT", "ADD", "000000000000002a__rand_int__000000000001", "node1", "1000"],
                redis: ["SADD", "object:__rand_int__", "node1"]),
        ]
    }

    func run(_ report: inout Report) throws {
        let gcs = try ServerProcess.gcs()
        let redis = try ServerProcess.redis()
        _ = try Connection(port: gcs.port).command(["GCS.BATCH", "START", "ID", "42"])
        let script = try loadScript(redis)
        report.add("## Throughput")
        report.add()
        report.add(
            "50 connections; median of \(roundCount) rounds, in turns. CPU is the server's, user and system, "
                + "in seconds per million commands; work per core is Redis' CPU divided by ours. Adding a task "
                + "is SET, SADD to the batch's set and PUBLISH in one EVALSHA on Redis' side.")
        report.add()
        var rows: [[String]] = []
        for work in works(script) { rows.append(try measure(work, gcs, redis)) }
        report.add(
            header: [
                "command", "-P", "gcs-server/s", "redis-server/s", "CPU gcs", "CPU redis", "work per core",
            ], rows: rows)
    }

    /// SET, SADD and PUBLISH as one script.
    private func loadScript(_ redis: ServerProcess) throws -> String {
        let source =
            "redis.call('SET',KEYS[1],ARGV[1]) redis.call('SADD',KEYS[2],KEYS[1]) "
            + "redis.call('PUBLISH','tasks',KEYS[1]) return 1"
        let connection = try Connection(port: redis.port)
        connection.send(Connection.request(["SCRIPT", "LOAD", source].map { Array($0.utf8) }))
        let lines = String(decoding: connection.awaitLines(2), as: UTF8.self)
            .split(whereSeparator: \.isNewline)
        guard lines.count == 2 else { throw BenchError(description: "redis-server refuses the script") }
        return String(lines[1])
    }

    private func measure(_ work: Work, _ gcs: ServerProcess, _ redis: ServerProcess) throws -> [String] {
        var rates: [[Double]] = [[], []]
        var costs: [[Double]] = [[], []]
        let count = isQuick ? work.count / 10 : work.count
        for _ in 0..<roundCount {
            for (side, server) in [gcs, redis].enumerated() {
                let before = server.processorSeconds
                let words = side == 0 ? work.gcs : work.redis
                rates[side].append(try Self.drive(server, words, work.pipeline, count))
                costs[side].append((server.processorSeconds - before) / Double(count) * 1e6)
            }
        }
        let (ours, theirs) = (median(costs[0]), median(costs[1]))
        return [
            work.name, "\(work.pipeline)", median(rates[0]).text(0), median(rates[1]).text(0), ours.text(2),
            theirs.text(2), (theirs / max(ours, 0.001)).text(2),
        ]
    }

    /// Commands per second of 50 connections.
    static func drive(
        _ server: ServerProcess, _ words: [String], _ pipeline: Int, _ count: Int,
        keys: Int = 1_000_000
    ) throws -> Double {
        let process = Process()
        let pipe = Pipe()
        let arguments =
            [
                "-p", "\(server.port)", "-c", "50", "-P", "\(pipeline)", "-n", "\(count)", "-r", "\(keys)",
                "--csv",
            ] + words
        let pinned = try ServerProcess.pinned(
            ServerProcess.path(of: "redis-benchmark"), arguments, processors: "1")
        process.executableURL = URL(filePath: pinned[0])
        process.arguments = Array(pinned.dropFirst())
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        // "test","rps",...: the rate is the second quoted field of the last line.
        let fields = String(decoding: output, as: UTF8.self).split(whereSeparator: \.isNewline).last?
            .components(separatedBy: "\",\"")
        guard let fields, fields.count > 1, let rate = Double(fields[1]) else {
            throw BenchError(description: "redis-benchmark gave no figure for \(words.prefix(2))")
        }
        return rate
    }
}
