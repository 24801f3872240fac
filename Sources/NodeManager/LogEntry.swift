internal import Identifiers
internal import RESP

/// One deletion, as an entry of `gc:log` says it.
struct LogEntry: Equatable {
    enum Deletion: Equatable {
        /// All objects of the batch's prefix but `kept`, and `adopted` ones of other prefixes.
        case batch(BatchID, reason: String, kept: Set<RecordID>, adopted: [RecordID])
        /// Single objects.
        case objects([RecordID])
        /// An entry of some later version: nothing to act on.
        case unknown
    }

    var id: LogID
    var deletion: Deletion

    /// Reads `[id, [field, value, ...]]`; `nil` when it has not that shape.
    init?(_ reply: ControlReply) {
        guard let parts = reply.elements, parts.count == 2,
            let id = parts[0].text.flatMap({ LogID($0) }), parts[1].elements != nil
        else { return nil }
        self.id = id
        deletion = Self.deletion(parts[1])
    }

    private static func deletion(_ fields: ControlReply) -> Deletion {
        if let text = fields[field: "batch"]?.text {
            guard let batch = Int64(text), let kept = ids(fields[field: "kept"]),
                let adopted = ids(fields[field: "adopted"])
            else { return .unknown }
            return .batch(
                BatchID(rawValue: batch), reason: fields[field: "reason"]?.text ?? "",
                kept: Set(kept), adopted: adopted)
        }
        guard let objects = fields[field: "objects"], let list = ids(objects) else {
            return .unknown
        }
        return .objects(list)
    }

    /// Comma-separated ids, none when the field is left out; `nil` when a word is no id.
    private static func ids(_ reply: ControlReply?) -> [RecordID]? {
        guard let reply else { return [] }
        guard let text = reply.text else { return nil }
        let words = text.split(separator: ",")
        let ids = words.compactMap { RecordID(hex: String($0)) }
        return ids.count == words.count ? ids : nil
    }
}
