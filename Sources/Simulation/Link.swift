/// A connection to the server: bytes in order both ways, each end cut at its own time.
struct Link {
    /// A request that was sent, with the number under which an agent waits for its answer.
    struct Request {
        var words: [String]
        var number: Int
    }

    var peer: Peer
    var isOpenAtClient = true
    var isOpenAtServer = true
    /// Requests that the server has not answered, and those whose answer has not come back.
    var unanswered: [Request] = []
    var awaited: [Request] = []
    /// The server's replies, where it sends them and where they come in.
    var sentReplies = ReplyReader()
    var receivedReplies = ReplyReader()
    /// When the last byte sent so far reaches the other end.
    var reachesServerAt: Int64 = 0
    var reachesClientAt: Int64 = 0
}
