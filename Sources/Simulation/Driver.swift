internal import Identifiers

/// Who starts batches; what it remembers is what it sent.
struct Driver {
    var link: Int?
    var batches: [BatchID] = []
    var objects: [RecordID] = []
    var tasks: [RecordID] = []
    /// Tasks with the actor that they were first added on.
    var turns: [(actor: RecordID, task: RecordID)] = []
    /// Objects that it pinned, and references that it reported: node, process, type, object.
    var pinned: [RecordID] = []
    var references: [[String]] = []
}
