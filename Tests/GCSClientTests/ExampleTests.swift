import Foundation
import GCSClient
import Testing

@Suite struct ExampleTests {
    @Test("the example of the Swift client's page is what is compiled here, and works")
    func example() async throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        let code = try String(
            contentsOf: folder.appending(path: "Example.swift"), encoding: .utf8)
        let page = try String(
            contentsOf: folder.appending(path: "../../Documentation/swift-client.md"),
            encoding: .utf8)
        #expect(page.contains("```swift\n\(code)```\n"))

        let server = try ServerProcess()
        let client = try await server.connect()
        let result = try await countWords(in: ["a b", "c"], with: server.address)
        #expect(try await client.objectInfo(result)?.batch == .root)
        let root = try await client.batchInfo(.root)
        #expect(root.objectCount == 1 && root.taskCount == 0)
    }
}
