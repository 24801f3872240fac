/// What says when records leave memory.
public enum FlushPolicyName: String, CaseIterable, Sendable {
    /// A window of memory.
    case simple
    /// The age of records.
    case age
    /// Only GCS.FLUSH.
    case none
}

/// Where flushed records go.
public enum FlushTarget: String, CaseIterable, Sendable {
    /// To disk, where they are read.
    case disk
    /// Nowhere.
    case discard
}
