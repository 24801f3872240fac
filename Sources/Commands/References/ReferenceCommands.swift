internal import ControlStore
internal import Identifiers
internal import RESP

extension Command {
    private static let referenceTypes = ReferenceType.allCases.map(\.word.description)

    static let referenceAdd = Command(
        "ADD", "Records that a process holds an object, which need not have a record yet.",
        group: .references, flags: [.write, .fast],
        arguments: [
            .string("node"), .integer("pid"), .words("type", referenceTypes), .string("object"),
            .integer("bytes").after("BYTES").optional, .string("site").after("SITE").optional,
            .flag("DRIVER").optional,
        ],
        reply: "integer: 1 for a new reference, 0 for a known one, whose details are updated"
    ) { (call) throws(CommandError) in
        let holder = try call.holder()
        let type = try call.referenceType()
        var new = NewReference(holder: holder, type: type, object: try call.id())
        while call.words.left > 0 {
            if call.option("BYTES") {
                new.size = try call.heldByteCount()
            } else if call.option("SITE") {
                new.site = try call.site()
            } else if call.option("DRIVER") {
                new.isDriver = true
            } else {
                throw .syntax
            }
        }
        // What a store tells of pins is told as it is: a client may hold what is gone.
        if type != .pinnedInMemory {
            try call.attempt { () throws(StoreError) in try call.store.checkReferable(new.object) }
        }
        call.reply.integer(call.store.addReference(new) ? 1 : 0)
    }

    static let referenceRemove = Command(
        "REMOVE", "Records that a process does not hold an object any more.",
        group: .references, flags: [.write, .fast],
        arguments: [
            .string("node"), .integer("pid"), .words("type", referenceTypes), .string("object"),
        ],
        reply: "integer: 1 when the reference was known, else 0"
    ) { (call) throws(CommandError) in
        let holder = try call.holder()
        let type = try call.referenceType()
        let object = try call.id()
        call.reply.integer(call.store.removeReference(holder, type, object) ? 1 : 0)
    }

    static let referenceClear = Command(
        "CLEAR", "Forgets what a process holds, or all processes of a node: they are gone.",
        group: .references, flags: [.write, .fast],
        arguments: [.string("node"), .integer("pid").optional],
        reply: "integer: references forgotten"
    ) { (call) throws(CommandError) in
        guard call.words.left > 1 else {
            return call.reply.integer(call.store.clearReferences(ofNode: try call.node()))
        }
        let holder = try call.holder()
        try call.end()
        call.reply.integer(call.store.clearReferences(holder))
    }
}

extension Call {
    fileprivate mutating func holder() throws(CommandError) -> HolderName {
        let node = try node()
        let number = try integer()
        guard let process = UInt32(exactly: number) else {
            throw .outOfRange("invalid pid: expected 0 to 4294967295, found \(number)")
        }
        return HolderName(node: node, process: process)
    }

    fileprivate mutating func referenceType() throws(CommandError) -> ReferenceType {
        for type in ReferenceType.allCases where option(type.word) { return type }
        throw .text(
            "ERR invalid reference type: expected LOCAL_REFERENCE, PINNED_IN_MEMORY, "
                + "USED_BY_PENDING_TASK, CAPTURED_IN_OBJECT or ACTOR_HANDLE")
    }

    fileprivate mutating func heldByteCount() throws(CommandError) -> UInt64 {
        let number = try integer()
        guard let count = UInt64(exactly: number), count <= NewReference.sizeMax else {
            throw .outOfRange(
                "invalid size: expected 0 to \(NewReference.sizeMax) bytes, found \(number)")
        }
        return count
    }

    fileprivate mutating func site() throws(CommandError) -> UnsafeBufferPointer<UInt8> {
        let word = try word()
        guard word.count <= NewReference.siteByteCountMax else {
            throw .outOfRange(
                "site too long: at most \(NewReference.siteByteCountMax) bytes, found \(word.count)"
            )
        }
        return UnsafeBufferPointer(start: word.start, count: word.count)
    }
}
