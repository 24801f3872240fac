internal import Identifiers
internal import RESP

/// The server's batches, read page by page.
public struct BatchList: AsyncSequence, Sendable {
    /// What it is made of.
    public typealias Element = BatchInfo

    let client: GCSClient
    let status: BatchStatus?

    /// Starts at the first page.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(client: client, status: status)
    }

    /// Reads the next page when the one before it is used up.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let client: GCSClient
        let status: BatchStatus?
        private var page: ArraySlice<BatchInfo> = []
        private var cursor: String? = "0"

        fileprivate init(client: GCSClient, status: BatchStatus?) {
            self.client = client
            self.status = status
        }

        /// The next batch; `nil` at the end.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(GCSError) -> BatchInfo? {
            while page.isEmpty {
                guard let from = cursor else { return nil }
                let (infos, next) = try await client.batchPage(from: from, status: status)
                page = infos[...]
                cursor = next
            }
            return page.popFirst()
        }
    }
}

extension GCSClient {
    /// A page of batches, and the cursor of the next one; `nil` at the end.
    fileprivate func batchPage(
        from cursor: String, status: BatchStatus?
    ) async throws(GCSError) -> (infos: [BatchInfo], next: String?) {
        var command = Command("GCS.BATCH", "LIST")
        if let status { command = command.adding("STATUS", status.rawValue.uppercased()) }
        command = command.adding("CURSOR", cursor, "COUNT", "500")
        let (next, elements) = try await reply(to: command).page()
        let ids = elements.compactMap(\.number).map { BatchID(rawValue: $0) }
        return (try await infos(of: ids), next)
    }

    /// What is known of batches, asked for at once; those that ended meanwhile are left out.
    private func infos(of ids: [BatchID]) async throws(GCSError) -> [BatchInfo] {
        let outcomes = await withTaskGroup(of: (Int, Outcome).self) { group in
            for (position, id) in ids.enumerated() {
                let words = Command("GCS.BATCH", "INFO").adding(id).words
                group.addTask { (position, await self.outcome(of: words)) }
            }
            return await group.reduce(into: [Int: Outcome]()) { $0[$1.0] = $1.1 }
        }
        var infos: [BatchInfo] = []
        for position in ids.indices {
            switch outcomes[position] {
            case .reply(.error, _), .otherConnection, nil: break
            case .reply(let reply, _): infos.append(try BatchInfo(reply))
            case .lost(let reason): throw .connection(reason)
            }
        }
        return infos
    }
}
