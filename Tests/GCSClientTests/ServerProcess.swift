import Foundation
import GCSClient

/// A real gcs-server on a socket in a directory of its own; ends with its owner.
final class ServerProcess {
    let directory: URL
    private let arguments: [String]
    private var process: Process?

    /// Where it listens.
    var address: String { directory.appending(path: "s").path }

    /// Starts a server with more settings.
    init(_ arguments: String...) throws {
        self.arguments = arguments
        directory = FileManager.default.temporaryDirectory.appending(path: "gcs-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try start()
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(at: directory)
    }

    func start() throws {
        let process = Process()
        process.executableURL = Bundle.main.executableURL?.deletingLastPathComponent()
            .appending(path: "gcs-server")
        process.currentDirectoryURL = directory
        process.arguments = ["--port", "0", "--unixsocket", "s"] + arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = process
    }

    /// Ends it as a crash would.
    func stop() {
        guard let process else { return }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        self.process = nil
    }

    /// Connects, waiting for the server to listen.
    func connect(
        password: String? = nil, limits: GCSClient.Limits = .init()
    ) async throws -> GCSClient {
        var attemptCount = 1000
        while true {
            do {
                return try await GCSClient.connect(to: address, password: password, limits: limits)
            } catch {
                attemptCount -= 1
                // Between bind and listen it refuses.
                let isEarly = ["no such file", "connection refused"].contains {
                    "\(error)".contains($0)
                }
                guard isEarly, attemptCount > 0 else { throw error }
                try await Task.sleep(for: .milliseconds(10))
            }
        }
    }
}

/// Waits for what becomes true by itself.
func eventually(
    within limit: Duration = .seconds(10), _ isTrue: () async throws -> Bool
) async throws -> Bool {
    let clock = ContinuousClock()
    let end = clock.now + limit
    while clock.now < end {
        if try await isTrue() { return true }
        try await Task.sleep(for: .milliseconds(10))
    }
    return try await isTrue()
}
