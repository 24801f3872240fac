public import ControlStore
public import Identifiers

/// Why the disk could not do something, in words for an operator.
public struct DiskError: Error, Equatable, Sendable {
    /// The reason.
    public var reason: String

    /// An error.
    public init(_ reason: String) { self.reason = reason }
}

/// What keeps flushed records; used by two threads: one writes, and any of both reads.
public protocol DiskEngine: Sendable {
    /// Removes what another run left, and makes what is written known by an identity; durably.
    func begin(identity: UInt64) throws(DiskError)
    /// Has what is there known by another identity.
    func rename(identity: UInt64) throws(DiskError)
    /// Opens what is there, if it is known by this identity.
    func keep(identity: UInt64) throws(DiskError)
    /// Removes everything.
    func clear() throws(DiskError)
    /// Records behind a key, of a batch or of all, about 1 MiB; and whether they are the last.
    func list(
        after key: RecordKey?, of batch: BatchID?
    ) throws(DiskError) -> (page: DiskGroup, isEnd: Bool)
    /// Writes records durably, all or none.
    func put(_ group: DiskGroup) throws(DiskError)
    /// Removes records and batches.
    func remove(_ keys: [RecordKey], _ batches: [BatchID]) throws(DiskError)
    /// A record's bytes; `nil` when there is none.
    func get(_ key: RecordKey) throws(DiskError) -> [UInt8]?
    /// Keys of a batch from a place on: about `count`, all of a place; and the next place, 2^32 at the end.
    func scan(
        _ batch: BatchID, from place: UInt64, count: Int
    ) throws(DiskError) -> (keys: [RecordKey], next: UInt64)
    /// Gives the space of removed batches back.
    func reclaim(_ batches: [BatchID])
    /// Bytes of the files.
    var byteCount: Int { get }
    /// Tries to get over an error.
    func recover() throws(DiskError)
    /// Ends the use of the files.
    func close()
}
