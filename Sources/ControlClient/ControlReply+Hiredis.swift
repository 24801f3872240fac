internal import CHiredis
internal import RESP

extension ControlReply {
    /// Copies hiredis' reply, which may be freed afterwards.
    init(copying raw: UnsafePointer<redisReply>) {
        let reply = raw.pointee
        switch reply.type {
        case REDIS_REPLY_INTEGER: self = .integer(reply.integer)
        case REDIS_REPLY_STRING: self = .bytes(Array(Self.bytes(of: reply)))
        case REDIS_REPLY_STATUS:
            self = .status(String(decoding: Self.bytes(of: reply), as: UTF8.self))
        case REDIS_REPLY_ERROR:
            self.init(errorLine: String(decoding: Self.bytes(of: reply), as: UTF8.self))
        case REDIS_REPLY_ARRAY: self = .array(Self.elements(of: reply))
        default: self = .null
        }
    }

    private static func bytes(of reply: redisReply) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: reply.str, count: reply.str == nil ? 0 : reply.len)
    }

    private static func elements(of reply: redisReply) -> [ControlReply] {
        let count = reply.element == nil ? 0 : reply.elements
        return UnsafeBufferPointer(start: reply.element, count: count).map { element in
            element.map { ControlReply(copying: $0) } ?? .null
        }
    }
}
