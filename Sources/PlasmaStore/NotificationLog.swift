internal import Identifiers
internal import PlasmaProtocol

/// What subscribers have to hear, in order; neighbours of one kind become one notification.
struct NotificationLog: ~Copyable {
    private var encoded = ByteBuffer()
    private var additions: [ObjectInfo] = []
    private var deletions: [RecordID] = []
    private var moves: [ObjectInfo] = []
    /// Whether anybody listens; otherwise nothing is kept.
    var isRecording = false

    /// Objects in one notification: less than is sent in one system call, and little to encode.
    private static let rowCountMax = 128
    /// Bytes of memory kept for the next turn.
    private static let keptByteCountMax = 256 << 10

    mutating func add(_ info: ObjectInfo) {
        guard isRecording else { return }
        if !deletions.isEmpty || !moves.isEmpty { encode() }
        additions.append(info)
        if additions.count == Self.rowCountMax { encode() }
    }

    mutating func delete(_ id: RecordID) {
        guard isRecording else { return }
        if !additions.isEmpty || !moves.isEmpty { encode() }
        deletions.append(id)
        if deletions.count == Self.rowCountMax { encode() }
    }

    /// An object went to the external store, or came back from it.
    mutating func move(_ info: ObjectInfo, isOut: Bool) {
        guard isRecording else { return }
        if !additions.isEmpty || !deletions.isEmpty { encode() }
        var info = info
        info.referenceCount = isOut ? ObjectInfo.movedOut : ObjectInfo.movedIn
        moves.append(info)
        if moves.count == Self.rowCountMax { encode() }
    }

    /// Whether `drain(_:)` has nothing to give.
    var isEmpty: Bool { encoded.isEmpty && additions.isEmpty && deletions.isEmpty && moves.isEmpty }

    /// Hands over what was recorded, as subscribers read it, and forgets it.
    mutating func drain(_ body: (UnsafeRawBufferPointer) -> Void) {
        encode()
        if !encoded.isEmpty { body(encoded.bytes) }
        encoded.reset(keeping: Self.keptByteCountMax)
    }

    private mutating func encode() {
        if !additions.isEmpty {
            Notification.writeAdditions(additions, to: &encoded)
            additions.removeAll(keepingCapacity: true)
        }
        if !moves.isEmpty {
            Notification.writeMoves(moves, to: &encoded)
            moves.removeAll(keepingCapacity: true)
        }
        if !deletions.isEmpty {
            Notification.writeDeletions(deletions, to: &encoded)
            deletions.removeAll(keepingCapacity: true)
        }
    }
}
