import Foundation

/// What records cost in memory, and how they go.
struct MemoryUse {
    let isQuick: Bool
    private let specification = (0..<100).map { UInt8(truncatingIfNeeded: 33 + $0 * 7 % 90) }

    func run(_ report: inout Report) throws {
        report.add("## Memory")
        report.add()
        try large(&report)
        try small(&report)
    }

    private func task(_ batch: Int, _ number: Int) -> [UInt8] {
        var id = [UInt8](repeating: 0, count: 20)
        for byte in 0..<8 {
            id[7 - byte] = UInt8(truncatingIfNeeded: batch >> (8 * byte))
            id[15 - byte] = UInt8(truncatingIfNeeded: number >> (8 * byte))
        }
        return Connection.request([Array("GCS.TASK".utf8), Array("ADD".utf8), id, specification])
    }

    /// Sends requests whose replies are a line each, some thousands at a time.
    private func send(_ connection: Connection, _ count: Int, _ request: (Int) -> [UInt8]) {
        for start in stride(from: 0, to: count, by: 5000) {
            let end = min(start + 5000, count)
            connection.send((start..<end).flatMap(request))
            connection.awaitLines(end - start)
        }
    }

    private func large(_ report: inout Report) throws {
        let server = try ServerProcess.gcs()
        let connection = try Connection(port: server.port)
        let perBatch = isQuick ? 100_000 : 1_000_000
        let before = server.residentByteCount
        for batch in 1...5 {
            _ = connection.command(["GCS.BATCH", "START", "ID", "\(batch)"])
            send(connection, perBatch) { task(batch, $0) }
        }
        let cost = Double(server.residentByteCount - before) / Double(5 * perBatch)
        let pinger = Pinger(port: server.port)
        let baseline = try pinger.longestGap(seconds: 10) {}
        var ends: [Double] = []
        let during = try pinger.longestGap(seconds: 3) {
            for batch in 1...5 {
                let start = DispatchTime.now().uptimeNanoseconds
                _ = connection.command(["GCS.BATCH", "END", "\(batch)"])
                ends.append(Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6)
                usleep(300_000)
            }
        }
        let left = Double(server.residentByteCount - before) / 1e6
        report.add("5 batches of \(perBatch) tasks of 100 B each:")
        report.add()
        report.add(
            header: ["what", "measured", "promise"],
            rows: [
                ["bytes per record", cost.text(1), "<= 150"],
                ["slowest END, ms", (ends.max() ?? 0).text(2), "< 10"],
                ["longest PING before, ms", baseline.text(2), ""],
                ["longest PING during the five ENDs, ms", during.text(2), "<= before + 2"],
                ["memory not given back, MB", left.text(1), "<= 80"],
            ])
    }

    private func small(_ report: inout Report) throws {
        let server = try ServerProcess.gcs()
        let connection = try Connection(port: server.port)
        let count = isQuick ? 10_000 : 100_000
        let before = server.residentByteCount
        send(connection, count) { words(["GCS.BATCH", "START", "ID", "\($0 + 1)"]) }
        send(connection, 10 * count) { task($0 / 10 + 1, $0 % 10) }
        let cost = Double(server.residentByteCount - before) / Double(10 * count)
        let start = DispatchTime.now().uptimeNanoseconds
        send(connection, count) { words(["GCS.BATCH", "END", "\($0 + 1)"]) }
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
        sleep(3)
        let left = Double(server.residentByteCount - before) / 1e6
        report.add("\(count) batches of 10 such tasks each:")
        report.add()
        report.add(
            header: ["what", "measured", "promise"],
            rows: [
                ["bytes per record, batches included", cost.text(1), "<= 190"],
                ["microseconds per END", (seconds / Double(count) * 1e6).text(2), ""],
                ["memory not given back, MB (tombstones and log entries stay)", left.text(1), "<= 80"],
            ])
    }

    private func words(_ words: [String]) -> [UInt8] { Connection.request(words.map { Array($0.utf8) }) }
}

/// Asks PING about every millisecond on its own thread.
struct Pinger {
    let port: Int

    private final class State: @unchecked Sendable {
        let lock = NSLock()
        var isDone = false
        var longest = 0.0
    }

    /// The longest answer in milliseconds while `body` runs, and for at least so long.
    func longestGap(seconds: Double, _ body: () -> Void) throws -> Double {
        let connection = try Connection(port: port)
        let state = State()
        let finished = DispatchSemaphore(value: 0)
        nonisolated(unsafe) let unshared = connection
        Thread.detachNewThread {
            while !state.lock.withLock({ state.isDone }) {
                let start = DispatchTime.now().uptimeNanoseconds
                _ = unshared.command(["PING"])
                let milliseconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
                state.lock.withLock { state.longest = max(state.longest, milliseconds) }
                usleep(1000)
            }
            finished.signal()
        }
        let start = Date()
        body()
        let left = seconds - Date().timeIntervalSince(start)
        if left > 0 { usleep(UInt32(left * 1e6)) }
        state.lock.withLock { state.isDone = true }
        finished.wait()
        return state.longest
    }
}
