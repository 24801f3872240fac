internal import CRocksDB
internal import Glibc
internal import Platform
internal import Synchronization

/// After a write that failed half way RocksDB takes no more until it is opened anew.
extension RocksStore {
    /// Opens the database anew after a write that failed half way; throws when that has to wait, or fails.
    ///
    /// What the failed write left counts for nothing: records are in memory until a write of them has
    /// returned, and removals are asked for again. What failed before anything was written is tried again
    /// as it is.
    public func recover() throws(DiskError) {
        let breakage = broken.withLock { $0 }
        guard breakage.reason != nil else { return }
        try breakage.checkTime(at: SystemClock.monotonicMilliseconds)
        do throws(DiskError) {
            try directory.withLock { $0 }?.check(path)
            guard access(path + "/CURRENT", F_OK) == 0 else {
                throw Self.systemError("cannot use \(path)/CURRENT")
            }
            try checkRoom(Self.reservedByteCountOfOpening)
            try probe()
        } catch {
            broken.withLock { $0.stay(error.reason) }
            throw error
        }
        do throws(DiskError) { try openAnew() } catch {
            broken.withLock { $0.fail(error.reason, at: SystemClock.monotonicMilliseconds) }
            throw error
        }
        broken.withLock { $0.end() }
    }

    /// Closes the database and opens it again; for reading only, when it cannot be written.
    ///
    /// Readers wait meanwhile. What cannot even be read anew is not closed: it can still be read as it is.
    private func openAnew() throws(DiskError) {
        if let open = database.withLock({ $0 }) {
            // It may be compacting, or getting over a full disk by itself: files would go while they are opened.
            rocksdb_cancel_all_background_work(open.pointer, 1)
        }
        let trial = try ours(openForReading())
        let result = database.withLock { database -> Result<Void, DiskError> in
            if let open = database { rocksdb_close(open.pointer) }
            lock.withLock { $0 = nil }
            do throws(DiskError) {
                database = try ours(openFiles())
                rocksdb_close(trial.pointer)
                return .success(())
            } catch {
                lock.withLock { $0 = try? DatabaseLock(path) }
                database = trial
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Opens what is there without writing anything.
    private func openForReading() throws(DiskError) -> Database {
        var message: UnsafeMutablePointer<CChar>?
        let opened = rocksdb_open_for_read_only(options.database, path, 0, &message)
        try Self.check(message)
        guard let opened else { throw DiskError("cannot open \(path)") }
        return Database(pointer: opened)
    }

    /// Closes a database if it is not the one that was open before.
    private func ours(_ opened: Database) throws(DiskError) -> Database {
        do throws(DiskError) {
            let found = try readIdentity(opened)
            let (written, wanted) = contents.withLock { ($0.writtenIdentity, $0.identity) }
            guard found == written || found == wanted else {
                throw DiskError("\(path) holds other records than those that were written there")
            }
        } catch {
            rocksdb_close(opened.pointer)
            throw error
        }
        return opened
    }

    /// Writes and syncs a file: what fails there does not fail in the middle of the database.
    private func probe() throws(DiskError) {
        let name = path + "/probe"
        let file = Glibc.open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Self.systemError("cannot write \(name)") }
        defer {
            Glibc.close(file)
            unlink(name)
        }
        let bytes = [UInt8](repeating: 0x55, count: Self.probeByteCount)
        let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
        guard count == bytes.count else {
            throw count < 0
                ? Self.systemError("cannot write \(name)")
                : DiskError("cannot write \(name): \(count) of \(bytes.count) bytes were written")
        }
        guard fdatasync(file) == 0 else { throw Self.systemError("cannot sync \(name)") }
    }

    private static let probeByteCount = 64 << 10
    /// Bytes that are free before the database is opened anew: what its log tells becomes tables then.
    private static let reservedByteCountOfOpening = 128 << 20
}
