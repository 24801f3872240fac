import Foundation

/// Lines that are shown as they come, and kept for a results page.
struct Report {
    private var lines: [String] = []

    mutating func add(_ line: String = "") {
        print(line)
        fflush(nil)
        lines.append(line)
    }

    /// A Markdown table.
    mutating func add(header: [String], rows: [[String]]) {
        let widths = header.indices.map { column in
            ([header] + rows).map { $0[column].count }.max() ?? 0
        }
        func line(_ cells: [String]) -> String {
            "| "
                + zip(cells, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
                .joined(separator: " | ") + " |"
        }
        add(line(header))
        add("|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|")
        for row in rows { add(line(row)) }
        add()
    }

    /// Writes `results/<date>.md` with the machine's description.
    func record() throws {
        let date = ISO8601DateFormatter.string(
            from: Date(), timeZone: .gmt, formatOptions: [.withFullDate])
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "results")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let text = "# gcs-server beside redis-server, \(date)\n\n\(Self.machine)\n\n"
        let body = lines.joined(separator: "\n").trimmingCharacters(in: .newlines)
        try (text + body + "\n")
            .write(to: folder.appending(path: "\(date).md"), atomically: true, encoding: .utf8)
    }

    private static var machine: String {
        let processors = ProcessInfo.processInfo.activeProcessorCount
        let cpu =
            (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?
            .split(separator: "\n").first { $0.hasPrefix("model name") }?
            .split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
        let kernel =
            (try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
        return "Machine: \(processors) processors (\(cpu)), Linux \(kernel). Servers on one processor, "
            + "clients on another, where `taskset` is there."
    }
}

extension Double {
    /// With so many digits after the point.
    func text(_ places: Int) -> String { String(format: "%.\(places)f", self) }
}

/// The middle value; 0 of none.
func median(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.sorted()[values.count / 2] }
