internal import CLibevent
internal import Glibc

/// The running process, as operators ask about it.
public enum SystemProcess {
    /// Its number.
    public static var id: Int32 { getpid() }

    /// Bytes of memory it has in use; 0 when the system does not tell.
    public static var residentByteCount: Int {
        guard let text = FileText.read("/proc/self/statm") else { return 0 }
        let fields = text.split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
    }

    /// Seconds of processor time it used.
    public static var processorSeconds: (user: Double, system: Double) {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return (seconds(usage.ru_utime), seconds(usage.ru_stime))
    }

    /// Raises the number of open files to `count`, or as far as the system allows.
    ///
    /// - Returns: the number allowed now.
    public static func raiseOpenFileLimit(to count: Int) -> Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        if limit.rlim_cur < rlim_t(count) {
            limit.rlim_cur = min(rlim_t(count), limit.rlim_max)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// The program's path.
    public static var executable: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
            guard let start = buffer.baseAddress else { return "" }
            let count = readlink("/proc/self/exe", start, 4095)
            guard count > 0 else { return "" }
            start[count] = 0
            return String(cString: start)
        }
    }

    /// Ends the process.
    public static func exit(_ status: Int32) -> Never { Glibc.exit(status) }
}

/// Small text files, read and written whole.
public enum FileText {
    /// The text of a file; `nil` when it cannot be read, with the reason in `lastError`.
    public static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            guard count >= 0 else { return nil }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }

    /// Replaces a file: a reader sees the old text or the new one, also after a crash.
    ///
    /// - Returns: the system's reason when that failed.
    public static func replace(_ path: String, _ text: String) -> String? {
        let temporary = "\(path).new.\(getpid())"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return lastError }
        let bytes = Array(text.utf8)
        var isWhole = write(descriptor, bytes, bytes.count) == bytes.count
        isWhole = fsync(descriptor) == 0 && isWhole
        close(descriptor)
        guard isWhole, rename(temporary, path) == 0 else {
            let reason = lastError
            unlink(temporary)
            return reason
        }
        return nil
    }

    /// The system's present error, in small letters.
    public static var lastError: String { String(cString: strerror(errno)).lowercased() }
}

extension FileText {
    /// Writes text to standard output.
    public static func print(_ text: String) { writeAll(1, text) }

    /// Writes text to standard error.
    public static func printError(_ text: String) { writeAll(2, text) }

    /// Removes a file, if there is one.
    public static func remove(_ path: String) { unlink(path) }

    fileprivate static func writeAll(_ descriptor: Int32, _ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}

/// A file that lines are added to, or standard output.
public final class TextOutput: Sendable {
    private let descriptor: Int32

    /// Opens a file for adding; standard output when the path is empty.
    ///
    /// `nil` when it cannot be opened.
    public init?(path: String) {
        guard !path.isEmpty else {
            descriptor = 1
            return
        }
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return nil }
    }

    deinit { if descriptor > 2 { close(descriptor) } }

    /// Adds text.
    public func write(_ text: String) { FileText.writeAll(descriptor, text) }
}
