import GCSClient

/// Counts the words of texts, one task for each; only the sum outlives the job.
func countWords(
    in texts: [String], with server: String = "127.0.0.1:6379"
) async throws -> RecordID {
    let client = try await GCSClient.connect(to: server)
    return try await client.withBatch(name: "count words", timeout: .seconds(30)) { job in
        var counts: [RecordID] = []
        for text in texts {
            let task = try await job.addTask(spec: Array("count \(text)".utf8))
            // A worker counts, puts the count into its store, and the node reports it:
            counts.append(try await job.addObject(task.output(1), on: "local", byteCount: 8))
        }
        let result = try await client.withBatch(name: "sum") { sum in
            let task = try await sum.addTask(spec: Array("sum".utf8), arguments: counts)
            let result = try await sum.addObject(task.output(1), on: "local", byteCount: 8)
            try await sum.keep(result)
            return result
        }
        // The inner batch has ended, and what it kept belongs to the outer one.
        try await job.keep(result)
        return result
    }
}
