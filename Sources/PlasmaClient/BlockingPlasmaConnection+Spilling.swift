public import Identifiers
public import PlasmaProtocol

// What a node manager asks of our store; only after `extend()` gave a version.
extension BlockingPlasmaConnection {
    /// Uses the primary copies that nobody used for longest, until they are released.
    public func takeCandidates(
        countMax: Int, byteCountMax: Int64
    ) throws(PlasmaError) -> [SpillCandidate] {
        let request = CandidatesRequest(countMax: Int64(countMax), byteCountMax: byteCountMax)
        let candidates = try ask(
            { request.write(to: &$0) }, reply: .candidatesReply, CandidatesReply.read)
        for candidate in candidates { held.insert(candidate.id) }
        return candidates
    }

    /// Says of objects that they are secondary copies: the store may evict them.
    public func markSecondary(_ ids: [RecordID]) throws(PlasmaError) {
        guard !ids.isEmpty else { return }
        try ask(
            { ExtensionMessage.write(.markRequest, numbers: [1], ids: ids, to: &$0) },
            reply: .markReply
        ) { body throws(WireError) in _ = try ExtensionMessage(body) }
    }

    /// Removes objects that nobody but this connection uses.
    ///
    /// - Returns: for each id why it was not removed; `nil` when it was.
    public func deleteUnused(_ ids: [RecordID]) throws(PlasmaError) -> [StoreError?] {
        guard !ids.isEmpty else { return [] }
        let outcomes = try ask(
            { ExtensionMessage.write(.deleteUnusedRequest, numbers: [], ids: ids, to: &$0) },
            reply: .deleteUnusedReply
        ) { body throws(WireError) -> [StoreError?] in
            let message = try ExtensionMessage(body)
            guard message.numberCount == ids.count else {
                throw .entryCountMismatch(expected: ids.count, found: message.numberCount)
            }
            var outcomes: [StoreError?] = []
            for index in ids.indices {
                outcomes.append(StoreError(rawValue: Int32(clamping: try message.number(index))))
            }
            return outcomes
        }
        for (id, outcome) in zip(ids, outcomes) where outcome == nil || outcome == .objectNotFound {
            held.remove(id)
        }
        return outcomes
    }

    /// Gives up an object that this connection created and did not seal.
    public func abort(_ id: RecordID) throws(PlasmaError) {
        guard held.remove(id) != nil else { return }
        try ask(
            { IDMessage(id: id).write(.abortRequest, to: &$0) }, reply: .abortReply
        ) { body throws(WireError) in _ = try IDMessage(body) }
    }
}
