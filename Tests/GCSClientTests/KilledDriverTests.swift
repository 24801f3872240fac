import Foundation
import GCSClient
import Testing

@Suite struct KilledDriverTests {
    @Test("a driver killed inside nested batches leaves nothing, two seconds after its lease")
    func killed() async throws {
        let lease = 1
        let server = try ServerProcess()
        let client = try await server.connect()
        let driver = Process()
        driver.executableURL = Bundle.main.executableURL?.deletingLastPathComponent()
            .appending(path: "lease-driver")
        driver.arguments = [server.address, "\(lease)"]
        let output = Pipe()
        driver.standardOutput = output
        driver.standardError = FileHandle.nullDevice
        try driver.run()
        defer { if driver.isRunning { kill(driver.processIdentifier, SIGKILL) } }
        #expect(output.fileHandleForReading.availableData == Data("ready\n".utf8))

        // Three leases later all is there, since it lives.
        try await Task.sleep(for: .seconds(3 * lease))
        #expect(try await Self.held(by: client) == [3, 2, 2])

        kill(driver.processIdentifier, SIGKILL)
        driver.waitUntilExit()
        let isGone = try await eventually(within: .seconds(lease + 2)) {
            try await Self.held(by: client) == [1, 0, 0]
        }
        #expect(isGone)
    }

    /// Batches with the root, tasks and objects that a server knows.
    private static func held(by client: GCSClient) async throws -> [Int64] {
        var held: [Int64] = [0, 0, 0]
        for try await batch in client.batches() {
            held[0] += 1
            held[1] += batch.taskCount
            held[2] += batch.objectCount + batch.keptCount
        }
        return held
    }
}
