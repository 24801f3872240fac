internal import RESP

/// A reply that is not what the contract promises.
private func unexpected(_ reply: ControlReply, _ wanted: String) -> Failure {
    Failure("the server answered \(reply) where \(wanted) was expected")
}

extension ControlReply {
    /// The elements.
    ///
    /// - Throws: `Failure` for anything but an array.
    func list() throws(Failure) -> [ControlReply] {
        guard let elements else { throw unexpected(self, "an array") }
        return elements
    }

    /// Names and values of a map.
    ///
    /// - Throws: `Failure` for anything but an array of pairs.
    func fields() throws(Failure) -> [String: ControlReply] {
        let elements = try list()
        guard elements.count.isMultiple(of: 2) else { throw unexpected(self, "a map") }
        var fields: [String: ControlReply] = [:]
        for index in stride(from: 0, to: elements.count, by: 2) {
            guard let name = elements[index].text else { throw unexpected(self, "a map") }
            fields[name] = elements[index + 1]
        }
        return fields
    }
}
