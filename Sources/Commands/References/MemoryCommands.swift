internal import ControlStore
internal import Identifiers
internal import RESP

extension Command {
    static let memoryStats = Command(
        "STATS",
        "Tells what the memory of all stores is used for, by node and by type of reference.",
        group: .references, complexity: "O(nodes)", flags: [.readOnly],
        reply: "map: objects (records), referenced-objects (that references name, with a record or "
            + "without), references, types (map of types to maps: count, bytes, unsized: those of which "
            + "nobody told the bytes), usage (map: sums of what the nodes' last heartbeats told), nodes "
            + "(array of maps: id, address, status, last-seen-ms, types, usage)"
    ) { (call) in
        let nodes = call.store.knownNodes.sorted { $0.name.lexicographicallyPrecedes($1.name) }
        let usages = nodes.map { NodeUsage($0) }
        var total = NodeUsage()
        for usage in usages { total.add(usage) }
        call.reply.map(6)
        call.field("objects", Int64(call.store.objectCount))
        call.field("referenced-objects", Int64(call.store.referencedObjectCount))
        call.field("references", Int64(call.store.referenceCount))
        call.write(call.store.referenceTallies)
        call.write(total)
        call.reply.bulk("nodes")
        call.reply.array(nodes.count)
        for (node, usage) in zip(nodes, usages) {
            call.reply.map(6)
            call.reply.bulk("id")
            call.reply.bulk(node.name)
            call.reply.bulk("address")
            call.reply.bulk(node.address)
            call.reply.bulk("status")
            call.reply.bulk(node.status)
            call.field("last-seen-ms", node.lastSeenAt)
            call.write(call.store.referenceTallies(of: node))
            call.write(usage)
        }
    }

    /// References that a step looks at: each takes about a microsecond with its reply.
    private static let stepCountMax = 250

    static let memoryReferences = Command(
        "REFS", "Lists references, a page at a time, in no order.",
        group: .references, complexity: "O(count)", flags: [.readOnly],
        arguments: [
            .string("node").after("NODE").optional, .integer("batch").after("BATCH").optional,
            .integer("cursor").after("CURSOR").optional, .integer("count").after("COUNT").optional,
        ],
        reply: "array: the next cursor (0: the end), array of maps: node, pid, type, object, "
            + "bytes (nil: unknown), site (empty: unknown), driver (1 or 0), batch, batch-name, batch-status (active, "
            + "done, deferred, ended), batch-created-ms (0: unknown), task-state (nil: no record); a page "
            + "has at most 250, and may be empty before the end"
    ) { (call) throws(CommandError) in
        let page = try call.page()
        var found: [(ReferenceInfo, MemoryOwner)] = []
        var candidates: [ReferenceInfo] = []
        let next = call.store.scanReferences(
            from: page.cursor, budget: min(page.count, Command.stepCountMax)
        ) {
            if page.node == nil || page.node == $0.node { candidates.append($0) }
        }
        for reference in candidates {
            let owner = call.store.memoryOwner(of: reference.object)
            if page.batch == nil || page.batch == owner.batch { found.append((reference, owner)) }
        }
        call.reply.array(2)
        call.reply.bulk(text: String(next))
        call.reply.array(found.count)
        for (reference, owner) in found { call.write(reference, owner) }
    }

    static let memoryUnreferenced = Command(
        "UNREFERENCED", "Lists objects that nothing refers to, a page at a time, in no order.",
        group: .references, complexity: "O(count)", flags: [.readOnly],
        arguments: [
            .string("node").after("NODE").optional, .integer("batch").after("BATCH").optional,
            .integer("cursor").after("CURSOR").optional, .integer("count").after("COUNT").optional,
        ],
        reply: "array: the next cursor (0: the end), array of maps: object, bytes (nil: unknown), "
            + "pinned, kept (1 or 0: by GCS.OBJECT PIN, by GCS.BATCH KEEP), nodes (array: who has a copy), batch, "
            + "batch-name, batch-status, batch-created-ms, task-state; a page looks at count records, "
            + "at most 200, and may be empty before the end"
    ) { (call) throws(CommandError) in
        let page = try call.page()
        var ids: [RecordID] = []
        let next = call.store.scanUnreferenced(
            from: page.cursor, of: page.batch, budget: min(page.count, 200)
        ) {
            ids.append($0)
        }
        guard let next else {
            throw .store(.noBatch(page.batch ?? .root))
        }
        var found: [(RecordID, ObjectInfo, MemoryOwner)] = []
        for id in ids {
            guard let info = call.store.object(id) else { continue }
            if let node = page.node, !info.locations.contains(where: { $0.node == node }) {
                continue
            }
            found.append((id, info, call.store.memoryOwner(of: id)))
        }
        call.reply.array(2)
        call.reply.bulk(text: String(next))
        call.reply.array(found.count)
        for (id, info, owner) in found { call.write(id, info, owner) }
    }
}

/// What to list, and from where.
private struct MemoryPage {
    var node: [UInt8]?
    var batch: BatchID?
    var cursor: UInt64 = 0
    var count = 250
}

extension Call {
    fileprivate mutating func page() throws(CommandError) -> MemoryPage {
        var page = MemoryPage()
        while words.left > 0 {
            if option("NODE") {
                page.node = Array(try node())
            } else if option("BATCH") {
                page.batch = try batch()
            } else if option("CURSOR") {
                page.cursor = try cursor()
            } else if option("COUNT") {
                page.count = try count()
            } else {
                throw .syntax
            }
        }
        return page
    }

    fileprivate func write(_ tallies: ReferenceTallies) {
        reply.bulk("types")
        reply.map(ReferenceType.allCases.count)
        for type in ReferenceType.allCases {
            let tally = tallies[type]
            reply.bulk(type.word)
            reply.map(3)
            field("count", Int64(tally.count))
            field("bytes", Int64(tally.byteCount))
            field("unsized", Int64(tally.unsizedCount))
        }
    }

    fileprivate func write(_ usage: NodeUsage) {
        reply.bulk("usage")
        reply.map(usage.fields.count)
        for (name, value) in usage.fields {
            reply.bulk(name)
            reply.integer(value)
        }
    }

    fileprivate func write(_ reference: ReferenceInfo, _ owner: MemoryOwner) {
        reply.map(12)
        reply.bulk("node")
        reply.bulk(reference.node)
        field("pid", Int64(reference.process))
        reply.bulk("type")
        reply.bulk(reference.type.word)
        write("object", reference.object)
        write("bytes", reference.size.map { Int64($0) } ?? owner.size)
        reply.bulk("site")
        reply.bulk(reference.site)
        field("driver", reference.isDriver ? 1 : 0)
        write(owner)
    }

    fileprivate func write(_ id: RecordID, _ info: ObjectInfo, _ owner: MemoryOwner) {
        reply.map(10)
        write("object", id)
        write("bytes", owner.size)
        field("pinned", info.isPinned ? 1 : 0)
        field("kept", info.isKept ? 1 : 0)
        reply.bulk("nodes")
        reply.array(info.locations.count)
        for location in info.locations { reply.bulk(location.node) }
        write(owner)
    }

    private func write(_ name: StaticString, _ id: RecordID) {
        reply.bulk(name)
        reply.bulk(id)
    }

    private func write(_ name: StaticString, _ value: Int64?) {
        reply.bulk(name)
        if let value { reply.integer(value) } else { reply.null() }
    }

    private func write(_ owner: MemoryOwner) {
        field("batch", owner.batch.rawValue)
        reply.bulk("batch-name")
        reply.bulk(owner.name)
        reply.bulk("batch-status")
        switch owner.standing {
        case .living(let status): reply.bulk(status.word)
        case .ended: reply.bulk("ended")
        }
        field("batch-created-ms", owner.createdAt)
        reply.bulk("task-state")
        if let state = owner.task { reply.bulk(state.word) } else { reply.null() }
    }
}
