internal import Identifiers

/// What the loop knows of the external store: what is on its way there, and what its files hold.
final class ExternalStore {
    private let directory: ExternalDirectory
    let worker: ExternalWorker
    /// Objects that go into the next file.
    private var open: [ExternalEntry] = []
    private var openByteCount = 0
    private var lastFile: UInt32 = 1
    private var lastSent: UInt32 = 0
    /// Objects that are being written, by file.
    private var writing: [UInt32: [ExternalEntry]] = [:]
    /// Objects that each file holds.
    private var counts: [UInt32: Int] = [:]
    /// Objects deleted while they were being written.
    private(set) var orphanCount = 0
    /// Objects that are being brought back.
    private(set) var readCount = 0
    /// Failures so far.
    private(set) var failureCount = 0
    private(set) var writtenByteCount = 0
    /// Objects that are nowhere else.
    var objectCount = 0
    var byteCount = 0
    var restoredCount = 0
    var restoredByteCount = 0

    /// A file is closed at this many objects or bytes: one object left in it keeps no more than that.
    private static let entryCountMax = 1024
    private static let fileByteCountMax = 8 << 20
    /// From here on an object that is deleted gives its blocks back before its file goes.
    private static let punchByteCountMin = 64 << 10

    /// Makes a directory for this store in `path`, and starts the thread.
    init(directory path: String) throws(ArenaError) {
        directory = try ExternalDirectory.make(in: path)
        worker = try ExternalWorker(directory)
        worker.add(.sweep)
    }

    /// Ends the thread, which reads and writes the arena, and removes what was written.
    func end() {
        worker.end()
        directory.remove()
    }

    /// Whether objects are being written.
    var isWriting: Bool { !writing.isEmpty || !open.isEmpty }

    var hasOrphans: Bool { orphanCount > 0 }

    /// Takes an object that is to be written; says with which file it goes.
    func append(_ entry: ExternalEntry) -> UInt32 {
        let file = lastFile
        open.append(entry)
        openByteCount += entry.source.byteCount
        if open.count >= Self.entryCountMax || openByteCount >= Self.fileByteCountMax { send() }
        return file
    }

    /// Has what was taken so far written; says which file was the last to be, 0 for none yet.
    @discardableResult
    func send() -> UInt32 {
        guard !open.isEmpty else { return lastSent }
        worker.add(.write(file: lastFile, open))
        writing[lastFile] = open
        open = []
        openByteCount = 0
        // 0 stands for none; four thousand million files later the numbers of old ones are free.
        lastSent = lastFile
        repeat { lastFile = max(1, lastFile &+ 1) } while counts[lastFile] != nil
        return lastSent
    }

    /// Whether a file is being written.
    func isWriting(_ file: UInt32) -> Bool { writing[file] != nil }

    /// An object that was to be written with `file` is gone; its memory is freed with the rest.
    func orphan() { orphanCount += 1 }

    /// The objects that are being written with `file`; `nil` when it is not being written.
    func entries(of file: UInt32) -> [ExternalEntry]? { writing[file] }

    /// What became of every object of a file is noted.
    func finish(_ file: UInt32) { writing[file] = nil }

    func orphanFreed() { orphanCount -= 1 }

    func failed() { failureCount += 1 }

    /// A file holds these objects now.
    func keep(_ file: UInt32, _ entries: [ExternalEntry]) {
        counts[file] = entries.count
        for entry in entries { writtenByteCount += entry.source.byteCount }
    }

    /// One object less in a file.
    func forget(_ file: UInt32, offset: Int, byteCount: Int) {
        guard let count = counts[file] else { return }
        if count == 1 {
            counts[file] = nil
            worker.add(.unlink(file: file))
        } else {
            counts[file] = count - 1
            if byteCount >= Self.punchByteCountMin {
                worker.add(.punch(file: file, offset: offset, byteCount: byteCount))
            }
        }
    }

    func read(_ entry: ExternalEntry, file: UInt32, offset: Int) {
        readCount += 1
        worker.add(.read(file: file, offset: offset, entry))
    }

    func readFinished() { readCount -= 1 }
}
