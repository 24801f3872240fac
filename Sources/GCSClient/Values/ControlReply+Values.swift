internal import Identifiers
package import RESP

extension ControlReply {
    /// The elements.
    ///
    /// - Throws: `GCSError.server` for anything but an array.
    package func list() throws(GCSError) -> [ControlReply] {
        guard let elements else { throw .unexpected(self, "an array") }
        return elements
    }

    /// Names and values of a map.
    ///
    /// - Throws: `GCSError.server` for anything but an array of pairs.
    package func fields() throws(GCSError) -> [String: ControlReply] {
        let elements = try list()
        guard elements.count.isMultiple(of: 2) else { throw .unexpected(self, "a map") }
        var fields: [String: ControlReply] = [:]
        for index in stride(from: 0, to: elements.count, by: 2) {
            guard let name = elements[index].text else { throw .unexpected(self, "a map") }
            fields[name] = elements[index + 1]
        }
        return fields
    }

    /// The number of an integer reply.
    func integer() throws(GCSError) -> Int64 {
        guard case .integer(let value) = self else { throw .unexpected(self, "an integer") }
        return value
    }

    /// Cursor and elements of one page of a list.
    package func page() throws(GCSError) -> (next: String?, elements: [ControlReply]) {
        let parts = try list()
        guard parts.count == 2, let cursor = parts[0].text else {
            throw .unexpected(self, "a page")
        }
        return (cursor == "0" ? nil : cursor, try parts[1].list())
    }

    /// An id in hexadecimal digits; `nil` for anything else.
    var recordID: RecordID? { text.flatMap { RecordID(hex: $0) } }
}

/// Fields of a map that must be there.
extension [String: ControlReply] {
    func number(_ name: String) -> Int64 { self[name]?.number ?? 0 }

    func text(_ name: String) -> String { self[name]?.text ?? "" }

    func batch(_ name: String) -> BatchID { BatchID(rawValue: number(name)) }

    func batches(_ name: String) -> [BatchID] {
        (self[name]?.elements ?? []).compactMap(\.number).map { BatchID(rawValue: $0) }
    }

    func recordID(_ name: String) throws(GCSError) -> RecordID {
        guard let id = self[name]?.recordID else {
            throw .unexpected(self[name] ?? .null, "an id as '\(name)'")
        }
        return id
    }
}
