internal import CRocksDB
public import ControlStore
internal import Glibc
public import Identifiers
internal import Platform
internal import Synchronization

/// Records in RocksDB, under a directory of their own.
///
/// One thread opens, writes and closes; readers lend the database from it. Options and their reasons:
/// Documentation/decisions/0010-flushed-records-in-rocksdb.md.
public final class RocksStore: DiskEngine {
    /// The open database; RocksDB takes calls from any thread.
    struct Database: @unchecked Sendable {
        var pointer: OpaquePointer
    }

    let path: String
    let options: RocksOptions
    /// Readers hold the lock while they read, and so keep the writer from closing.
    let database = Mutex<Database?>(nil)
    let contents = Mutex(Contents())
    /// Whether a write failed half way.
    let broken = Mutex(Breakage())
    /// The directory that was opened.
    let directory = Mutex<OpenedDirectory?>(nil)
    /// Held while the database is open for reading only.
    let lock = Mutex<DatabaseLock?>(nil)

    struct Contents {
        var identity: UInt64 = 0
        /// The last one that was surely written.
        var writtenIdentity: UInt64?
        /// Whether what another run left is removed, or taken over.
        var isOurs = false
        /// Whether anything was written, by this run or by one whose contents are kept.
        var isAny = false
    }

    /// Whether contents that an append-only file counts on are not removed.
    private let isProtected: Bool

    /// Nothing is opened before it is used.
    ///
    /// - Parameters:
    ///   - path: the directory; made when it is not there, but not its parents.
    ///   - isProtected: whether an append-only file that is not loaded may count on what is there.
    public init(path: String, isProtected: Bool = false) {
        self.path = path
        self.isProtected = isProtected
        options = RocksOptions()
    }

    // MARK: Writing

    /// Writes records durably, all or none.
    public func put(_ group: DiskGroup) throws(DiskError) {
        let batch = rocksdb_writebatch_create()
        defer { rocksdb_writebatch_destroy(batch) }
        group.forEach { key, value in
            rocksdb_writebatch_put(
                batch, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count,
                value.baseAddress?.assumingMemoryBound(to: CChar.self), value.count)
        }
        try write(batch, reserved: Self.reservedByteCount)
        contents.withLock { $0.isAny = true }
    }

    /// Removes all records.
    public func clear() throws(DiskError) {
        let batch = rocksdb_writebatch_create()
        defer { rocksdb_writebatch_destroy(batch) }
        let (start, end) = (Self.allStart, Self.allEnd)
        rocksdb_writebatch_delete_range(batch, start, start.count, end, end.count)
        try write(batch, reserved: Self.reservedByteCountOfRemovals)
    }

    /// Where the keys of records begin, and what is behind them all: no batch has a negative id.
    private static let allStart = [CChar](repeating: 0, count: DiskKey.byteCount)
    private static let allEnd =
        [CChar(bitPattern: 0x80)] + [CChar](repeating: 0, count: DiskKey.byteCount - 1)

    /// Removes records and batches.
    public func remove(_ keys: [RecordKey], _ batches: [BatchID]) throws(DiskError) {
        let batch = rocksdb_writebatch_create()
        defer { rocksdb_writebatch_destroy(batch) }
        for key in keys {
            DiskKey(key).withBytes { key in
                rocksdb_writebatch_delete(
                    batch, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count)
            }
        }
        for id in batches {
            Self.withRange(of: id) { start, end in
                rocksdb_writebatch_delete_range(batch, start, 25, end, 25)
            }
        }
        try write(batch, reserved: Self.reservedByteCountOfRemovals)
    }

    private func write(_ batch: OpaquePointer?, reserved: Int) throws(DiskError) {
        try recover()
        let database = try open()
        try directory.withLock { $0 }?.check(path)
        try checkRoom(reserved)
        try write(batch, to: database)
    }

    func write(_ batch: OpaquePointer?, to database: Database) throws(DiskError) {
        var message: UnsafeMutablePointer<CChar>?
        rocksdb_write(database.pointer, options.syncedWrite, batch, &message)
        do throws(DiskError) { try Self.check(message) } catch {
            broken.withLock { $0.failWriting(error.reason, at: SystemClock.monotonicMilliseconds) }
            throw error
        }
    }

    static func withRange(
        of id: BatchID, _ body: (UnsafePointer<CChar>, UnsafePointer<CChar>) -> Void
    ) {
        DiskKey(id, from: 0).withBytes { start in
            DiskKey(BatchID(rawValue: id.rawValue &+ 1), from: 0).withBytes { end in
                guard let start = start.baseAddress, let end = end.baseAddress else { return }
                body(
                    start.assumingMemoryBound(to: CChar.self),
                    end.assumingMemoryBound(to: CChar.self))
            }
        }
    }

    /// Files that hold nothing else go at once, the rest as it is compacted.
    public func reclaim(_ batches: [BatchID]) {
        guard let database = database.withLock({ $0 }), broken.withLock({ $0.reason == nil })
        else { return }
        var message: UnsafeMutablePointer<CChar>?
        rocksdb_flush(database.pointer, options.flush, &message)
        free(message)
        for id in batches {
            Self.withRange(of: id) { start, end in
                var message: UnsafeMutablePointer<CChar>?
                rocksdb_delete_file_in_range(database.pointer, start, 25, end, 25, &message)
                free(message)
                rocksdb_compact_range(database.pointer, start, 25, end, 25)
            }
        }
    }

    // MARK: Reading

    /// A record's bytes; `nil` when there is none.
    public func get(_ key: RecordKey) throws(DiskError) -> [UInt8]? {
        guard contents.withLock({ $0.isAny }) else { return nil }
        return try lend { (database) throws(DiskError) in
            var message: UnsafeMutablePointer<CChar>?
            let slice = DiskKey(key).withBytes { key in
                rocksdb_get_pinned(
                    database, options.read,
                    key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count, &message)
            }
            try Self.check(message)
            guard let slice else { return nil }
            defer { rocksdb_pinnableslice_destroy(slice) }
            var count = 0
            let start = rocksdb_pinnableslice_value(slice, &count)
            return Array(UnsafeRawBufferPointer(start: start, count: count))
        }
    }

    /// Keys of a batch from a place on.
    public func scan(
        _ batch: BatchID, from place: UInt64, count: Int
    ) throws(DiskError) -> (keys: [RecordKey], next: UInt64) {
        _ = try open()
        return try lend { (database) throws(DiskError) in
            let iterator = rocksdb_create_iterator(database, options.scan)
            defer { rocksdb_iter_destroy(iterator) }
            DiskKey(batch, from: place).withBytes { key in
                rocksdb_iter_seek(
                    iterator, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count)
            }
            var keys: [RecordKey] = []
            var last: UInt32?
            while rocksdb_iter_valid(iterator) != 0 {
                var length = 0
                let start = rocksdb_iter_key(iterator, &length)
                let bytes = UnsafeRawBufferPointer(start: start, count: length)
                guard let (key, place) = DiskKey.read(bytes), key.id.batch == batch else { break }
                if keys.count >= count, place != last { return (keys, UInt64(place)) }
                keys.append(key)
                last = place
                rocksdb_iter_next(iterator)
            }
            var message: UnsafeMutablePointer<CChar>?
            rocksdb_iter_get_error(iterator, &message)
            try Self.check(message)
            return (keys, 1 << 32)
        }
    }

    /// Records behind a key, of a batch or of all, about 1 MiB; and whether they are the last.
    public func list(
        after last: RecordKey?, of batch: BatchID?
    ) throws(DiskError) -> (page: DiskGroup, isEnd: Bool) {
        guard contents.withLock({ $0.isAny }) else { return (DiskGroup(), true) }
        return try lend { (database) throws(DiskError) in
            let iterator = rocksdb_create_iterator(database, options.list)
            defer { rocksdb_iter_destroy(iterator) }
            let first = last.map { DiskKey($0) } ?? DiskKey(batch ?? .root, from: 0)
            first.withBytes { key in
                rocksdb_iter_seek(
                    iterator, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count)
            }
            var page = DiskGroup()
            while rocksdb_iter_valid(iterator) != 0, page.byteCount < Self.pageByteCount {
                var (length, valueLength) = (0, 0)
                let start = rocksdb_iter_key(iterator, &length)
                let bytes = UnsafeRawBufferPointer(start: start, count: length)
                guard let (key, _) = DiskKey.read(bytes), batch == nil || key.id.batch == batch
                else { return (page, true) }
                if key != last {
                    let value = rocksdb_iter_value(iterator, &valueLength)
                    page.append(key, UnsafeRawBufferPointer(start: value, count: valueLength))
                }
                rocksdb_iter_next(iterator)
            }
            var message: UnsafeMutablePointer<CChar>?
            rocksdb_iter_get_error(iterator, &message)
            try Self.check(message)
            return (page, rocksdb_iter_valid(iterator) == 0)
        }
    }

    private static let pageByteCount = 1 << 20

    private func lend<Value: Sendable>(
        _ body: (OpaquePointer) throws(DiskError) -> Value
    ) throws(DiskError) -> Value {
        let result = database.withLock { database -> Result<Value, DiskError> in
            guard let database else { return .failure(DiskError("\(path) is not open")) }
            do throws(DiskError) { return .success(try body(database.pointer)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Bytes of the tables; the log of the last writes comes on top.
    public var byteCount: Int {
        guard let database = database.withLock({ $0 }) else { return 0 }
        var files: UInt64 = 0
        _ = rocksdb_property_int(database.pointer, "rocksdb.total-sst-files-size", &files)
        return Int(files)
    }

    // MARK: Opening and closing

    func open() throws(DiskError) -> Database {
        if let open = database.withLock({ $0 }) { return open }
        if let reason = broken.withLock({ $0.reason }) { throw DiskError(reason) }
        if mkdir(path, 0o700) != 0, errno != EEXIST {
            throw Self.systemError("cannot make \(path)")
        }
        try synchronizeParent()
        var message: UnsafeMutablePointer<CChar>?
        let isOurs = contents.withLock { $0.isOurs }
        if !isOurs {
            try checkRoom(Self.reservedByteCount)
            if isProtected { try checkUncounted() }
            rocksdb_destroy_db(options.database, path, &message)
            try Self.check(message)
        }
        let new = try openFiles()
        database.withLock { $0 = new }
        contents.withLock { $0.isOurs = true }
        return new
    }

    /// Makes the name of the directory durable.
    private func synchronizeParent() throws(DiskError) {
        let descriptor = Glibc.open(path + "/..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.systemError("cannot open \(path)/..") }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Self.systemError("cannot sync \(path)/..") }
    }

    func openFiles() throws(DiskError) -> Database {
        var message: UnsafeMutablePointer<CChar>?
        let opened = rocksdb_open(options.database, path, &message)
        do throws(DiskError) { try Self.check(message) } catch {
            throw DiskError("cannot open \(path): \(error.reason)")
        }
        guard let opened else { throw DiskError("cannot open \(path)") }
        directory.withLock { $0 = OpenedDirectory(path) }
        return Database(pointer: opened)
    }

    /// Bytes of the file system that are left free: for compaction, and so that no write fails half way.
    private static let reservedByteCount = 192 << 20
    /// The same for removals, which make room.
    private static let reservedByteCountOfRemovals = 64 << 20

    func checkRoom(_ reserved: Int) throws(DiskError) {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw Self.systemError("cannot use \(path)") }
        guard status.f_flag & UInt(ST_RDONLY) == 0 else {
            throw DiskError("cannot write \(path): Read-only file system")
        }
        let free = Int(status.f_bavail) * Int(status.f_frsize)
        guard free < reserved else { return }
        throw DiskError(
            "No space left: \(free >> 20) MB are free under \(path), \(reserved >> 20) MB are kept free"
        )
    }

    /// Writes out what is in memory, and closes the files.
    public func close() {
        let open = database.withLock { open -> Database? in
            defer { open = nil }
            return open
        }
        // One that is broken has nothing to write, and no time to wait for.
        guard let database = open, broken.withLock({ $0.reason == nil }) else { return }
        // What is flushed before it is closed need not be replayed when it is opened.
        var message: UnsafeMutablePointer<CChar>?
        rocksdb_flush(database.pointer, options.flush, &message)
        free(message)
        rocksdb_close(database.pointer)
    }

    static func systemError(_ what: String) -> DiskError {
        DiskError("\(what): \(String(cString: strerror(errno)))")
    }

    static func check(_ message: UnsafeMutablePointer<CChar>?) throws(DiskError) {
        guard let message else { return }
        defer { free(message) }
        throw DiskError(String(cString: message))
    }
}
