import Foundation

/// `gcs memory` over a million references: how long it takes, and what a pinger sees meanwhile.
struct MemoryListing {
    let isQuick: Bool

    private var count: Int { isQuick ? 100_000 : 1_000_000 }
    private let nodeCount = 10
    private let types = [
        "LOCAL_REFERENCE", "PINNED_IN_MEMORY", "USED_BY_PENDING_TASK", "CAPTURED_IN_OBJECT",
        "ACTOR_HANDLE",
    ]

    private func object(_ number: Int) -> [UInt8] {
        var id = [UInt8](repeating: 0, count: 20)
        for byte in 0..<8 { id[15 - byte] = UInt8(truncatingIfNeeded: number >> (8 * byte)) }
        id[7] = 1
        id[19] = 1
        return id
    }

    private func words(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }

    /// Half of the objects have a reference that names a size; all have a record, and as many have none.
    private func fill(_ connection: Connection) {
        _ = connection.command(["GCS.BATCH", "START", "ID", "1", "NAME", "benchmark"])
        for first in stride(from: 0, to: count, by: 2500) {
            let numbers = first..<min(first + 2500, count)
            var requests: [UInt8] = []
            for number in numbers {
                let id = object(number)
                requests += Connection.request(
                    words("GCS.OBJECT", "ADD") + [id] + words("node\(number % nodeCount)", "\(number)"))
                requests += Connection.request(
                    words(
                        "GCS.REF", "ADD", "node\(number % nodeCount)", "\(1000 + number % 97)",
                        types[number % types.count]) + [object(number / 2 * 2)]
                        + words("SITE", "driver.py:main:\(number % 100)")
                        + (number % 2 == 0 ? words("BYTES", "\(number)") : []))
            }
            connection.send(requests)
            connection.awaitLines(2 * numbers.count)
        }
    }

    func run(_ report: inout Report) throws {
        let server = try ServerProcess.gcs()
        fill(try Connection(port: server.port))
        let pinger = Pinger(port: server.port)
        let baseline = try pinger.longestGap(seconds: 3) {}
        var rows: [[String]] = []
        let runs: [(String, [String], String)] = [
            ("--stats-only", ["--stats-only"], "< 200 ms"),
            ("--desc -n 20", ["--desc", "-n", "20"], ""),
            ("everything", [], ""), ("everything --json", ["--json"], ""),
            ("--unreferenced", ["--unreferenced"], ""),
        ]
        for (title, arguments, promise) in runs {
            var outcome: Result<Run, any Error> = .success(Run())
            let before = server.processorSeconds
            let gap = try pinger.longestGap(seconds: 1) {
                outcome = Result { try gcs(["memory"] + arguments, port: server.port) }
            }
            let result = try outcome.get()
            let spent = server.processorSeconds - before
            rows.append([
                title, (result.seconds * 1000).text(1), "\(result.lineCount)",
                (Double(result.byteCount) / 1e6).text(0), (spent * 1000).text(0), gap.text(2),
                promise,
            ])
        }
        report.add("## gcs memory")
        report.add()
        report.add(
            "\(count) references to \(count / 2) objects, \(count) objects with a record, on "
                + "\(nodeCount) nodes; longest PING before: \(baseline.text(2)) ms:")
        report.add()
        report.add(
            header: [
                "gcs memory", "ms", "lines", "resident at most, MB", "server CPU, ms",
                "longest PING meanwhile, ms", "promise",
            ], rows: rows)
    }

    private struct Run {
        var seconds = 0.0
        var lineCount = 0
        /// Resident bytes of the program at most.
        var byteCount = 0
    }

    private func gcs(_ arguments: [String], port: Int) throws -> Run {
        let process = Process()
        process.executableURL = URL(filePath: try ServerProcess.folder() + "/gcs")
        process.arguments = arguments + ["--address", "127.0.0.1:\(port)"]
        let pipe = Pipe()
        process.standardOutput = pipe
        var run = Run()
        let start = DispatchTime.now().uptimeNanoseconds
        try process.run()
        while true {
            let piece = pipe.fileHandleForReading.availableData
            if piece.isEmpty { break }
            run.lineCount += piece.count { $0 == 10 }
            run.byteCount = max(run.byteCount, residentByteCount(process.processIdentifier))
        }
        process.waitUntilExit()
        run.seconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
        guard process.terminationStatus == 0 else {
            throw BenchError(description: "gcs \(arguments) ended with \(process.terminationStatus)")
        }
        return run
    }

    private func residentByteCount(_ process: Int32) -> Int {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8),
            let pages = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return 0 }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
