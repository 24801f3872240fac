internal import ControlStore
internal import Identifiers
internal import RESP

extension Command {
    static let objectAdd = Command(
        "ADD", "Records that a node has a copy of an object.",
        group: .objects, flags: [.write, .fast, .addsRecords],
        arguments: [
            .string("object"), .string("node"), .integer("bytes"), .flag("SECONDARY").optional,
        ],
        reply: "integer: 1 for a new location, 0 for a known one"
    ) { (call) throws(CommandError) in
        let id = try call.id()
        let node = try call.node()
        let size = try call.integer()
        guard size >= 0 else {
            throw .outOfRange("invalid size: expected 0 or more bytes, found \(size)")
        }
        let isSecondary = call.option("SECONDARY")
        try call.end()
        let isNew = try call.attempt { () throws(StoreError) in
            try call.store.addObject(id, node: node, size: size, isSecondary: isSecondary)
        }
        call.reply.integer(isNew ? 1 : 0)
    }

    static let objectRemove = Command(
        "REMOVE", "Records that a node has no copy of an object any more; the record stays.",
        group: .objects, flags: [.write, .fast], arguments: [.string("object"), .string("node")],
        reply: "integer: 1 when the location was known, else 0"
    ) { (call) throws(CommandError) in
        let id = try call.id()
        let node = try call.node()
        call.reply.integer(call.store.removeObject(id, node: node) ? 1 : 0)
    }

    static let objectSpilled = Command(
        "SPILLED", "Records where a node has an object on disk; an empty URL takes that back.",
        group: .objects, flags: [.write, .fast, .addsRecords],
        arguments: [.string("object"), .string("node"), .string("url")], reply: "OK"
    ) { (call) throws(CommandError) in
        let id = try call.id()
        let node = try call.node()
        let word = try call.word()
        let url = UnsafeBufferPointer(start: word.start, count: word.count)
        let limit = ControlStore.spilledURLByteCountMax
        guard url.count <= limit else {
            throw .outOfRange("invalid url: expected at most \(limit) bytes, found \(url.count)")
        }
        try call.attempt { () throws(StoreError) in
            try call.store.setSpilled(id, node: node, url: url)
        }
        call.reply.ok()
    }

    static let objectGet = Command(
        "GET", "Tells what is known of an object.",
        group: .objects, complexity: "O(locations)", flags: [.readOnly, .fast],
        arguments: [.string("object")],
        reply:
            "map: id, batch, bytes, pinned, kept, locations (array of maps: node, copy (primary, "
            + "secondary, spilled), and url for a spilled one), references; nil when there is none"
    ) { (call) throws(CommandError) in
        let id = try call.id()
        guard let object = call.store.object(id) else { return call.reply.null() }
        call.reply.map(7)
        call.reply.bulk("id")
        call.reply.bulk(id)
        call.field("batch", object.owner.rawValue)
        call.field("bytes", object.size)
        call.field("pinned", object.isPinned ? 1 : 0)
        call.field("kept", object.isKept ? 1 : 0)
        call.reply.bulk("locations")
        call.reply.array(object.locations.count + (object.spilled == nil ? 0 : 1))
        for location in object.locations {
            call.reply.map(2)
            call.reply.bulk("node")
            call.reply.bulk(location.node)
            call.reply.bulk("copy")
            call.reply.bulk(location.isSecondary ? "secondary" : "primary")
        }
        if let spilled = object.spilled {
            call.reply.map(3)
            call.reply.bulk("node")
            call.reply.bulk(spilled.node)
            call.reply.bulk("copy")
            call.reply.bulk("spilled")
            call.reply.bulk("url")
            call.reply.bulk(spilled.url)
        }
        call.field("references", Int64(object.referenceCount))
    }

    static let objectFree = Command(
        "FREE", "Removes objects here and from every store.",
        group: .objects, complexity: "O(objects), in slices between other commands",
        flags: [.write],
        arguments: [
            .flag("RECURSIVE").optional, .flag("TASKS").optional, .string("object").many,
        ],
        reply: "integer: objects freed; with RECURSIVE the arguments of the tasks that made them, "
            + "and so on upwards, unless a task needs them; with TASKS the tasks that made them "
            + "go too"
    ) { (call) throws(CommandError) in
        var (isRecursive, takesTasks) = (false, false)
        while call.words.left > 0 {
            if call.option("RECURSIVE") {
                isRecursive = true
            } else if call.option("TASKS") {
                takesTasks = true
            } else {
                break
            }
        }
        var freeing = Freeing(try call.ids())
        freeing.isRecursive = isRecursive
        freeing.takesTasks = takesTasks
        let (count, rest) = call.store.free(freeing)
        if let rest { call.wait(for: .job(rest, plus: 0)) } else { call.reply.integer(count) }
    }
}
