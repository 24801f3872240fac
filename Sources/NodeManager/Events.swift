public import Identifiers
public import RESP

extension NodeManager {
    /// What happened outside.
    public enum Input: Equatable, Sendable {
        /// The store is there and has accepted the subscription.
        case storeConnected
        /// A connection to the store ended.
        case storeLost
        /// Rows of the store's notifications, in order.
        case storeChanged([StoreChange])
        /// The answer to `Output.list`.
        case storeListed([ListedObject])
        /// The answer to `Output.delete`, one outcome per id.
        case storeDeleted([DeletionOutcome])
        /// The answer to `Output.drain`.
        case storeDrained
        /// The answer to `Output.askPins`.
        case storePins(PinReport)
        /// The answer to `Output.askUsage`: names and values in turn, for heartbeats.
        case storeUsage([String])
        /// Commands may be sent to the server.
        case serverConnected
        /// The connection to the server ended; what was sent is not answered any more.
        case serverLost
        /// The answer to `Output.send` of this number.
        case reply(Int, ControlReply)
        /// The channels `GC:*` are subscribed.
        case subscribed
        /// A message on one of the channels; its content is read from the log.
        case message
        /// Something happened with objects on disk.
        case spilling(SpillEvent)
        /// Time went on; at least every 500 ms.
        case tick
    }

    /// One row of the store's notifications.
    public enum StoreChange: Equatable, Sendable {
        /// An object is complete; bytes of data and metadata together.
        case sealed(RecordID, byteCount: Int64)
        /// An object was deleted or evicted.
        case gone(RecordID)
    }

    /// One sealed object of the store's list.
    public struct ListedObject: Equatable, Sendable {
        /// The object.
        public var id: RecordID
        /// Seconds since 1970, by the clock of this machine.
        public var createdSeconds: Int64

        /// An object and when it was created.
        public init(id: RecordID, createdSeconds: Int64) {
            self.id = id
            self.createdSeconds = createdSeconds
        }
    }

    /// What the store says about one id that it was asked to delete.
    public enum DeletionOutcome: Equatable, Sendable {
        /// It went now.
        case removed
        /// It was not there.
        case absent
        /// A client uses or writes it; the store removes it when that client is done.
        case later
    }

    /// What is to be done outside, in order.
    public enum Output: Equatable, Sendable {
        /// Send a command to the server; its answer comes back under the number.
        case send(Int, [String])
        /// Delete objects in the store; not before the last such request was answered.
        case delete([RecordID])
        /// Ask the store for its list of sealed objects.
        case list
        /// Take in all notifications of what happened in the store up to now.
        case drain
        /// Ask the store who uses what, from where it was last asked on; a store that cannot tell is not
        /// asked.
        case askPins(sequence: Int64)
        /// Ask the store how it uses its memory; the same.
        case askUsage
        /// Do something with objects on disk.
        case spilling(SpillRequest)
        /// Write a line to the log.
        case say(Level, String)
    }

    /// How much a line of the log matters.
    public enum Level: Equatable, Sendable {
        /// For looking into something.
        case verbose
        /// An event.
        case notice
        /// Something is not as it should be.
        case warning
    }
}
