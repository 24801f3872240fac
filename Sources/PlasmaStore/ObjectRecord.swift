internal import Identifiers
internal import PlasmaProtocol

/// One object, or the place that is kept for one that somebody waits for.
struct ObjectRecord: Pooled {
    enum State: UInt8 {
        /// The slot is not in use.
        case free
        /// No such object yet; clients wait for it.
        case awaited
        /// Its creator is filling it.
        case created
        /// Complete, readable, never changed again.
        case sealed
        /// Complete, but only the external store has its bytes.
        case evicted
        /// Being brought back from the external store.
        case restoring

        /// Whether there is an object at all.
        var isPresent: Bool { self != .free && self != .awaited }

        /// Whether it is complete, wherever its bytes are.
        var isSealed: Bool { self == .sealed || self == .evicted || self == .restoring }

        /// Whether it has a place in memory.
        var isInMemory: Bool { self == .created || self == .sealed || self == .restoring }
    }

    var id = RecordID(batch: .root, unique: 0, index: 0)
    var state = State.free
    /// Whether it goes when the last user releases it.
    var isDoomed = false
    /// Whether it is in the list of objects that may be evicted.
    var isEvictable = false
    /// Whether it is a copy of a primary one elsewhere, or of one on disk: it may always go.
    var isSecondary = false
    /// Whether its users changed since the node manager was told; see `PinChanges`.
    var isPinChanged = false
    /// Since when nobody uses it; see `StoreTime.tick`.
    var idleSince: UInt32 = 0
    /// Whether the node manager was told that it has users.
    var isPinTold = false
    /// Whether it stands in the line of objects to bring back.
    var isRestoreQueued = false
    /// The share that it is counted in while it is in memory.
    var account: UInt32 = 0
    /// The batch of objects it is being written out with; 0 when it is not.
    var outgoing: UInt32 = 0
    /// The external store's file that has its bytes, and where in it; 0 for none.
    var storedFile: UInt32 = 0
    var storedOffset = 0
    /// Connections that use it: the length of the list `users`.
    var userCount: Int32 = 0
    /// The session that created it, until it is sealed.
    var creator: UInt32 = 0
    /// The object's hash, so that the index can grow without reading ids.
    var hash: UInt64 = 0
    var dataByteCount = 0
    var metadataByteCount = 0
    var piece = Arena.Piece(block: 0, segment: 0, offset: 0)
    var createdSeconds: Int64 = 0
    var constructSeconds: Int64 = -1
    var digest: UInt64 = 0
    /// Where in the order of all creates and seals it was created and sealed.
    var createdOrder: UInt64 = 0
    var sealedOrder: UInt64 = 0
    /// First of the links to sessions that use it.
    var users: UInt32 = 0
    /// First of the links to sessions that wait for it.
    var waiters: UInt32 = 0
    /// Neighbours in the order of last use.
    var older: UInt32 = 0
    var newer: UInt32 = 0
    /// The next object with the same place in the index; the next free slot.
    var nextFree: UInt32 = 0

    static var free: ObjectRecord { ObjectRecord() }

    var byteCount: Int { dataByteCount + metadataByteCount }

    var info: ObjectInfo {
        ObjectInfo(
            id: id, dataByteCount: Int64(dataByteCount),
            metadataByteCount: Int64(metadataByteCount), referenceCount: userCount,
            createdSeconds: createdSeconds, constructSeconds: constructSeconds,
            digest: state.isSealed ? digest : nil)
    }
}

/// That a session uses an object, or waits for it: a member of a list of each.
struct Link: Pooled {
    var object: UInt32 = 0
    var session: UInt32 = 0
    var previousOfObject: UInt32 = 0
    var nextOfObject: UInt32 = 0
    var previousOfSession: UInt32 = 0
    var nextOfSession: UInt32 = 0
    var nextFree: UInt32 = 0

    static var free: Link { Link() }
}
