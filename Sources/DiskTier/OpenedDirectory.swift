internal import Glibc

/// Which directory a path named when files in it were opened.
///
/// What is written to files that were removed is lost with the process, and what was not open is lost at once.
struct OpenedDirectory: Sendable {
    private let device: dev_t
    private let number: ino_t

    init(_ path: String) {
        var status = stat()
        (device, number) = stat(path, &status) == 0 ? (status.st_dev, status.st_ino) : (0, 0)
    }

    /// Throws when the path names another directory now, or nothing that can be written.
    func check(_ path: String) throws(DiskError) {
        var status = stat()
        guard stat(path, &status) == 0, access(path, W_OK) == 0 else {
            throw DiskError("cannot use \(path): \(String(cString: strerror(errno)))")
        }
        guard status.st_dev == device, status.st_ino == number else {
            throw DiskError("cannot use \(path): it is not the directory that was opened")
        }
    }
}
