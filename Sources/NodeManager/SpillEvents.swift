public import Identifiers
public import PlasmaProtocol

extension NodeManager {
    /// What happened with objects on disk.
    public enum SpillEvent: Equatable, Sendable {
        /// The store is ours: it tells what it needs.
        case storeIsOurs
        /// What the store needs now.
        case needs(NeedsReply)
        /// A worker uses these objects now; they stay where they are until it drops them.
        case chosen(worker: Int, [SpillCandidate])
        /// A worker has written the objects it was told to; `path` is `nil` when there were none.
        case written(
            worker: Int, path: String?, [RecordID: SpillPlace], microseconds: Int64 = 0)
        /// A worker could not write; it keeps nothing, and the objects stay in memory.
        case failed(worker: Int, reason: String, isLackOfRoom: Bool)
        /// A worker has let its objects go; these are no longer in memory.
        case dropped(worker: Int, byteCount: Int64)
        /// An object is in memory again.
        case restored(RecordID, byteCount: Int64, microseconds: Int64 = 0)
        /// An object could not be brought back; `isFinal` when it never can.
        case notRestored(RecordID, reason: String, isFinal: Bool)
        /// What earlier runs left on disk.
        case found([RecordID: [FoundCopy]], paths: [String])
        /// Somebody asks for objects to be brought back.
        case wanted([RecordID])
    }

    /// Where an object is in a file.
    public struct SpillPlace: Equatable, Sendable {
        /// The file.
        public var path: String
        /// Where the object's record starts.
        public var offset: Int64
        /// Bytes of the record.
        public var recordByteCount: Int64
        /// Bytes of data and metadata.
        public var byteCount: Int64

        /// A place from its parts.
        public init(path: String, offset: Int64, recordByteCount: Int64, byteCount: Int64) {
            self.path = path
            self.offset = offset
            self.recordByteCount = recordByteCount
            self.byteCount = byteCount
        }

        /// As the server keeps it.
        public var url: String { "\(path)?offset=\(offset)&size=\(recordByteCount)" }
    }

    /// A copy that an earlier run left on disk.
    public struct FoundCopy: Equatable, Sendable {
        /// Where it is.
        public var place: SpillPlace
        /// When the object was put, in milliseconds since 1970.
        public var createdAt: Int64

        /// A copy and the age of its object.
        public init(place: SpillPlace, createdAt: Int64) {
            self.place = place
            self.createdAt = createdAt
        }
    }

    /// What is to be done with objects on disk.
    public enum SpillRequest: Equatable, Sendable {
        /// Ask the store what it needs.
        case askNeeds(NeedsRequest)
        /// A worker takes objects to spill.
        case choose(worker: Int, byteCount: Int64, count: Int)
        /// A worker writes some of its objects, with the times when they were put; the others it
        /// lets go, after it said of the secondary ones that they may be evicted.
        case write(worker: Int, [RecordID: Int64], secondary: [RecordID])
        /// A worker deletes these of its objects that nobody else uses, and lets all go.
        case drop(worker: Int, [RecordID])
        /// Bring an object back.
        case restore(RecordID, SpillPlace)
        /// Remove a file.
        case remove(path: String)
    }

    /// When and how much to spill.
    public struct SpillConfiguration: Equatable, Sendable {
        /// The part of the store's capacity from which on primary copies are spilled.
        public var threshold = 0.8
        /// Bytes of a file, when there are as many to spill.
        public var fileByteCountMin: Int64 = 100 << 20
        /// Objects of a file.
        public var fileObjectCountMax = 2000
        /// How long a create waits for room.
        public var grace = Duration.seconds(10)
        /// Files written at the same time.
        public var workerCount = 2
        /// How long nothing is spilled after that failed.
        public var failurePause = Duration.seconds(1)
        /// How long until a restoration without room is tried again.
        public var restorePause = Duration.milliseconds(200)

        /// Ray's values.
        public init() {}
    }
}
