public import Identifiers

/// Why a process holds an object.
public enum ReferenceType: String, Sendable, CaseIterable {
    /// A variable of its program.
    case localReference = "LOCAL_REFERENCE"
    /// It reads the object in the store's memory.
    case pinnedInMemory = "PINNED_IN_MEMORY"
    /// A task that has not run yet was given it.
    case usedByPendingTask = "USED_BY_PENDING_TASK"
    /// Another object refers to it.
    case capturedInObject = "CAPTURED_IN_OBJECT"
    /// The handle of an actor.
    case actorHandle = "ACTOR_HANDLE"
}

/// That one process holds one object, for one reason.
public struct Reference: Equatable, Sendable {
    /// The machine: 1 to 64 characters of `A-Z a-z 0-9 . _ : -`.
    public var node: String
    /// The process.
    public var processID: UInt32
    /// Why it holds the object.
    public var type: ReferenceType
    /// What it holds.
    public var object: RecordID

    /// A reference; nothing is asked of the server.
    public init(
        node: String, processID: UInt32, type: ReferenceType = .localReference, object: RecordID
    ) {
        self.node = node
        self.processID = processID
        self.type = type
        self.object = object
    }
}
