internal import ControlStore
internal import Identifiers
internal import RESP
internal import Settings

/// A request that was put aside, to be carried out from its beginning later.
public final class HeldRequest {
    /// The request.
    let words: KeptWords
    /// Its command's place in the table.
    let position: Int
    /// What came back for it.
    var brought = BroughtRecords()
    /// The read from disk that it waits for; `nil`: it waits for room in memory.
    var read: DiskRead?

    init(_ position: Int, _ words: Words, _ read: DiskRead?) {
        self.position = position
        self.words = KeptWords(words)
        self.read = read
    }
}

/// A page of SCAN or SSCAN that a batch's part on disk has to give.
public struct DiskPage {
    /// The cursor behind the page when the part ends there.
    var cursorAfter: UInt64
    /// What the place to go on from is added to, to make a cursor.
    var cursorBase: UInt64
    /// Which names are shown.
    var glob: Glob?
}

/// Which words of a command name records that it looks at.
enum RecordWords {
    /// Keys with a prefix, anywhere.
    case keys
    /// Those, and the tasks that made them.
    case keysAndTasks
    /// The first argument, a task to be added, and outputs that came before it.
    case newTask
    /// The first argument, a task.
    case task
    /// The second argument, a task.
    case secondTask
    /// All that are ids, objects; with the tasks that made them.
    case objects
    /// None.
    case none

    /// Those of the command of this full name.
    init(_ name: String) {
        let container = name.prefix { $0 != "|" }
        switch container {
        // FREE sees to it itself, in its slices.
        case _ where name == "gcs.object|free": self = .none
        case "gcs.task": self = name.hasSuffix("add") ? .newTask : .task
        case "gcs.actor": self = .secondTask
        case "gcs.object", "gcs.ref": self = .objects
        case "gcs.batch":
            self =
                name.hasSuffix("keep") || name.hasSuffix("transfer") ? .objects : .none
        case "gcs.node", "gcs.memory", "gcs.load", "gcs.flush": self = .none
        case "sadd", "srem": self = .keysAndTasks
        default: self = .keys
        }
    }
}

extension ServerState {
    /// The records that a request names and that may be on disk only.
    @inline(never)
    mutating func missingRecords(_ position: Int, _ words: Words) -> [RecordKey] {
        var missing: [RecordKey] = []
        func look(_ id: RecordID?, _ kind: RecordKind) {
            guard let id else { return }
            let key = RecordKey(id, kind)
            if store.isMissing(key) { missing.append(key) }
        }
        let named = commands.recordWords[position]
        switch named {
        case .none: break
        case .task:
            if words.count > 2 { look(try? Call.id(words[2]), .task) }
        case .secondTask:
            if words.count > 3 { look(try? Call.id(words[3]), .task) }
        case .objects:
            for index in 2..<max(words.count, 2) {
                guard let id = try? Call.id(words[index]) else { continue }
                look(id, .object)
                look(id.task, .task)
            }
        case .newTask:
            guard words.count > 2, let task = try? Call.id(words[2]) else { break }
            look(task, .task)
            // Only a task with arguments counts its outputs.
            guard words.count > 5 else { break }
            for object in store.earlyOutputs(of: task) { look(object, .object) }
        case .keys, .keysAndTasks:
            for index in 1..<max(words.count, 1) {
                guard case .record(let id, let kind) = Key(words[index]) else { continue }
                look(id, kind)
                if case .keysAndTasks = named, kind == .object { look(id.task, .task) }
            }
        }
        return missing
    }
}
