internal import PlasmaProtocol

/// How far a request has come.
enum Progress {
    /// Answered.
    case finished
    /// Another slice is due.
    case more
    /// Something else has to happen first.
    case waiting
}

/// A request that may take more than one turn.
///
/// Its message stays in the session's buffer, which may move: every slice gets it anew. When the
/// client is gone there is nothing to undo: unsealed objects go with the session's uses.
protocol Operation: AnyObject {
    /// Does one slice.
    func step(
        _ body: UnsafeRawBufferPointer, _ session: Session, _ service: StoreService
    )
        throws(WireError) -> Progress
}
