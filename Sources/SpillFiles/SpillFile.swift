internal import Glibc

/// A descriptor of a file, closed with its owner; every failure names the path.
struct SpillFile: ~Copyable {
    let descriptor: Int32
    let path: String

    init(_ path: String, _ flags: Int32) throws(SpillError) {
        let number = open(path, flags | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw Self.error("open", path) }
        descriptor = number
        self.path = path
    }

    deinit { close(descriptor) }

    static func error(_ call: String, _ path: String) -> SpillError {
        .system(call: call, path: path, reason: String(cString: strerror(errno)).lowercased())
    }

    var byteCount: Int64 {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? Int64(status.st_size) : 0
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SpillError) {
        var done = 0
        while done < bytes.count {
            let count = Glibc.write(
                descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.error("write", path) }
            done += count
        }
    }

    /// Fills `bytes` from `offset` on.
    func read(
        _ bytes: UnsafeMutableRawBufferPointer, at offset: Int64
    ) throws(SpillError) {
        var done = 0
        while done < bytes.count {
            let count = pread(
                descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done,
                Int(offset) + done)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.error("read", path) }
            guard count > 0 else {
                throw .damaged(path: path, reason: "ends before byte \(Int(offset) + bytes.count)")
            }
            done += count
        }
    }

    func synchronize() throws(SpillError) {
        guard fdatasync(descriptor) == 0 else { throw Self.error("fdatasync", path) }
    }

    /// Makes the names in a directory last.
    static func synchronizeDirectory(_ path: String) throws(SpillError) {
        let directory = try SpillFile(path, O_RDONLY | O_DIRECTORY)
        guard fsync(directory.descriptor) == 0 else { throw error("fsync", path) }
    }
}
