internal import Identifiers

extension GCSClient {
    /// What the server releases from now on: batches that are collected, objects that are freed.
    ///
    /// Subscribed when this returns. `DeletionNotice.gap` stands where a connection was lost. The
    /// sequence throws `GCSError.connection` when too much of it is unread, and ends with the client.
    ///
    /// - Throws: `GCSError.connection` when the server cannot be subscribed to.
    public func events() async throws(GCSError) -> AsyncThrowingStream<
        DeletionNotice, any Error
    > {
        let number = nextListenerNumber()
        let (stream, notices) = AsyncThrowingStream.makeStream(
            of: DeletionNotice.self, throwing: (any Error).self,
            bufferingPolicy: .bufferingOldest(limits.unreadNoticeCountMax))
        notices.onTermination = { [weak self] _ in _ = self?.post(.stopListening(number)) }
        let failure = await withCheckedContinuation { continuation in
            let listener = Listener(number: number, started: continuation, notices: notices)
            if let refusal = post(.listen(listener)) { continuation.resume(returning: refusal) }
        }
        guard let failure else { return stream }
        notices.finish()
        throw .connection(failure)
    }
}
