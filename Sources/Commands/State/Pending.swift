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
    }

    /// What is to be done.
    public var work: Work
    var cursor: UInt64 = 0
    var count = 0
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
