import Foundation
import GCSClient

/// A driver to be killed: it works in batches inside each other, and never ends them.
///
/// Takes the server's address and the lease in seconds; says `ready` when it has made its records.
@main struct LeaseDriver {
    static func main() async throws {
        let arguments = CommandLine.arguments
        let lease = Duration.seconds(Int(arguments[2]) ?? 1)
        let client = try await GCSClient.connect(to: arguments[1])
        try await client.withBatch(name: "outer", timeout: lease) { outer in
            let task = try await outer.addTask(spec: Array("outer".utf8))
            let input = try await outer.addObject(task.output(1), on: "n", byteCount: 1)
            try await client.withBatch(name: "inner", timeout: lease) { inner in
                let task = try await inner.addTask(spec: Array("inner".utf8), arguments: [input])
                let result = try await inner.addObject(task.output(1), on: "n", byteCount: 1)
                try await inner.keep(result)
                FileHandle.standardOutput.write(Data("ready\n".utf8))
                try await Task.sleep(for: .seconds(3600))
            }
        }
    }
}
