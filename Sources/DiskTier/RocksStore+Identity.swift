internal import CRocksDB
internal import ControlStore
internal import Glibc
internal import Synchronization

/// What the contents are known by: so that a log is given back what it counts on, and nothing else.
extension RocksStore {
    /// Removes what another run left, and makes what is written known by an identity.
    public func begin(identity: UInt64) throws(DiskError) {
        contents.withLock { $0.identity = identity }
        try recover()
        try writeIdentity(try open())
    }

    /// Has what is there known by another identity.
    public func rename(identity: UInt64) throws(DiskError) {
        contents.withLock { $0.identity = identity }
        guard contents.withLock({ $0.isOurs }) else { return }
        try recover()
        try writeIdentity(try open())
    }

    /// Opens what is there, if it is known by this identity.
    ///
    /// If not, nothing is written there any more.
    public func keep(identity: UInt64) throws(DiskError) {
        do throws(DiskError) { try take(identity) } catch {
            broken.withLock { $0.failForGood(error.reason) }
            throw error
        }
    }

    private func take(_ identity: UInt64) throws(DiskError) {
        guard access(path + "/CURRENT", F_OK) == 0 else {
            throw DiskError(
                "the append-only file counts on flushed records, which are not in \(path)")
        }
        let opened = try openFiles()
        do throws(DiskError) {
            guard try readIdentity(opened) == identity else {
                throw DiskError("\(path) holds the flushed records of another append-only file")
            }
        } catch {
            rocksdb_close(opened.pointer)
            throw error
        }
        contents.withLock {
            $0 = Contents(
                identity: identity, writtenIdentity: identity, isOurs: true, isAny: true)
        }
        database.withLock { $0 = opened }
    }

    /// The key of the identity: behind all records.
    private static let identityKey = [CChar](repeating: -1, count: 16)

    func writeIdentity(_ database: Database) throws(DiskError) {
        let batch = rocksdb_writebatch_create()
        defer { rocksdb_writebatch_destroy(batch) }
        let key = Self.identityKey
        let identity = contents.withLock { $0.identity }
        withUnsafeBytes(of: identity.bigEndian) { value in
            rocksdb_writebatch_put(
                batch, key, key.count, value.baseAddress?.assumingMemoryBound(to: CChar.self),
                value.count)
        }
        try write(batch, to: database)
        contents.withLock { $0.writtenIdentity = identity }
    }

    func readIdentity(_ database: Database) throws(DiskError) -> UInt64? {
        let key = Self.identityKey
        var message: UnsafeMutablePointer<CChar>?
        var count = 0
        let value = rocksdb_get(
            database.pointer, options.read, key, key.count, &count, &message)
        try Self.check(message)
        defer { free(value) }
        guard let value, count == 8 else { return nil }
        return UInt64(bigEndian: UnsafeRawPointer(value).loadUnaligned(as: UInt64.self))
    }

    /// Refuses to remove what an append-only file counts on.
    func checkUncounted() throws(DiskError) {
        guard access(path + "/CURRENT", F_OK) == 0 else { return }
        let opened = try openFiles()
        defer { rocksdb_close(opened.pointer) }
        guard let identity = try readIdentity(opened), DiskIdentity.isCountedOn(identity) else {
            return
        }
        throw DiskError(
            "\(path) belongs to the append-only file, which was not loaded: take one of them away")
    }
}
