import ControlClient
import Foundation

/// A real redis-server on a socket in a directory of its own; ends with its owner.
final class RedisServer {
    let directory: URL
    private let arguments: [String]
    private var process: Process?

    static let isInstalled = FileManager.default.isExecutableFile(atPath: "/usr/bin/redis-server")

    var address: ControlAddress { .unix(path: directory.appending(path: "s").path) }

    init(_ arguments: [String] = []) throws {
        self.arguments = arguments
        directory = FileManager.default.temporaryDirectory.appending(path: "gcs-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(at: directory)
    }

    func start() throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/redis-server")
        process.currentDirectoryURL = directory
        process.arguments = ["--port", "0", "--unixsocket", "s", "--save", ""] + arguments
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        self.process = process
    }

    func stop() {
        guard let process else { return }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        self.process = nil
    }
}
