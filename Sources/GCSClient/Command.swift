internal import Identifiers

/// The words of one command.
struct Command {
    private(set) var words: [[UInt8]]

    init(_ words: String...) { self.words = words.map { Array($0.utf8) } }

    func adding(_ words: String...) -> Command {
        var command = self
        command.words += words.map { Array($0.utf8) }
        return command
    }

    func adding(_ bytes: [UInt8]) -> Command {
        var command = self
        command.words.append(bytes)
        return command
    }

    func adding(_ batch: BatchID) -> Command { adding("\(batch)") }

    func adding(_ ids: [RecordID]) -> Command {
        var command = self
        command.words += ids.map(\.bytes)
        return command
    }
}

extension Duration {
    /// Whole seconds, rounded up, and at least one: what START TIMEOUT takes.
    var leaseSeconds: Int64 {
        let (seconds, attoseconds) = components
        return max(1, attoseconds > 0 ? seconds + 1 : seconds)
    }
}
