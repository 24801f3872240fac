public import Identifiers

extension GCSClient {
    /// Runs `body` with a batch of its own, which ends with it.
    ///
    /// The batch is ended when `body` returns, when it throws, and when its task is cancelled, unless
    /// `body` ended it. Inside `body`, and in tasks started there, `Batch.current` is the batch, and
    /// batches started there are its children.
    ///
    /// - Parameters:
    ///   - name: what people call it; at most 1,024 bytes.
    ///   - timeout: a lease: should this process die, the batch ends so much later, in whole seconds,
    ///     rounded up. It is renewed as long as `body` runs. `nil` for a batch that waits for ever.
    ///   - parent: the batch that its kept objects go to; `nil` for the current one, or the root.
    ///   - keepsRecords: whether its end leaves records and objects (NOCLEANUP).
    ///   - isolation: where `body` runs; the caller's.
    ///   - body: what the batch is for.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws; else `GCSError` when the batch could not be started or ended,
    ///   `batchEnded` when somebody else ended it; `CancellationError` when the task was cancelled
    ///   before.
    @discardableResult
    public func withBatch<Result>(
        name: String? = nil, timeout: Duration? = nil, parent: BatchID? = nil,
        keepsRecords: Bool = false, isolation: isolated (any Actor)? = #isolation,
        _ body: (Batch) async throws -> Result
    ) async throws -> Result {
        try Task.checkCancellation()
        let batch = try await startBatch(
            name: name, timeout: timeout, parent: parent, keepsRecords: keepsRecords)
        let result: Result
        do {
            result = try await Batch.$current.withValue(batch) { try await body(batch) }
        } catch {
            // What went wrong first is what the caller has to hear of.
            try? await endScope(of: batch)
            throw error
        }
        try await endScope(of: batch)
        return result
    }

    /// Ends a batch that nobody ended yet, once more when the answer was lost.
    private func endScope(of batch: Batch) async throws(GCSError) {
        guard !batch.isEnded else { return }
        do throws(GCSError) {
            try await batch.end()
        } catch .connection {
            try await endAgain(batch)
        }
    }

    private func endAgain(_ batch: Batch) async throws(GCSError) {
        do throws(GCSError) {
            try await batch.end()
        } catch .batchEnded {
            // The end whose answer was lost was carried out.
        }
    }
}
