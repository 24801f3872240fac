internal import Identifiers

extension Deletion {
    /// The fields of the log entry, as a RESP array of bulk strings; lists are comma-separated.
    var encodedFields: [UInt8] {
        var bytes: [UInt8] = []
        func add(_ text: some Sequence<UInt8>, _ count: Int) {
            bytes += "$\(count)\r\n".utf8
            bytes += text
            bytes += "\r\n".utf8
        }
        func add(_ field: String, _ value: [UInt8]) {
            add(field.utf8, field.utf8.count)
            add(value, value.count)
        }
        switch subject {
        case .batch(let id, let reason, _, _, let kept, let adopted):
            bytes += "*8\r\n".utf8
            add("batch", Array("\(id)".utf8))
            add("reason", Array(reason.word.description.utf8))
            add("kept", Self.list(kept, quoted: false))
            add("adopted", Self.list(adopted, quoted: false))
        case .objects(let ids):
            bytes += "*2\r\n".utf8
            add("objects", Self.list(ids, quoted: false))
        }
        return bytes
    }

    /// Ids in hexadecimal digits, separated by commas.
    static func list(_ ids: [RecordID], quoted: Bool) -> [UInt8] {
        guard !ids.isEmpty else { return [] }
        let width = 40 + (quoted ? 3 : 1)
        return [UInt8](unsafeUninitializedCapacity: ids.count * width) { buffer, count in
            guard var cursor = buffer.baseAddress else { return }
            for (position, id) in ids.enumerated() {
                if position > 0 {
                    cursor.pointee = UInt8(ascii: ",")
                    cursor += 1
                }
                if quoted {
                    cursor.pointee = UInt8(ascii: "\"")
                    cursor += 1
                }
                id.storeHex(to: cursor)
                cursor += 40
                if quoted {
                    cursor.pointee = UInt8(ascii: "\"")
                    cursor += 1
                }
            }
            count = ids.count * width - 1
        }
    }

    /// The channel that it is published on.
    public var channel: [UInt8] {
        switch subject {
        case .batch(let id, _, _, _, _, _): Array("GC:\(id)".utf8)
        case .objects: Array("GC:objects".utf8)
        }
    }

    /// The message, as JSON.
    public var message: [UInt8] {
        switch subject {
        case .batch(let batch, let reason, let tasks, let objects, let kept, let adopted):
            var json = Array(
                #"{"id":"\#(id)","batch":\#(batch),"reason":"\#(reason.word)","tasks":\#(tasks),"objects":\#(objects),"kept":["#
                    .utf8)
            json += Self.list(kept, quoted: true)
            json += #"],"adopted":["#.utf8
            json += Self.list(adopted, quoted: true)
            json += "]}".utf8
            return json
        case .objects(let ids):
            var json = Array(#"{"id":"\#(id)","objects":["#.utf8)
            json += Self.list(ids, quoted: true)
            json += "]}".utf8
            return json
        }
    }
}
