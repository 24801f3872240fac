public import Identifiers
internal import RESP

extension GCSClient {
    /// Starts a batch that somebody ends later, here or elsewhere; see `withBatch` for one that ends
    /// where it began.
    ///
    /// - Parameters:
    ///   - id: its number, 1 or more; `nil` to be given one.
    ///   - name: what people call it; at most 1,024 bytes.
    ///   - timeout: how long it lives without being renewed, in whole seconds, rounded up; `nil` for
    ///     ever. This client renews it until the batch is ended or let go through its handle.
    ///   - parent: the batch that its kept objects go to; `nil` for the current one, if it is of this
    ///     client, else the root.
    ///   - keepsRecords: whether its end leaves records and objects (NOCLEANUP).
    /// - Throws: `GCSError`; `batchEnded` or `noBatch` when the parent is gone.
    public func startBatch(
        id: BatchID? = nil, name: String? = nil, timeout: Duration? = nil,
        parent: BatchID? = nil, keepsRecords: Bool = false
    ) async throws(GCSError) -> Batch {
        var command = Command("GCS.BATCH", "START")
        if let id { command = command.adding("ID", "\(id)") }
        if let parent = parent ?? currentBatch?.id {
            command = command.adding("PARENT", "\(parent)")
        }
        if let name { command = command.adding("NAME", name) }
        if let timeout { command = command.adding("TIMEOUT", "\(timeout.leaseSeconds)") }
        if keepsRecords { command = command.adding("NOCLEANUP") }
        let (reply, connection) = try await answer(to: command)
        let batch = Batch(
            client: self, id: BatchID(rawValue: try reply.integer()), connection: connection)
        if let timeout {
            _ = post(.renew(batch.id, milliseconds: timeout.leaseSeconds * 1000))
        }
        return batch
    }

    /// A handle of a batch that was started elsewhere; nothing is asked of the server.
    public func batch(_ id: BatchID) -> Batch { Batch(client: self, id: id, connection: nil) }

    /// The current batch of the calling task, when it is one of this client.
    private var currentBatch: Batch? {
        Batch.current.flatMap { $0.client === self ? $0 : nil }
    }

    /// Ends a batch: its records go, what it kept passes to its parent.
    ///
    /// - Parameters:
    ///   - id: the batch.
    ///   - collects: `false` to leave its records until it is ended once more.
    /// - Throws: `GCSError`; `batchEnded` when it was collected before.
    public func endBatch(
        _ id: BatchID, collects: Bool = true
    ) async throws(GCSError) -> EndOutcome {
        _ = post(.stopRenewing(id))
        let command = Command("GCS.BATCH", "END").adding(id)
        return try EndOutcome(try await reply(to: collects ? command : command.adding("NOGC")))
    }

    /// Releases a batch and those below it at once, kept objects and all.
    ///
    /// - Returns: how many records were released.
    @discardableResult
    public func destroyBatch(_ id: BatchID) async throws(GCSError) -> Int64 {
        _ = post(.stopRenewing(id))
        return try await reply(to: Command("GCS.BATCH", "DESTROY").adding(id)).integer()
    }

    /// What the server knows of a batch.
    public func batchInfo(_ id: BatchID) async throws(GCSError) -> BatchInfo {
        try BatchInfo(try await reply(to: Command("GCS.BATCH", "INFO").adding(id)))
    }

    /// The batches there are, page by page as they are read; the root among them.
    ///
    /// One that is there the whole time comes at least once; one that starts or ends meanwhile
    /// may come.
    public func batches(status: BatchStatus? = nil) -> BatchList {
        BatchList(client: self, status: status)
    }

    /// Marks objects of a batch to pass to its parent when it ends.
    ///
    /// - Returns: how many were not marked before.
    @discardableResult
    public func keep(
        _ objects: [RecordID], of batch: BatchID
    ) async throws(GCSError) -> Int64 {
        guard !objects.isEmpty else { return 0 }
        let command = Command("GCS.BATCH", "KEEP").adding(batch).adding(objects)
        return try await reply(to: command).integer()
    }

    /// Gives objects to another batch now.
    ///
    /// - Returns: how many changed their owner.
    @discardableResult
    public func transfer(
        _ objects: [RecordID], to batch: BatchID
    ) async throws(GCSError) -> Int64 {
        guard !objects.isEmpty else { return 0 }
        let command = Command("GCS.BATCH", "TRANSFER").adding(batch).adding(objects)
        return try await reply(to: command).integer()
    }
}
