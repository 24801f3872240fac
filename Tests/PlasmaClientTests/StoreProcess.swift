import Foundation
import PlasmaClient
import Platform

/// A real object store on a socket in a directory of its own; ends with its owner.
final class StoreProcess {
    let directory: URL
    private let process = Process()

    /// The programs to test with: ours, and Arrow's where $ARROW_PLASMA_STORE names it.
    static let programs: [String] = {
        let ours = Bundle.main.executableURL?.deletingLastPathComponent()
            .appending(path: "plasma-store").path
        let arrow = ProcessInfo.processInfo.environment["ARROW_PLASMA_STORE"]
        return [ours, arrow].compactMap(\.self)
    }()

    var socketPath: String { directory.appending(path: "s").path }

    /// Starts a store of so many bytes.
    init(_ program: String, byteCount: Int = 16 << 20) throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "gcs-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        process.executableURL = URL(filePath: program)
        process.arguments = ["-s", socketPath, "-m", "\(byteCount)"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(at: directory)
    }

    func stop() {
        guard process.isRunning else { return }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Connects, waiting for the store to listen.
    func connect(timeout: Duration = .seconds(10)) throws -> BlockingPlasmaConnection {
        let end = SystemClock.monotonicNanoseconds + 10_000_000_000
        while true {
            do {
                return try BlockingPlasmaConnection(path: socketPath, timeout: timeout)
            } catch {
                guard process.isRunning, SystemClock.monotonicNanoseconds < end else { throw error }
                usleep(5000)
            }
        }
    }
}
