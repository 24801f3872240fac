internal import Glibc
internal import Identifiers

/// Where an object's bytes are in memory, for the thread that copies them.
struct ObjectSource: Sendable {
    /// The address in the store's map; 0 where there is none, and the file is read and written.
    var address: UInt
    var descriptor: Int32
    var offset: Int
    var byteCount: Int
}

/// An object that is written to the external store, or read from it.
struct ExternalEntry: Sendable {
    var id: RecordID
    var dataByteCount: Int
    var metadataByteCount: Int
    var source: ObjectSource
    /// Its memory, which is freed when it was written.
    var piece: Arena.Piece
}

/// Work for the external store's thread, done in the order in which it was asked for.
enum ExternalJob: Sendable {
    /// Writes objects into a new file.
    case write(file: UInt32, [ExternalEntry])
    /// Reads an object back into memory.
    case read(file: UInt32, offset: Int, ExternalEntry)
    /// Gives the blocks of an object that is gone back to the file system.
    case punch(file: UInt32, offset: Int, byteCount: Int)
    /// Removes a file that has no objects any more.
    case unlink(file: UInt32)
    /// Removes what dead stores left behind.
    case sweep
}

/// What came of a job.
enum ExternalResult: Sendable {
    case written(file: UInt32, offsets: [Int])
    case notWritten(file: UInt32, reason: String)
    case read(ExternalEntry)
    /// The bytes are not those that were written: they are lost.
    case corrupt(ExternalEntry, reason: String)
    /// The file could not be read this time.
    case notRead(ExternalEntry, reason: String)
    case swept(count: Int)
}
