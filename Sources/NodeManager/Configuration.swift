extension NodeManager {
    /// Who this node is, and the sizes and times it works with.
    public struct Configuration: Sendable {
        /// The node's name at the server, 1 to 64 of `A-Z a-z 0-9 . _ : -`.
        public var nodeID: String
        /// How others reach the node; not sent when empty.
        public var address: String
        /// The path of the store's socket; not sent when empty.
        public var storePath: String
        /// When to spill; `nil` for never.
        public var spilling: SpillConfiguration?
        /// Ids per Delete request; Arrow's store serves no other client for about 2 us per id.
        public var deletionChunkCount = 100
        /// Reports sent and not answered.
        public var reportWindowCount = 256
        /// Entries of the log read at a time.
        public var logPageCount = 1000
        /// How often the server hears that the node lives.
        public var heartbeatPeriod = Duration.seconds(1)
        /// How often the store is asked who uses what.
        public var pinPeriod = Duration.milliseconds(500)
        /// How often the log is read although no message came: a net under the subscription.
        public var logPeriod = Duration.seconds(5)
        /// How long after the server refused a report it is said again.
        public var refusalPeriod = Duration.seconds(10)
        /// How late a notification may be: an object first heard of more than this after a
        /// deletion was logged is another object than the one that was deleted.
        public var notificationDelayMax = Duration.seconds(5)
        /// How long before its absence an object must have been there to count as reported.
        public var absenceMargin = Duration.seconds(10)
        /// How long the store's replay may be silent before what it left out is given up.
        public var replayPatience = Duration.seconds(2)

        /// A node with the sizes and times above.
        public init(nodeID: String, address: String = "", storePath: String = "") {
            self.nodeID = nodeID
            self.address = address
            self.storePath = storePath
        }
    }
}

extension Duration {
    /// Whole milliseconds.
    var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
