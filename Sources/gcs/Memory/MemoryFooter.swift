/// The sums of all nodes, and what their words mean.
struct MemoryFooter {
    var stats: MemoryStats
    var units: MemoryUnit?

    private func bytes(_ count: Int64) -> String { units?.text(count) ?? Units.bytes(count) }

    /// A sum of what nodes told; `nil` when none did.
    private func sum(_ name: String) -> Int64? { stats.usage[name] }

    /// Bytes of objects in the stores; Arrow's store tells those that are sealed.
    private var used: Int64? { sum("used-bytes") ?? sum("bytes") }

    var lines: [String] {
        var lines = ["--- Aggregate object store stats across all nodes ---", usageLine]
        lines += optionalLines
        lines.append(
            "References: \(Units.count(stats.references)) to \(Units.count(stats.referencedObjects)) objects; \(Units.count(stats.objects)) objects have a record"
        )
        let types = MemoryStats.typeNames.compactMap { name in
            stats.types[name].flatMap { $0.count > 0 ? typeLine(name, $0) : nil }
        }
        return lines + types + nodeLines + [""] + Self.meaning
    }

    private var usageLine: String {
        guard let used else {
            return
                "No node has told how its store uses its memory: a node manager does so every second"
        }
        var line = "Plasma memory usage \(bytes(used)), \(Units.count(sum("objects") ?? 0)) objects"
        guard let capacity = sum("capacity"), capacity > 0 else { return line }
        line += ", \(Self.share(used, of: capacity)) full"
        if let primary = sum("primary-bytes") {
            line += ", \(Self.share(primary, of: capacity)) needed"
        }
        return line + " (capacity \(bytes(capacity)))"
    }

    private var optionalLines: [String] {
        var lines: [String] = []
        func add(_ name: String, _ text: (Int64) -> String) {
            if let value = sum(name), value > 0 { lines.append(text(value)) }
        }
        let count = { (name: String) in Units.count(sum(name) ?? 0) }
        add("pinned-bytes") {
            "Pinned by processes: \(bytes($0)), \(count("pinned-objects")) objects"
        }
        add("secondary-bytes") { "Secondary copies: \(bytes($0)), which go first" }
        add("fallback-bytes") { "Plasma filesystem mmap usage: \(bytes($0))" }
        add("spilled-bytes") {
            "Spilled \(bytes($0)), \(count("spilled-objects")) objects\(rate($0, "spill-ms", "write"))"
        }
        add("restored-bytes") {
            "Restored \(bytes($0)), \(count("restored-objects")) objects\(rate($0, "restore-ms", "read"))"
        }
        add("disk-bytes") { "On disk now: \(bytes($0)), \(count("disk-objects")) objects" }
        add("evicted-objects") {
            "Evicted \(Units.count($0)) objects, \(bytes(sum("evicted-bytes") ?? 0))"
        }
        add("consumed-bytes") { "Objects consumed: \(bytes($0))" }
        return lines
    }

    private func rate(_ count: Int64, _ name: String, _ verb: String) -> String {
        guard let milliseconds = sum(name), milliseconds > 0 else { return "" }
        let perSecond = Int64(Double(count) / Double(milliseconds) * 1000)
        return ", avg \(verb) throughput \(bytes(perSecond))/s"
    }

    private func typeLine(_ name: String, _ tally: MemoryStats.Tally) -> String {
        let unknown = tally.unsized > 0 ? ", \(Units.count(tally.unsized)) of unknown size" : ""
        return "  \(name): \(Units.count(tally.count)), \(bytes(tally.bytes))\(unknown)"
    }

    private var nodeLines: [String] {
        guard stats.nodes.count > 1 || stats.nodes.contains(where: { $0.status != "alive" }) else {
            return []
        }
        var table = Table(
            .init(title: "NODE"), .init(title: "STATUS"), .init(title: "USED", alignment: .right),
            .init(title: "CAPACITY", alignment: .right), .init(title: "NEEDED", alignment: .right),
            .init(title: "PINNED", alignment: .right), .init(title: "SPILLED", alignment: .right),
            .init(title: "REFERENCES", alignment: .right))
        for node in stats.nodes {
            func cell(_ name: String) -> String { node.usage[name].map { bytes($0) } ?? "-" }
            let references = node.types.values.reduce(0) { $0 + $1.count }
            table.append(
                node.id, node.status,
                node.usage["used-bytes"] == nil ? cell("bytes") : cell("used-bytes"),
                cell("capacity"), cell("primary-bytes"), cell("pinned-bytes"),
                cell("spilled-bytes"),
                Units.count(references))
        }
        return [""] + table.lines
    }

    /// A share with one place, as `7.5%`.
    static func share(_ part: Int64, of whole: Int64) -> String {
        "\(Units.decimal(Double(part) / Double(whole) * 100, digits: 1))%"
    }

    /// What people asked about.
    static let meaning = [
        "used      bytes of all objects in the stores, also of those that may go at any moment",
        "needed    bytes of primary copies, the only ones there are: they are spilled, never dropped.",
        "          It is a part of what is used, not memory that is missing",
        "consumed  bytes handed out to readers since the stores started; what is read twice counts",
        "          twice, so it may be more than the stores hold",
        "pinned    bytes that some process has mapped: they stay until it releases them or ends",
    ]
}
