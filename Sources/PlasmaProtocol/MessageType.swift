/// What a frame carries: the number in its header.
///
/// - Source: `cpp/src/plasma/plasma.fbs` of Apache Arrow 11.0.0; equal in 0.17 ... 11.0.
public enum MessageType: Int64, Sendable, CaseIterable {
    /// The client leaves; closing the socket says the same.
    case disconnect = 0
    /// Room for a new object.
    case createRequest = 1
    /// Where the new object is.
    case createReply = 2
    /// A whole small object in one message.
    case createAndSealRequest = 3
    /// Outcome of `createAndSealRequest`.
    case createAndSealReply = 4
    /// An unsealed object is given up by its creator.
    case abortRequest = 5
    /// Answer to `abortRequest`.
    case abortReply = 6
    /// An object is complete.
    case sealRequest = 7
    /// Outcome of `sealRequest`.
    case sealReply = 8
    /// Objects to use, with a time-out.
    case getRequest = 9
    /// Where the objects are.
    case getReply = 10
    /// An object is no longer used; never answered.
    case releaseRequest = 11
    /// Objects to remove.
    case deleteRequest = 13
    /// One outcome per object to remove.
    case deleteReply = 14
    /// Whether an object is there and sealed.
    case containsRequest = 15
    /// Answer to `containsRequest`.
    case containsReply = 16
    /// All objects, please.
    case listRequest = 17
    /// One row per object.
    case listReply = 18
    /// The first message of Arrow's clients.
    case connectRequest = 19
    /// The store's capacity.
    case connectReply = 20
    /// Bytes to free.
    case evictRequest = 21
    /// Bytes that were freed.
    case evictReply = 22
    /// Notifications, please; a byte that carries a socket follows; never answered.
    case subscribeRequest = 23
    /// A name and a quota for the client.
    case setOptionsRequest = 28
    /// Outcome of `setOptionsRequest`.
    case setOptionsReply = 29
    /// The store's state in words, please.
    case debugStringRequest = 30
    /// The store's state in words.
    case debugStringReply = 31
    /// Several whole objects in one message, all or none.
    case createAndSealBatchRequest = 32
    /// Outcome of `createAndSealBatchRequest`.
    case createAndSealBatchReply = 33
    /// Objects to count as just used.
    case refreshLRURequest = 34
    /// Answer to `refreshLRURequest`.
    case refreshLRUReply = 35

    /// A client that knows our extension; see `StoreExtension`. Arrow's store ends itself here.
    case extensionRequest = 1000
    /// The extension's version.
    case extensionReply = 1001
    /// What the store needs of a node manager, answered as soon as it needs something.
    case needsRequest = 1002
    /// What the store needs.
    case needsReply = 1003
    /// Which objects are copies of a primary one.
    case markRequest = 1004
    /// How many objects were marked.
    case markReply = 1005
    /// Objects to spill: those not used for longest, which the client uses from then on.
    case candidatesRequest = 1006
    /// The objects to spill.
    case candidatesReply = 1007
    /// Objects to remove unless someone else uses them.
    case deleteUnusedRequest = 1008
    /// Which of them are gone.
    case deleteUnusedReply = 1009
    /// What the store's memory is used for.
    case usageRequest = 1010
    /// What it is used for, in numbers.
    case usageReply = 1011
    /// Who uses which object; what changed since the last answer.
    case pinsRequest = 1012
    /// Objects and the processes that use them now.
    case pinsReply = 1013
}

extension MessageType {
    /// Whether only a client that sent `extensionRequest` may send it.
    @inlinable
    public var isExtension: Bool { rawValue > Self.extensionReply.rawValue }
}

/// Why the store did not do what a well-formed request asked; its number on the wire.
public enum StoreError: Int32, Error, Sendable, CaseIterable {
    /// The id is taken.
    case objectExists = 1
    /// No object has the id.
    case objectNotFound = 2
    /// There is no room, and none can be made.
    case outOfMemory = 3
    /// The object is still being written.
    case objectNotSealed = 4
    /// The object is in use; the store removes it when its last user releases it.
    case objectInUse = 5
}

extension StoreError {
    /// The number on the wire of an outcome; 0 when there was no error.
    @inlinable
    public static func code(_ error: StoreError?) -> Int32 { error?.rawValue ?? 0 }
}

extension StoreError: CustomStringConvertible {
    /// The error in words.
    public var description: String {
        switch self {
        case .objectExists: "object exists"
        case .objectNotFound: "object not found"
        case .outOfMemory: "out of memory"
        case .objectNotSealed: "object not sealed"
        case .objectInUse: "object in use"
        }
    }
}
