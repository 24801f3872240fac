internal import ControlStore
internal import Identifiers
internal import RESP

extension Command {
    static let nodeRegister = Command(
        "REGISTER",
        "Takes a node in; what it reported before is forgotten, and it reports anew. Another connection "
            + "that registered it before is closed.",
        group: .nodes, flags: [.write, .fast],
        arguments: [
            .string("node"), .string("address").after("ADDRESS").optional,
            .string("path").after("STORE").optional,
        ],
        reply: "string: the last deletion it acknowledged, or 0-0"
    ) { (call) throws(CommandError) in
        let name = try call.node()
        var address: [UInt8]?
        var store: [UInt8]?
        while call.words.left > 0 {
            if call.option("ADDRESS") {
                address = try call.shortWord("address")
            } else if call.option("STORE") {
                store = try call.shortWord("path")
            } else {
                throw .syntax
            }
        }
        let acknowledged = call.store.registerNode(name, address: address, store: store)
        call.state.pointee.takeOver(Array(name), by: call.session)
        call.reply.bulk(text: acknowledged.description)
    }

    static let nodeHeartbeat = Command(
        "HEARTBEAT", "Tells that a node lives, and how it is.",
        group: .nodes, complexity: "O(fields)", flags: [.write, .fast],
        arguments: [
            .string("node"), .block("fields", .string("field"), .string("value")).many.optional,
        ],
        reply: "status: OK"
    ) { (call) throws(CommandError) in
        let name = try call.node()
        guard call.words.left % 2 == 0, call.words.left <= 128 else { throw .wrongArity }
        var fields: [[UInt8]] = []
        while call.words.left > 0 { fields.append(try call.shortWord("field")) }
        try call.attempt { () throws(StoreError) in
            try call.store.noteHeartbeat(name, fields: fields)
        }
        call.reply.ok()
    }

    static let nodeAck = Command(
        "ACK", "Tells that a node carried out every deletion up to one.",
        group: .nodes, complexity: "O(nodes)", flags: [.write, .fast],
        arguments: [.string("node"), .string("deletion-id")], reply: "status: OK"
    ) { (call) throws(CommandError) in
        let name = try call.node()
        guard let id = LogID(try call.word().text, sequence: 0) else { throw .notAStreamID }
        try call.attempt { () throws(StoreError) in try call.store.acknowledge(name, upTo: id) }
        call.reply.ok()
    }

    static let nodeList = Command(
        "LIST", "Lists the nodes.",
        group: .nodes, complexity: "O(nodes)", flags: [.readOnly], reply: "array of maps as of INFO"
    ) { (call) in
        let nodes = call.store.knownNodes.sorted { $0.name.lexicographicallyPrecedes($1.name) }
        call.reply.array(nodes.count)
        for node in nodes { call.write(node) }
    }

    static let nodeInfo = Command(
        "INFO", "Tells what is known of a node.",
        group: .nodes, flags: [.readOnly, .fast], arguments: [.string("node")],
        reply: "map: id, address, store, status (alive; lost: silent for node-timeout-secs; "
            + "unknown: only named by locations or references), registered-ms (0: never), last-seen-ms, "
            + "acknowledged, and the fields of its last heartbeat; nil when there is none"
    ) { (call) throws(CommandError) in
        guard let node = call.store.node(try call.node()) else { return call.reply.null() }
        call.write(node)
    }

    static let nodeRemove = Command(
        "REMOVE", "Forgets a node, its copies and its references; deletions no longer wait for it.",
        group: .nodes, flags: [.write, .fast], arguments: [.string("node")],
        reply: "integer: 1 when it was known, else 0"
    ) { (call) throws(CommandError) in
        let name = try call.node()
        call.state.pointee.registrants[Array(name)] = nil
        call.reply.integer(call.store.removeNode(name) ? 1 : 0)
    }
}

extension Node {
    /// The word for how it is.
    var status: StaticString {
        if isLost { return "lost" }
        return isRegistered ? "alive" : "unknown"
    }

    /// What it shows as a map and as the hash `NODE:<id>`.
    var shownFields: [(name: [UInt8], value: [UInt8])] {
        func field(_ name: String, _ value: some Sequence<UInt8>) -> (name: [UInt8], value: [UInt8])
        {
            (Array(name.utf8), Array(value))
        }
        var shown = [
            field("id", name), field("address", address), field("store", store),
            field("status", status.description.utf8),
            field("registered-ms", "\(registeredAt)".utf8),
            field("last-seen-ms", "\(lastSeenAt)".utf8),
            field("acknowledged", acknowledged.description.utf8),
        ]
        for position in stride(from: 0, to: fields.count - 1, by: 2) {
            shown.append((fields[position], fields[position + 1]))
        }
        return shown
    }
}

extension Call {
    /// Reads a word of at most 1 KiB, which a node's record keeps.
    fileprivate mutating func shortWord(_ name: String) throws(CommandError) -> [UInt8] {
        let word = try word()
        guard word.count <= 1024 else {
            throw .outOfRange("\(name) too long: at most 1024 bytes, found \(word.count)")
        }
        return word.bytes
    }

    fileprivate func write(_ node: Node) {
        let fields = node.shownFields
        reply.map(fields.count)
        for (name, value) in fields {
            reply.bulk(name)
            reply.bulk(value)
        }
    }
}
