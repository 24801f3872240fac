internal import Identifiers

extension GCSClient {
    /// Records that a process holds an object, which the server need not have heard of yet.
    ///
    /// - Parameters:
    ///   - reference: who holds what, and why.
    ///   - byteCount: the object's size as the process sees it.
    ///   - site: where in the program it was taken: a line, or a stack.
    ///   - isDriver: whether the process is a driver, not a worker.
    /// - Returns: whether it is new; the details of a known one are updated.
    @discardableResult
    public func addReference(
        _ reference: Reference, byteCount: Int64? = nil, site: String? = nil,
        isDriver: Bool = false
    ) async throws(GCSError) -> Bool {
        var command = Command("GCS.REF", "ADD").adding(reference)
        if let byteCount { command = command.adding("BYTES", "\(byteCount)") }
        if let site { command = command.adding("SITE", site) }
        if isDriver { command = command.adding("DRIVER") }
        return try await reply(to: command).integer() == 1
    }

    /// Records that a process does not hold an object any more.
    ///
    /// With `reference-counting yes` the last reference to go takes the object along.
    ///
    /// - Returns: whether the reference was known.
    @discardableResult
    public func removeReference(_ reference: Reference) async throws(GCSError) -> Bool {
        try await reply(to: Command("GCS.REF", "REMOVE").adding(reference)).integer() == 1
    }

    /// Forgets what a process holds, since it is gone; or all processes of a node.
    ///
    /// - Parameters:
    ///   - node: the machine.
    ///   - processID: the process; `nil` for all of them.
    /// - Returns: how many references were forgotten.
    @discardableResult
    public func clearReferences(
        of node: String, processID: UInt32? = nil
    ) async throws(GCSError) -> Int64 {
        let command = Command("GCS.REF", "CLEAR", node)
        let full = processID.map { command.adding("\($0)") } ?? command
        return try await reply(to: full).integer()
    }
}

extension Command {
    fileprivate func adding(_ reference: Reference) -> Command {
        adding(reference.node, "\(reference.processID)", reference.type.rawValue)
            .adding([reference.object])
    }
}
