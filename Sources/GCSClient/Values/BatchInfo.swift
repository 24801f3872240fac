public import Identifiers
package import RESP

/// Where a batch is in its life.
public enum BatchStatus: String, Sendable, CaseIterable {
    /// Started, and not ended.
    case active
    /// Ended without being collected: its records stay until it is ended once more.
    case done
    /// Ended; it is collected once no running batch needs it any more.
    case deferred
}

/// What the server knows of a batch.
public struct BatchInfo: Equatable, Sendable {
    /// Its number.
    public var id: BatchID
    /// The batch that its kept objects go to.
    public var parent: BatchID
    /// What people call it; may be empty.
    public var name: String
    /// Where it is in its life.
    public var status: BatchStatus
    /// When it was started, in milliseconds since 1970; 0 for the root.
    public var createdMilliseconds: Int64
    /// When it was ended, in milliseconds since 1970; `nil` while it is active.
    public var endedMilliseconds: Int64?
    /// Milliseconds until it times out; `nil` when it does not.
    public var timeoutMilliseconds: Int64?
    /// Task records that go with it.
    public var taskCount: Int64
    /// Object records that go with it; the kept ones are not among them.
    public var objectCount: Int64
    /// Objects that pass to the parent when it ends.
    public var keptCount: Int64
    /// What its records take in the server's memory; not its objects in the stores.
    public var byteCount: Int64
    /// Batches whose objects or actors its tasks need.
    public var dependsOn: [BatchID]
    /// Batches that need this one.
    public var dependents: [BatchID]

    /// Reads the reply to GCS.BATCH INFO.
    package init(_ reply: ControlReply) throws(GCSError) {
        let fields = try reply.fields()
        func positive(_ name: String) -> Int64? {
            let number = fields.number(name)
            return number > 0 ? number : nil
        }
        guard let status = BatchStatus(rawValue: fields.text("status")) else {
            throw .unexpected(fields["status"] ?? .null, "a batch's status")
        }
        self.status = status
        id = fields.batch("id")
        parent = fields.batch("parent")
        name = fields.text("name")
        createdMilliseconds = fields.number("created-ms")
        endedMilliseconds = positive("ended-ms")
        timeoutMilliseconds = positive("timeout-ms")
        taskCount = fields.number("tasks")
        objectCount = fields.number("objects")
        keptCount = fields.number("kept")
        byteCount = fields.number("bytes")
        dependsOn = fields.batches("depends-on")
        dependents = fields.batches("dependents")
    }
}

/// What became of a batch when it was ended.
public enum EndOutcome: String, Sendable {
    /// Its records are gone, and every node deletes its objects.
    case collected = "COLLECTED"
    /// It goes once no running batch needs it any more.
    case deferred = "DEFERRED"
    /// Its records and objects stay, as was asked for.
    case ended = "ENDED"

    /// Reads the reply to GCS.BATCH END.
    package init(_ reply: ControlReply) throws(GCSError) {
        guard let outcome = reply.text.flatMap({ EndOutcome(rawValue: $0) }) else {
            throw .unexpected(reply, "COLLECTED, DEFERRED or ENDED")
        }
        self = outcome
    }
}
