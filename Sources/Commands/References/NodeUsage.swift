internal import ControlStore

/// What a node's last heartbeat told of its store, or the sum of several.
struct NodeUsage {
    /// Fields of a heartbeat that are about memory, in the order in which they are shown.
    ///
    /// `bytes` are sealed objects, `used-bytes` unsealed ones too. `consumed-bytes`, `evicted-...`, `spilled-...` and
    /// `restored-...` count since the store or the node manager started.
    static let names: [StaticString] = [
        "capacity", "used-bytes", "objects", "bytes", "primary-bytes", "secondary-bytes",
        "pinned-objects", "pinned-bytes", "fallback-bytes", "mapped-bytes", "spilled-objects",
        "spilled-bytes", "spill-ms", "restored-objects", "restored-bytes", "restore-ms",
        "disk-objects", "disk-bytes", "evicted-objects", "evicted-bytes", "consumed-bytes",
        "lru-age-ms",
    ]
    /// The field whose largest value counts, not the sum.
    private static let agePosition = names.count - 1

    private var values: [Int64?]

    /// Of no node: nothing told.
    init() { values = .init(repeating: nil, count: Self.names.count) }

    /// What one node told.
    init(_ node: Node) {
        self.init()
        for position in stride(from: 0, to: node.fields.count - 1, by: 2) {
            guard let place = Self.names.firstIndex(where: { Self.is(node.fields[position], $0) })
            else { continue }
            values[place] = Int64(String(decoding: node.fields[position + 1], as: UTF8.self))
        }
    }

    /// Counts another node in; what nobody told stays untold.
    mutating func add(_ other: NodeUsage) {
        for (place, value) in other.values.enumerated() {
            guard let value else { continue }
            let sum = values[place] ?? 0
            values[place] = place == Self.agePosition ? max(sum, value) : sum &+ value
        }
    }

    /// What is known.
    var fields: [(name: StaticString, value: Int64)] {
        zip(Self.names, values).compactMap { name, value in value.map { (name, $0) } }
    }

    private static func `is`(_ field: [UInt8], _ name: StaticString) -> Bool {
        name.withUTF8Buffer { $0.count == field.count && $0.elementsEqual(field) }
    }
}
