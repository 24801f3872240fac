import Foundation

/// A window of memory that holds while more is written than the disk takes; reads of what was
/// flushed; the end of a batch half of which is on disk.
struct FlushUse {
    let isQuick: Bool
    /// Whether the server's loop gets real-time priority: then other programs do not blur how long it takes.
    let isRealTime: Bool
    private let window = 256 << 20
    private let size = 1000
    private var recordCount: Int { (isQuick ? 400 << 20 : 4 << 30) / size }

    func run(_ report: inout Report) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "flush-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        report.add("## Flushing")
        report.add()
        let server = try ServerProcess.gcs(
            ["--dir", folder.path, "--flush-when-at-least-bytes", "\(window)", "--flush-period-secs", "1"]
                + ServerProcess.loopAlone, isPinned: false)
        if isRealTime { try server.prefer() }
        try load(server, &report)
        try end(server, folder, &report)
    }

    private func id(_ batch: Int, _ number: Int) -> [UInt8] {
        var id = [UInt8](repeating: 0, count: 20)
        let unique = UInt64(number) &* 0x9e37_79b9_7f4a_7c15
        for byte in 0..<8 {
            id[7 - byte] = UInt8(truncatingIfNeeded: batch >> (8 * byte))
            id[15 - byte] = UInt8(truncatingIfNeeded: unique >> UInt64(8 * byte))
        }
        return id
    }

    /// Bytes that no other record has.
    private func specification(_ number: Int) -> [UInt8] {
        var state = UInt64(number) &+ 1
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            for position in 0..<size {
                // Half of it repeats, as names and paths do.
                if position % 2 == 0 { state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407 }
                buffer[position] = position % 2 == 0 ? UInt8(truncatingIfNeeded: state >> 33) : 0x61
            }
            count = size
        }
    }

    private func add(_ batch: Int, _ number: Int, _ specification: [UInt8]) -> [UInt8] {
        Connection.request([Array("GCS.TASK".utf8), Array("ADD".utf8), id(batch, number), specification])
    }

    // MARK: Must hold while loading

    private func load(_ server: ServerProcess, _ report: inout Report) throws {
        let connection = try Connection(port: server.port)
        _ = connection.command(["GCS.BATCH", "START", "ID", "7"])
        let pinger = Latencies(server: server)
        let before = try pinger.measure(seconds: 5) {}
        var (held, resident, throttled) = (0, 0, 0)
        let watcher = try Connection(port: server.port)
        let loop = LoopTime.Source(server.identifier)
        let loopBefore = loop.time
        let start = DispatchTime.now().uptimeNanoseconds
        let during = try pinger.measure(seconds: 1) {
            for first in stride(from: 0, to: recordCount, by: 2000) {
                let numbers = first..<min(first + 2000, recordCount)
                connection.send(numbers.flatMap { add(7, $0, specification($0)) })
                connection.awaitLines(numbers.count)
                let info = Self.information(watcher)
                held = max(held, info["flush_held_bytes"] ?? 0)
                throttled = info["flush_throttled_total"] ?? 0
                resident = max(resident, server.residentByteCount)
            }
        }
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
        let spent = loop.time - loopBefore
        let info = Self.information(watcher)
        let limit = 1.6 * Double(window) / 1e6 + 150
        report.add(
            "\(recordCount) tasks of \(size) B, \((Double(recordCount * size) / seconds / 1e6).text(0)) MB/s "
                + "(\((Double(recordCount) / seconds).text(0)) records/s), window 256 MB, "
                + "\(throttled) writes waited for the disk, \(info["flush_records_on_disk"] ?? 0) records on disk:")
        report.add()
        report.add(
            header: ["what", "measured", "promise"],
            rows: [
                ["most memory held by records, of the window", (Double(held) / Double(window)).text(3), "<= 1.25"],
                ["most RSS, MB", (Double(resident) / 1e6).text(0), "<= \(limit.text(0))"],
            ] + Self.rows(before, during))
        report.add(
            "Of \(seconds.text(1)) s the loop ran \(spent.running.text(1)) s and waited \(spent.waiting.text(1)) s "
                + "for a processor\(isRealTime ? ", with real-time priority" : ""); the whole server wrote "
                + "\((Double(server.writtenByteCount) / 1e6).text(0)) MB.")
        report.add()
        try readBack(server, &report)
    }

    private static func rows(_ before: Latencies.Samples, _ during: Latencies.Samples) -> [[String]] {
        let quiet = before.times
        let rows = [
            ("PING", during.times), ("PING less stops of the processors", during.timesWithoutStops),
            ("PING less waits for a processor", during.timesWithoutWaiting),
            ("the loop's processor time in a PING", during.timesRunning),
        ]
        return [
            ["PING p99.9, longest before, ms", "\(quiet.at(0.999).text(2)), \(quiet.at(1).text(2))", ""],
            ["longest (loop ran, waited, stopped) before", before.longest, ""],
            ["stops of processors before", before.stops.text, ""],
        ]
            + rows.flatMap { name, times in
                [
                    ["\(name), p99.9 while loading, ms", times.at(0.999).text(2), "< 2"],
                    ["\(name), longest while loading, ms", times.at(1).text(2), "< before + 10"],
                ]
            } + [
                ["longest (loop ran, waited, stopped) while loading", during.longest, ""],
                ["stops of processors while loading", during.stops.text, ""],
            ]
    }

    static func information(_ connection: Connection) -> [String: Int] {
        connection.send(Connection.request([Array("INFO".utf8), Array("flush".utf8)]))
        var text = ""
        while !text.contains("flush_reads_empty_total:") || !text.hasSuffix("\r\n\r\n") && !text.hasSuffix("\r\n") {
            let part = connection.awaitLines(1)
            if part.isEmpty { break }
            text += String(decoding: part, as: UTF8.self)
        }
        var values: [String: Int] = [:]
        for line in text.split(separator: "\r\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2, let value = Int(parts[1]) { values[String(parts[0])] = value }
        }
        return values
    }

    // MARK: Reading back

    private func readBack(_ server: ServerProcess, _ report: inout Report) throws {
        // Compaction goes on for a moment after the load.
        sleep(isQuick ? 2 : 10)
        let connection = try Connection(port: server.port)
        var times: [Double] = []
        for number in stride(from: 0, to: recordCount * 3 / 4, by: max(recordCount / 20_000, 1)) {
            let start = DispatchTime.now().uptimeNanoseconds
            connection.send(request(number))
            let reply = connection.awaitBytes(reply(number).count)
            times.append(Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6)
            guard reply == self.reply(number) else { throw BenchError(description: "record \(number) differs") }
        }
        let start = DispatchTime.now().uptimeNanoseconds
        let wrong = try compareAll(server)
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
        times.sort()
        report.add("Reading back:")
        report.add()
        report.add(
            header: ["what", "measured", "promise"],
            rows: [
                ["of \(recordCount) records, those that differ", "\(wrong)", "0"],
                ["records read per second, 16 connections", (Double(recordCount) / seconds).text(0), ""],
                ["one at a time: p50, ms", times[times.count / 2].text(3), "< 0.3"],
                ["one at a time: p99, ms", times[times.count * 99 / 100].text(3), "< 10"],
            ])
    }

    /// Reads every record; how many differ from what was written.
    private func compareAll(_ server: ServerProcess) throws -> Int {
        let connections = try (0..<16).map { _ in try Connection(port: server.port) }
        var wrong = 0
        for first in stride(from: 0, to: recordCount, by: 16 * 100) {
            let groups = (0..<16).map { group in
                let start = min(first + group * 100, recordCount)
                return start..<min(start + 100, recordCount)
            }
            for (connection, numbers) in zip(connections, groups) {
                connection.send(numbers.reduce(into: []) { $0 += request($1) })
            }
            for (connection, numbers) in zip(connections, groups) {
                let size = reply(0).count
                let bytes = connection.awaitBytes(numbers.count * size)
                for (place, number) in numbers.enumerated()
                where !bytes.dropFirst(place * size).prefix(size).elementsEqual(reply(number)) { wrong += 1 }
            }
        }
        return wrong
    }

    private func request(_ number: Int) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        let key = Array("TASK:".utf8) + id(7, number).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return Connection.request([Array("HGET".utf8), key, Array("spec".utf8)])
    }

    private func reply(_ number: Int) -> [UInt8] {
        Array("$\(size)\r\n".utf8) + specification(number) + Array("\r\n".utf8)
    }

    // MARK: Ending

    private func end(_ server: ServerProcess, _ folder: URL, _ report: inout Report) throws {
        let connection = try Connection(port: server.port)
        let count = isQuick ? 100_000 : 1_000_000
        _ = connection.command(["GCS.BATCH", "END", "7"])
        _ = connection.command(["CONFIG", "SET", "flush-policy", "none"])
        sleep(5)
        _ = connection.command(["GCS.BATCH", "START", "ID", "8"])
        let text = [UInt8](repeating: 0x62, count: 100)
        for first in stride(from: 0, to: count, by: 5000) {
            connection.send((first..<first + 5000).flatMap { add(8, $0, text) })
            connection.awaitLines(5000)
        }
        let flushed = connection.command(["GCS.FLUSH", "\(count / 2)"])
        let before = Self.byteCount(of: folder)
        let start = DispatchTime.now().uptimeNanoseconds
        _ = connection.command(["GCS.BATCH", "END", "8"])
        let milliseconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
        var after = before
        var seconds = 0
        while seconds < 60, after > before / 10 {
            sleep(1)
            seconds += 1
            after = Self.byteCount(of: folder)
        }
        report.add("A batch of \(count) tasks of 100 B, \(flushed) of them flushed, ends:")
        report.add()
        report.add(
            header: ["what", "measured", "promise"],
            rows: [
                ["END, ms", milliseconds.text(2), "< 10"],
                ["MB on disk before", (Double(before) / 1e6).text(1), ""],
                ["MB on disk \(seconds) s later", (Double(after) / 1e6).text(1), "back within 60 s"],
            ])
    }

    private static func byteCount(of folder: URL) -> Int {
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        var total = 0
        while let file = files?.nextObject() as? URL {
            var status = stat()
            if stat(file.path, &status) == 0, status.st_mode & S_IFMT == S_IFREG { total += Int(status.st_blocks) * 512 }
        }
        return total
    }
}
