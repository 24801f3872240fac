internal import Glibc

/// Keeps other processes from opening a database while this one has it open for reading only.
///
/// It is the lock that RocksDB takes itself when it opens one for writing, on the same file. Locks of this kind
/// belong to the process, and go when it closes any descriptor of the file: so it is taken again after each
/// time RocksDB has closed its own.
final class DatabaseLock: Sendable {
    private let descriptor: Int32

    /// Takes the lock; throws when another process has it.
    init(_ path: String) throws(DiskError) {
        descriptor = open(path + "/LOCK", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        var range = flock()
        range.l_type = Int16(F_WRLCK)
        range.l_whence = Int16(SEEK_SET)
        guard descriptor >= 0, fcntl(descriptor, F_SETLK, &range) == 0 else {
            let reason = String(cString: strerror(errno))
            if descriptor >= 0 { close(descriptor) }
            throw DiskError("cannot lock \(path)/LOCK: \(reason)")
        }
    }

    deinit { close(descriptor) }
}
