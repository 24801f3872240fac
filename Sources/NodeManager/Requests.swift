internal import Identifiers

/// A command that was sent to the server, and why.
enum Request: Equatable {
    case serverInfo, time, nodeInfo, register, logInfo
    case heartbeat
    case readLog
    case acknowledge(LogID)
    case add(RecordID)
    case remove(RecordID)
    case pin
    case check(RecordID)
    /// Whether a worker's object is a primary copy here.
    case judge(RecordID, worker: Int)
    case spilled(RecordID, url: String)
    /// Whether a copy that an earlier run left still counts.
    case adopt(RecordID)
    /// Whatever the answer is.
    case aside
}

/// Commands sent and not answered, by number; numbers are never used twice.
struct Requests {
    private var pending: [Int: Request] = [:]
    private var lastNumber = 0

    var isEmpty: Bool { pending.isEmpty }

    mutating func add(_ request: Request) -> Int {
        lastNumber += 1
        pending[lastNumber] = request
        return lastNumber
    }

    /// The request of this number; `nil` when its connection has ended.
    mutating func take(_ number: Int) -> Request? { pending.removeValue(forKey: number) }

    mutating func removeAll() { pending = [:] }
}

extension NodeManager {
    mutating func send(_ request: Request, _ words: [String]) {
        outputs.append(.send(requests.add(request), words))
    }
}
