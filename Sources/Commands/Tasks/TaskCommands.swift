internal import ControlStore
internal import Identifiers
internal import RESP

extension Command {
    static let taskAdd = Command(
        "ADD", "Records a task, or replaces its record.",
        group: .tasks, complexity: "O(arguments)", flags: [.write, .fast, .addsRecords],
        arguments: [
            .string("task"), .string("spec"),
            .words("state", TaskState.names).after("STATE").optional,
            .string("actor").after("ACTOR").optional,
            .block("arguments", .integer("count"), .string("object").many).after("ARGS").optional,
        ],
        reply: "integer: 1 for a new task, 0 for one replaced"
    ) { (call) throws(CommandError) in
        let id = try call.id()
        let spec = try call.word()
        var task = NewTask(
            id: id, specification: UnsafeRawBufferPointer(start: spec.start, count: spec.count))
        let arguments = call.words.left == 0 ? 0 : try call.taskOptions(&task)
        let words = call.words
        let isNew = try call.attempt { () throws(StoreError) in
            try call.store.addTask(task) { position in
                // Every word was read as an id before.
                (try? Call.id(words[arguments + position])) ?? id
            }
        }
        call.reply.integer(isNew ? 1 : 0)
    }

    static let taskGet = Command(
        "GET", "Tells what is known of a task.",
        group: .tasks, complexity: "O(arguments)", flags: [.readOnly, .fast],
        arguments: [.string("task")],
        reply:
            "map: id, batch, state, spec, actor (or nil), args (array), added-ms; nil when there is none"
    ) { (call) throws(CommandError) in
        let id = try call.id()
        guard let (owner, task) = call.store.task(id) else { return call.reply.null() }
        call.reply.map(7)
        call.reply.bulk("id")
        call.reply.bulk(id)
        call.field("batch", owner.rawValue)
        call.reply.bulk("state")
        call.reply.bulk(task.state.word)
        call.reply.bulk("spec")
        call.reply.bulk(task.specification)
        call.reply.bulk("actor")
        if let actor = task.actor { call.reply.bulk(actor) } else { call.reply.null() }
        call.reply.bulk("args")
        call.reply.array(task.argumentCount)
        for position in 0..<task.argumentCount { call.reply.bulk(task.argument(position)) }
        call.field("added-ms", task.addedAt)
    }

    static let taskState = Command(
        "STATE", "Changes a task's state.",
        group: .tasks, flags: [.write, .fast],
        arguments: [.string("task"), .words("state", TaskState.names)], reply: "status: OK"
    ) { (call) throws(CommandError) in
        let id = try call.id()
        let state = try call.taskState()
        let isThere = try call.attempt { () throws(StoreError) in
            try call.store.setTaskState(id, state)
        }
        guard isThere else { throw .text("NOTASK no such task \(id)") }
        call.reply.ok()
    }
}

extension TaskState {
    fileprivate static let names = allCases.map { $0.word.description }
}

extension Call {
    fileprivate mutating func taskState() throws(CommandError) -> TaskState {
        let word = try word()
        if word.matches("PENDING") { return .pending }
        if word.matches("RUNNING") { return .running }
        if word.matches("FINISHED") { return .finished }
        if word.matches("FAILED") { return .failed }
        if word.matches("CANCELLED") { return .cancelled }
        if word.matches("LOST") { return .lost }
        throw .notAState
    }

    /// Reads what may follow a task's specification.
    ///
    /// - Returns: the position of the first object among the words.
    fileprivate mutating func taskOptions(_ task: inout NewTask) throws(CommandError) -> Int {
        var first = 0
        while words.left > 0 {
            if option("STATE") {
                task.state = try taskState()
            } else if option("ACTOR") {
                task.actor = try id()
            } else if option("ARGS") {
                let count = try integer()
                guard count >= 0, count <= words.left else {
                    throw .text(
                        "ERR Number of objects is negative or greater than the words that follow")
                }
                first = words.position
                task.argumentCount = Int(count)
                for _ in 0..<count { _ = try id() }
            } else {
                throw .syntax
            }
        }
        return first
    }
}

extension ReplyWriter {
    /// An id in hexadecimal digits.
    mutating func bulk(_ id: RecordID) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 40) { digits in
            guard let start = digits.baseAddress else { return }
            id.storeHex(to: start)
            bulk(start, 40)
        }
    }

    /// Bytes of any content.
    mutating func bulk(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return raw("$0\r\n\r\n") }
        bulk(start.assumingMemoryBound(to: UInt8.self), bytes.count)
    }
}
