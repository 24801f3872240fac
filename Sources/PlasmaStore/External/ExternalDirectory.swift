internal import Glibc
internal import Platform

/// The directory of one store's evicted objects, inside one that stores may share.
///
/// It is locked while the store lives, so that the next store knows what a dead one left behind.
final class ExternalDirectory: Sendable {
    let path: String
    private let base: String
    private let lock: Int32

    private static let prefix = "plasma-"
    private static let lockName = "lock"
    private static let attemptCountMax = 16

    private init(path: String, base: String, lock: Int32) {
        self.path = path
        self.base = base
        self.lock = lock
    }

    deinit { close(lock) }

    /// Makes a directory for this process in `base`, and `base` itself when only that is missing.
    static func make(in base: String) throws(ArenaError) -> ExternalDirectory {
        if mkdir(base, 0o700) != 0, errno != EEXIST {
            throw .system("make the directory \(base)", errno)
        }
        for _ in 0..<attemptCountMax {
            let number = String(UInt32.random(in: .min ... .max), radix: 16)
            let path = "\(base)/\(prefix)\(getpid())-\(number)"
            if mkdir(path, 0o700) != 0 {
                guard errno == EEXIST else {
                    throw .system("make a directory in \(base)", errno)
                }
                continue
            }
            // Another store may have swept the directory before it was locked.
            guard let lock = acquire(path), access("\(path)/\(lockName)", F_OK) == 0 else {
                continue
            }
            return ExternalDirectory(path: path, base: base, lock: lock)
        }
        throw .system("make a directory in \(base) after \(attemptCountMax) attempts", EEXIST)
    }

    /// The path of a file of objects, or of one that is not complete.
    func path(of file: UInt32, isComplete: Bool) -> String {
        "\(path)/\(file).\(isComplete ? "objects" : "part")"
    }

    /// Removes the directory with everything in it.
    func remove() { Self.empty(path) }

    /// Removes what stores that are gone left beside this one; says how many there were.
    func sweep() -> Int {
        var count = 0
        for name in Directory.names(in: base) where name.hasPrefix(Self.prefix) {
            let other = "\(base)/\(name)"
            var status = stat()
            guard lstat(other, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
                status.st_uid == geteuid(), let lock = Self.acquire(other)
            else { continue }
            Self.empty(other)
            close(lock)
            count += 1
        }
        return count
    }

    /// Locks a directory; `nil` when a living store has it.
    private static func acquire(_ path: String) -> Int32? {
        let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW
        let file = open("\(path)/\(lockName)", flags, 0o600)
        guard file >= 0 else { return nil }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            close(file)
            return nil
        }
        return file
    }

    private static func empty(_ path: String) {
        for name in Directory.names(in: path) where name != lockName { unlink("\(path)/\(name)") }
        unlink("\(path)/\(lockName)")
        rmdir(path)
    }
}
