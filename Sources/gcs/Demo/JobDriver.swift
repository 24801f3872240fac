internal import ControlClient
internal import Identifiers
internal import RESP

/// What a job tells the control store, if there is one.
protocol JobDriver {
    /// Whether something is released when a job ends.
    var collects: Bool { get }
    /// A job begins.
    func start(name: String) throws -> BatchID
    /// The job has a task.
    func addTask(_ task: RecordID) throws
    /// The task is done, its result is wanted, and the job is over.
    func finish(_ task: RecordID, keeping result: RecordID) throws
    /// A job is over.
    func end(_ batch: BatchID) throws
    /// Whether something of an ended job is still on record.
    func hasRecords(_ batch: BatchID, of task: RecordID) throws -> Bool
    /// Whether a result of an ended job belongs to anyone but the root.
    func isMisplaced(_ result: RecordID) throws -> Bool
}

/// Plain Plasma: a job ends, and nobody hears of it.
final class PlainDriver: JobDriver {
    private var last: Int64 = 0
    let collects = false

    func start(name: String) -> BatchID {
        last += 1
        return BatchID(rawValue: last)
    }
    func addTask(_ task: RecordID) {}
    func finish(_ task: RecordID, keeping result: RecordID) {}
    func end(_ batch: BatchID) {}
    func hasRecords(_ batch: BatchID, of task: RecordID) -> Bool { false }
    func isMisplaced(_ result: RecordID) -> Bool { false }
}

/// A job is a batch.
final class BatchDriver: JobDriver {
    private let control: BlockingControlConnection
    let collects = true

    init(_ control: BlockingControlConnection) { self.control = control }

    func start(name: String) throws -> BatchID {
        let reply = try control.command("GCS.BATCH", "START", "NAME", name)
        guard let number = reply.number else {
            throw Failure("GCS.BATCH START answered \(reply) instead of a batch")
        }
        return BatchID(rawValue: number)
    }

    func addTask(_ task: RecordID) throws {
        let spec = "make objects"
        _ = try control.command("GCS.TASK", "ADD", task.description, spec, "STATE", "RUNNING")
    }

    func finish(_ task: RecordID, keeping result: RecordID) throws {
        let batch = task.batch.description
        let replies = try control.replies(to: [
            ["GCS.TASK", "STATE", task.description, "FINISHED"],
            ["GCS.BATCH", "KEEP", batch, result.description],
            ["GCS.BATCH", "END", batch],
        ])
        try expect([.status("OK"), .integer(1), .status("COLLECTED")], replies)
    }

    func end(_ batch: BatchID) throws {
        let reply = try control.command("GCS.BATCH", "END", batch.description)
        try expect([.status("COLLECTED")], [reply])
    }

    func hasRecords(_ batch: BatchID, of task: RecordID) throws -> Bool {
        let replies = try control.replies(to: [
            ["SCARD", "GC:\(batch)"], ["EXISTS", "GC:\(batch)", "TASK:\(task)"],
            ["GCS.TASK", "GET", task.description],
        ])
        return replies != [.integer(0), .integer(0), .null]
    }

    func isMisplaced(_ result: RecordID) throws -> Bool {
        let reply = try control.command("GCS.OBJECT", "GET", result.description)
        return reply[field: "batch"]?.number != 0
    }

    private func expect(_ wanted: [ControlReply], _ found: [ControlReply]) throws(Failure) {
        for (wanted, found) in zip(wanted, found) where wanted != found {
            throw Failure("the server answered \(found) where \(wanted) was expected")
        }
    }
}
