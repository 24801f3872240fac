public import Identifiers
internal import RESP

/// What the server knows of an object.
public struct ObjectInfo: Equatable, Sendable {
    /// A node that holds the object.
    public struct Location: Equatable, Sendable {
        /// The node's name.
        public var node: String
        /// Whether this is the copy that was made first.
        public var isPrimary: Bool
        /// Where on the node's disk the bytes are, `path?offset=&size=`; `nil` for a copy in memory.
        public var url: String?

        /// A copy on a node.
        public init(node: String, isPrimary: Bool, url: String? = nil) {
            self.node = node
            self.isPrimary = isPrimary
            self.url = url
        }
    }

    /// Its id.
    public var id: RecordID
    /// The batch that it goes with.
    public var batch: BatchID
    /// Its size in the store.
    public var byteCount: Int64
    /// Whether it passes to the parent when its batch ends.
    public var isKept: Bool
    /// Whether it stays when its batch ends.
    public var isPinned: Bool
    /// The nodes that hold it, in memory or on their disks.
    public var locations: [Location]
    /// How many references there are to it.
    public var referenceCount: Int64

    /// Reads the reply to GCS.OBJECT GET, less nil.
    init(_ reply: ControlReply) throws(GCSError) {
        let fields = try reply.fields()
        id = try fields.recordID("id")
        batch = fields.batch("batch")
        byteCount = fields.number("bytes")
        isKept = fields.number("kept") > 0
        isPinned = fields.number("pinned") > 0
        referenceCount = fields.number("references")
        locations = (fields["locations"]?.elements ?? []).map { location in
            Location(
                node: location[field: "node"]?.text ?? "",
                isPrimary: location[field: "copy"]?.text == "primary",
                url: location[field: "url"]?.text)
        }
    }
}
