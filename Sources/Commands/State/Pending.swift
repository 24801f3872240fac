public import ControlStore
public import Identifiers
internal import RESP
public import Settings

/// A command that is not answered in one step: a walk over many keys, or a read that waits.
///
/// Further requests of the connection wait until it is done. Cold: commands that look at one record never
/// make one.
public final class Pending {
    /// What is to be done.
    public enum Work {
        /// KEYS: names that match.
        case keys(Glob)
        /// SMEMBERS of a batch.
        case members(BatchID)
        /// XRANGE and XREVRANGE: entries from one position to another, and how many at most.
        case range(from: LogID, to: LogID, isReverse: Bool, left: Int)
        /// The store's work, which answers with a number.
        case job(Job, plus: Int)
        /// The store's work, whose number was known before.
        case done(Job, Int)
        /// XREAD that waits for an entry after `id`; a deadline in milliseconds since 1970, or 0.
        case read(after: LogID, count: Int, deadline: Int64)
        /// SAVE: the snapshot that is being written.
        case save
        /// A request that was put aside: a record comes from disk first, or memory has no room.
        case request(HeldRequest)
        /// A page of SCAN or SSCAN from a batch's part on disk.
        case page(DiskPage)
        /// GCS.FLUSH, until so many records were flushed since the start.
        case flush(from: Int, upTo: Int)
    }

    /// What is to be done.
    public var work: Work
    var cursor: UInt64 = 0
    var count = 0
    /// The read of a part on disk that is waited for; 0: none.
    var ticket: UInt64 = 0
    /// Whether records are kept where they are until the walk has ended.
    var isWalking = false
    var walkStart: UInt64 = 0
    /// Whether every element is found, and the reply's head is written.
    var isFound = false
    /// The elements found and not handed over yet, in pieces: no piece is ever moved to grow.
    private var pieces: [Piece] = []
    private let version: UInt8

    /// Bytes after which a new piece is started.
    static let pieceByteCount = 256 << 10
    /// Bytes waiting in a connection's queue above which nothing more is handed to it.
    static let queueByteCountMax = 1 << 20

    final class Piece {
        var writer = ReplyWriter(capacity: 4096)
    }

    init(_ work: Work, version: UInt8) {
        self.work = work
        self.version = version
    }

    /// Whether something is left to be handed over.
    var hasPieces: Bool { !pieces.isEmpty }

    /// Adds an element.
    func add(_ write: (inout ReplyWriter) -> Void) {
        if pieces.last.map({ $0.writer.count >= Self.pieceByteCount }) ?? true {
            pieces.append(Piece())
            pieces[pieces.count - 1].writer.version = version
        }
        write(&pieces[pieces.count - 1].writer)
        count += 1
    }

    /// Takes the oldest piece out.
    func takePiece() -> Piece { pieces.removeFirst() }
}
