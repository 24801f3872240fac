internal import CSystem
internal import Glibc
internal import Platform

/// The directories that one run of a node manager spills to, in turn.
///
/// Under each there is one for the node, and in that one for each run, with a lock file that the
/// run holds locked as long as it lives: the system unlocks it however the process ends.
public final class SpillSession: Sendable {
    private let roots: [String]
    private let directories: [String]
    private let locks: [Int32]
    private let first: Int
    private let capacityMax: Double

    private static let lockName = "lock"

    /// Makes the directories of a new run.
    ///
    /// - Parameters:
    ///   - paths: the directories to spill to; made when they are not there.
    ///   - node: the node's name.
    ///   - capacityMax: how full a file system may become: a fraction.
    public init(paths: [String], node: String, capacityMax: Double) throws(SpillError) {
        precondition(!paths.isEmpty, "no directory to spill to")
        self.capacityMax = capacityMax
        roots = paths.map { "\($0)/gcs_spilled_objects_\(node)" }
        var random = SystemRandomNumberGenerator()
        let name = Self.hex(random.next())
        first = Int.random(in: 0..<paths.count, using: &random)
        var directories: [String] = []
        var locks: [Int32] = []
        do {
            for (path, root) in zip(paths, roots) {
                for directory in [path, root, "\(root)/\(name)"] {
                    try Self.makeDirectory(directory)
                }
                directories.append("\(root)/\(name)")
                locks.append(try Self.lock("\(root)/\(name)/\(Self.lockName)"))
            }
        } catch {
            for lock in locks { close(lock) }
            throw error
        }
        self.directories = directories
        self.locks = locks
    }

    deinit {
        for (lock, directory) in zip(locks, directories) {
            unlink("\(directory)/\(Self.lockName)")
            close(lock)
            rmdir(directory)
        }
        for root in roots { rmdir(root) }
    }

    /// A number as 16 hexadecimal digits.
    private static func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private static func makeDirectory(_ path: String) throws(SpillError) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw SpillFile.error("mkdir", path)
        }
    }

    private static func lock(_ path: String) throws(SpillError) -> Int32 {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SpillFile.error("open", path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let error = SpillFile.error("lock", path)
            close(descriptor)
            throw error
        }
        let text = Array("\(getpid())\n".utf8)
        _ = write(descriptor, text, text.count)
        return descriptor
    }
}

// MARK: - Writing

extension SpillSession {
    /// Begins file number `number` of `objectCount` objects, in the next directory with room.
    ///
    /// - Throws: `SpillError.full` when all file systems are too full for `byteCount` more.
    public func writer(
        number: Int, objectCount: Int, byteCount: Int64
    ) throws(SpillError) -> SpillWriter {
        var leastFull: (path: String, used: Double)?
        for turn in 0..<directories.count {
            let directory = directories[(first + number + turn) % directories.count]
            let used = try Self.fullness(directory, with: byteCount)
            if used <= capacityMax {
                var random = SystemRandomNumberGenerator()
                let name = "\(Self.hex(random.next()))-multi-\(objectCount)"
                return try SpillWriter(directory: directory, name: name)
            }
            if used < leastFull?.used ?? .infinity { leastFull = (directory, used) }
        }
        guard let leastFull else { preconditionFailure("no directory to spill to") }
        throw .full(path: leastFull.path, used: leastFull.used, limit: capacityMax)
    }

    /// How full a directory's file system is with `byteCount` more: a fraction.
    private static func fullness(
        _ path: String, with byteCount: Int64
    ) throws(SpillError) -> Double {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw SpillFile.error("statvfs", path) }
        // As df counts: what only the superuser may fill is no room.
        let used = Double(status.f_blocks - status.f_bfree)
        let all = used + Double(status.f_bavail)
        guard all > 0 else { return 0 }
        return (used + Double(byteCount) / Double(max(1, status.f_frsize))) / all
    }
}

// MARK: - What earlier runs left

extension SpillSession {
    /// What is left of a run that has ended.
    public struct Leftover: Sendable {
        /// The file.
        public var path: String
        /// What is in it.
        public var objects: [SpilledObject]
    }

    /// Looks through the directories of runs that have ended.
    ///
    /// Files that were never completed, and those that cannot be read back, are removed, and so are
    /// directories without files.
    ///
    /// - Parameter complain: hears of each file that could not be read back.
    /// - Returns: the whole files.
    public func leftovers(_ complain: (SpillError) -> Void) -> [Leftover] {
        var found: [Leftover] = []
        for root in roots {
            for name in Directory.names(in: root) where !directories.contains("\(root)/\(name)") {
                let lock = open("\(root)/\(name)/\(Self.lockName)", O_RDWR | O_CLOEXEC)
                defer { if lock >= 0 { close(lock) } }
                // Locked: a run of this node's name that lives; its files are its own.
                if lock >= 0, flock(lock, LOCK_EX | LOCK_NB) != 0 { continue }
                found += Self.leftovers(in: "\(root)/\(name)", complain)
                Self.removeDirectoryIfEmpty("\(root)/\(name)")
            }
        }
        return found
    }

    private static func leftovers(
        in directory: String, _ complain: (SpillError) -> Void
    ) -> [Leftover] {
        var found: [Leftover] = []
        for name in Directory.names(in: directory) where name != lockName {
            let path = "\(directory)/\(name)"
            if name.hasSuffix(SpillWriter.unfinished) {
                unlink(path)
                continue
            }
            do {
                found.append(Leftover(path: path, objects: try SpillReader(path: path).objects()))
            } catch {
                complain(error)
                if case .damaged = error { unlink(path) }
            }
        }
        return found
    }

    /// Removes a file of this run or of an earlier one, and its directory when that was the last.
    public func remove(_ path: String) throws(SpillError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw SpillFile.error("unlink", path) }
        guard let slash = path.lastIndex(of: "/") else { return }
        let directory = String(path[..<slash])
        if !directories.contains(directory) { Self.removeDirectoryIfEmpty(directory) }
    }

    private static func removeDirectoryIfEmpty(_ path: String) {
        guard Directory.names(in: path).allSatisfy({ $0 == lockName }) else { return }
        unlink("\(path)/\(lockName)")
        rmdir(path)
    }
}
