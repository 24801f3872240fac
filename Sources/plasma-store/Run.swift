internal import Glibc

/// The whole program; returns its exit code.
func runStore(_ arguments: [String]) -> Int32 {
    do throws(StartError) {
        guard let options = try Options.parse(arguments.dropFirst()) else {
            print(Options.help)
            return 0
        }
        let program = try Program(options)
        program.run()
        return 0
    } catch {
        log(error.reason)
        return 1
    }
}

/// Why the store cannot start.
struct StartError: Error {
    /// The thing, the limit and what was found.
    let reason: String

    init(_ reason: String) { self.reason = reason }

    /// A system call that failed, with the system's reason.
    init(_ action: String, errno number: Int32) {
        reason = "cannot \(action): \(String(cString: strerror(number)))"
    }
}

/// Writes one line to the standard error stream.
func log(_ line: String) {
    let bytes = Array("plasma-store: \(line)\n".utf8)
    _ = bytes.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
}
