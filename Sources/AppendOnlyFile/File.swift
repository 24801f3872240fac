internal import CSystem
internal import Glibc

/// An open file of the log; closed with its owner.
struct File: ~Copyable {
    let descriptor: Int32
    let path: String

    /// How a file is opened.
    enum Mode {
        case read
        case append
        /// Whatever was there is gone.
        case create

        fileprivate var flags: Int32 {
            switch self {
            case .read: O_RDONLY | O_CLOEXEC
            case .append: O_WRONLY | O_CLOEXEC
            case .create: O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC
            }
        }
    }

    init(_ path: String, _ mode: Mode) throws(LogError) {
        self.path = path
        descriptor = open(path, mode.flags, 0o644)
        guard descriptor >= 0 else { throw Self.error("open", path) }
    }

    deinit { close(descriptor) }

    static func error(_ call: String, _ path: String) -> LogError {
        .system(call: call, path: path, reason: String(cString: strerror(errno)).lowercased())
    }

    /// Bytes that the file has.
    func size() throws(LogError) -> Int {
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { throw Self.error("stat", path) }
        return Int(information.st_size)
    }

    /// Writes all of it at a place.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(LogError) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = pwrite(descriptor, rest.baseAddress, rest.count, offset + done)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.error("write", path) }
            done += count
        }
    }

    /// Writes all of it at a place.
    func write(_ bytes: [UInt8], at offset: Int) throws(LogError) {
        try bytes.span.bytes.withUnsafeBytes { (buffer) throws(LogError) in
            try write(buffer, at: offset)
        }
    }

    /// Reads up to a number of bytes from a place; fewer only at the end.
    func read(_ count: Int, at offset: Int) throws(LogError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress.map { $0 + done }, count - done, offset + done)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw Self.error("read", path) }
            guard got > 0 else { break }
            done += got
        }
        bytes.removeLast(count - done)
        return bytes
    }

    /// Maps the whole file for reading.
    func map() throws(LogError) -> Mapping {
        let count = try size()
        guard count > 0 else { return Mapping(UnsafeRawBufferPointer(start: nil, count: 0)) }
        let start = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let start, start != MAP_FAILED else { throw Self.error("mmap", path) }
        madvise(start, count, MADV_SEQUENTIAL)
        return Mapping(UnsafeRawBufferPointer(start: start, count: count))
    }

    func synchronize() throws(LogError) {
        guard fdatasync(descriptor) == 0 else { throw Self.error("fdatasync", path) }
    }

    func truncate(to byteCount: Int) throws(LogError) {
        guard ftruncate(descriptor, byteCount) == 0 else { throw Self.error("truncate", path) }
    }

    /// Asks for room behind the end, so that a sync need not write where the file lies; may fail.
    func reserve(from offset: Int, byteCount: Int) {
        _ = gcs_reserve(descriptor, Int64(offset), Int64(byteCount))
    }

    /// Has what was written from `offset` on go to the disk from now on: a sync that comes later is short.
    func beginWriting(from offset: Int, byteCount: Int) {
        _ = gcs_begin_writing(descriptor, Int64(offset), Int64(byteCount))
    }

    // MARK: Whole files

    /// Puts a file in the place of another: after a crash it is the old or the new one.
    static func replace(_ path: String, with text: String) throws(LogError) {
        let temporary = path + ".temporary"
        let file = try File(temporary, .create)
        let bytes = Array(text.utf8)
        do throws(LogError) {
            try file.write(bytes, at: 0)
            try file.synchronize()
            try move(temporary, to: path)
        } catch {
            unlink(temporary)
            throw error
        }
    }

    static func move(_ path: String, to other: String) throws(LogError) {
        guard rename(path, other) == 0 else { throw error("rename", path) }
        try synchronizeDirectory(of: other)
    }

    static func remove(_ path: String) { unlink(path) }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func makeDirectory(_ path: String) throws(LogError) {
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw error("mkdir", path) }
        // Also of one that was there: who made it may have died before this.
        try synchronizeDirectory(of: path)
    }

    static func synchronizeDirectory(of path: String) throws(LogError) {
        let parent = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
            .joined(separator: "/")
        let directory = parent.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : parent
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw error("open", directory) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw error("fsync", directory) }
    }
}

/// A file's bytes as they are mapped; unmapped with the last who holds them.
final class Mapping: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    deinit {
        if let start = bytes.baseAddress {
            munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
        }
    }
}

/// A lock on a directory, so that two servers do not write to one log; freed with the process.
public final class DirectoryLock: Sendable {
    private let descriptor: Int32

    /// Locks a directory by a file `gcs.lock` in it.
    public init(_ directory: String) throws(LogError) {
        let path = directory + "/gcs.lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw File.error("open", path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw .locked(path: directory)
        }
    }

    deinit { close(descriptor) }
}
