internal import ArgumentParser
internal import Foundation

/// Lines for the standard output, written in pieces; many lines are never in memory at once.
struct LineWriter {
    private static let byteCountMax = 64 << 10
    private var bytes: [UInt8] = []

    /// Adds a line.
    ///
    /// - Throws: `ExitCode.success` when whoever reads has enough, `Failure` when a signal came.
    mutating func line(_ text: String) throws {
        bytes.append(contentsOf: text.utf8)
        bytes.append(UInt8(ascii: "\n"))
        if bytes.count >= Self.byteCountMax { try flush() }
    }

    /// Writes what waits.
    mutating func flush() throws {
        try Interruption.check()
        var position = 0
        while position < bytes.count {
            let count = bytes[position...].withUnsafeBytes {
                write(STDOUT_FILENO, $0.baseAddress, $0.count)
            }
            if count < 0 {
                if errno == EINTR {
                    try Interruption.check()
                    continue
                }
                // `gcs memory | head`.
                if errno == EPIPE { throw ExitCode.success }
                throw Failure("cannot write the output: \(String(cString: strerror(errno)))")
            }
            position += count
        }
        bytes.removeAll(keepingCapacity: true)
    }
}
