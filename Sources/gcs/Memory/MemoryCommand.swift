internal import ArgumentParser
internal import ControlClient
internal import Foundation
internal import GCSClient
internal import Platform

/// `gcs memory`.
struct MemoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "memory",
        abstract: "Show who holds which memory, and why it is not freed.",
        discussion: """
            Each line is a reference: a process that holds an object, why, of which batch, and how \
            long ago that batch was started. Pins (PINNED_IN_MEMORY) come from the stores by \
            themselves; the other types are what programs told with GCS.REF ADD. A size that \
            nobody told is shown as '?' and counted as unknown, never as a number.

            References are read in pages, which holds up neither the server nor its clients; up \
            to 4,000,000 of them are put in order in memory, 80 bytes each, and 16 bytes for each \
            object, to count it once. With --num-entries only the rows that are shown are kept.

            EXAMPLES
              gcs memory --stats-only                    how full the stores are, and with what
              gcs memory --sort-by object_size --desc -n 20
              gcs memory --group-by stack_trace          which lines of code hold the most
              gcs memory --batch 42                      why is batch 42 not freed?
              gcs memory --unreferenced --desc -n 20     what nobody needs any more
            """)

    @OptionGroup var memory: MemoryOptions
    @OptionGroup var options: ConnectionOptions

    func run() throws {
        Interruption.catchSignals()
        let connection = try options.connect()
        guard memory.watch else { return try show(connection) }
        let isTerminal = isatty(STDOUT_FILENO) == 1
        do {
            while true {
                if isTerminal { Output.write(["\u{1b}[H\u{1b}[2J\u{1b}[3J"]) }
                try show(connection)
                try Interruption.sleep(milliseconds: UInt64(memory.interval) * 1000)
            }
        } catch let failure as Failure where failure.exitCode == 130 {
            // How one leaves --watch.
            throw ExitCode.success
        }
    }

    private func show(_ connection: BlockingControlConnection) throws {
        var writer = LineWriter()
        let stats = try MemoryStats(connection)
        if options.json { try writer.line("{\"stats\":\(try MemoryJSON.text(stats))") }
        if !memory.statsOnly { try list(connection, &writer) }
        if options.json {
            try writer.line("}")
        } else {
            if memory.statsOnly { try headline(&writer) }
            let footer = MemoryFooter(
                stats: stats, units: memory.units == .bytes ? nil : memory.units)
            for line in footer.lines { try writer.line(line) }
        }
        try writer.flush()
    }

    private func headline(_ writer: inout LineWriter) throws {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "yyyy-MM-dd HH:mm:ss"
        try writer.line(
            "======== Object references status: \(formatter.string(from: Date())) ========")
    }

    // MARK: Lists

    private func list(
        _ connection: BlockingControlConnection, _ writer: inout LineWriter
    ) throws {
        var reader = MemoryReader()
        var groups = MemoryGroups(memory)
        var cursor: String? = "0"
        let verb = memory.unreferenced ? "UNREFERENCED" : "REFS"
        while let from = cursor {
            try Interruption.check()
            let words = ["GCS.MEMORY", verb] + memory.filter + ["CURSOR", from]
            let (next, elements) = try connection.command(words).page()
            for element in elements {
                guard let row = reader.row(element) else { continue }
                groups.add(row, reader.texts)
            }
            cursor = next
        }
        groups.finish(reader.texts)
        if options.json {
            try writeJSON(groups, reader.texts, &writer)
        } else {
            try writeText(groups, reader.texts, &writer)
        }
        guard groups.isCut else { return }
        try writer.flush()
        Output.complain(
            "only the first \(Units.count(Int64(MemoryGroups.rowCountMax))) found are shown: "
                + "see --num-entries, --node and --batch")
    }

    private func sorted(_ groups: MemoryGroups, _ texts: Interned) -> [(String, MemoryGroups.Group)]
    {
        groups.groups.map { (texts[$0.key], $0.value) }.sorted { $0.0 < $1.0 }
    }

    private func writeJSON(
        _ groups: MemoryGroups, _ texts: Interned, _ writer: inout LineWriter
    ) throws {
        let json = MemoryJSON(texts: texts, listsObjects: memory.unreferenced)
        let name = memory.unreferenced ? "unreferenced" : "references"
        try writer.line(",\"count\":\(groups.rowCount),\"\(name)\":[")
        var isFirst = true
        for (_, group) in sorted(groups, texts) {
            for row in group.rows {
                try writer.line((isFirst ? " " : ",") + json.text(row))
                isFirst = false
            }
        }
        try writer.line("]")
    }

    private func writeText(
        _ groups: MemoryGroups, _ texts: Interned, _ writer: inout LineWriter
    ) throws {
        let table = MemoryTable(
            texts: texts, units: memory.units, listsObjects: memory.unreferenced,
            now: SystemClock.unixMilliseconds)
        try headline(&writer)
        let entries = memory.numEntries.map { "\($0) entries" } ?? "all entries"
        let order = memory.sortBy.words + (memory.desc ? ", the largest first" : "")
        try writer.line(
            "Grouping by \(memory.unreferenced ? "nothing" : memory.groupBy.words)...        "
                + "Sorting by \(order)...        Display \(entries) per group...")
        try writer.line("")
        for (name, group) in sorted(groups, texts) {
            let title = memory.groupBy == .node ? "node address" : "stack trace"
            let label = name.isEmpty ? "(unknown)" : name
            if memory.unreferenced {
                try writer.line(
                    "--- Objects that nothing refers to: \(summary(group)) ---")
            } else {
                try writer.line("--- Summary for \(title): \(label) ---")
                for line in typeSummary(group, texts) { try writer.line(line) }
                try writer.line("")
                try writer.line("--- Object references for \(title): \(label) ---")
            }
            try table.write(group.rows, to: &writer)
            if group.count > group.rows.count {
                try writer.line(
                    "... and \(Units.count(Int64(group.count - group.rows.count))) more")
            }
            try writer.line("")
        }
        if groups.rowCount == 0 {
            try writer.line(
                memory.unreferenced
                    ? "No object is without a reference" : "No process holds a reference")
            try writer.line("")
        }
    }

    private func summary(_ group: MemoryGroups.Group) -> String {
        let unknown = group.unknownCount > 0 ? " and \(group.unknownCount) of unknown size" : ""
        return "\(Units.count(Int64(group.count))), \(memory.units.text(group.byteCount))\(unknown)"
    }

    private func typeSummary(_ group: MemoryGroups.Group, _ texts: Interned) -> [String] {
        var cells: [String: String] = [:]
        for (type, tally) in group.tallies {
            let unknown = tally.unknownCount > 0 ? " + \(tally.unknownCount) unknown" : ""
            cells[texts[type]] =
                "\(Units.count(Int64(tally.count))), (\(memory.units.text(tally.byteCount))\(unknown))"
        }
        let titles = [
            "Local References", "Pinned", "Used by task", "Captured in Objects", "Actor Handles",
        ]
        let used =
            memory.units.text(group.byteCount)
            + (group.unknownCount > 0 ? " + \(group.unknownCount) unknown" : "")
        var columns = [("Mem Used by Objects", used)]
        for (title, type) in zip(titles, MemoryStats.typeNames) {
            columns.append((title, cells[type] ?? "0, (\(memory.units.text(0 as Int64)))"))
        }
        func line(_ texts: [String]) -> String {
            var line = ""
            for (text, column) in zip(texts, columns) {
                let width = max(column.0.count, column.1.count) + 2
                line += text + String(repeating: " ", count: width - text.count)
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }
        return [line(columns.map(\.0)), line(columns.map(\.1))]
    }
}
