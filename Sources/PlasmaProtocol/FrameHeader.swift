/// The 24 bytes before every message: version, type and body length, each 8 bytes little-endian.
public struct FrameHeader: Equatable, Sendable {
    /// What the body is.
    public var type: MessageType
    /// Bytes that follow the header.
    public var bodyByteCount: Int

    /// Bytes of a header.
    public static let byteCount = 24

    /// A header from its parts.
    @inlinable
    public init(type: MessageType, bodyByteCount: Int) {
        self.type = type
        self.bodyByteCount = bodyByteCount
    }

    /// Reads a header from the start of `bytes`; `nil` when they are fewer than 24.
    ///
    /// - Parameter bodyByteCountMax: above it the header is refused, before any memory is set
    ///   aside for the body.
    public init?(
        reading bytes: UnsafeRawBufferPointer, bodyByteCountMax: Int
    )
        throws(WireError)
    {
        guard bytes.count >= Self.byteCount else { return nil }
        let version = Int64(littleEndian: bytes.loadUnaligned(as: Int64.self))
        let number = Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: Int64.self))
        let length = Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: Int64.self))
        guard version == 0 else { throw .version(found: version) }
        guard let type = MessageType(rawValue: number) else { throw .messageType(found: number) }
        guard length >= 0, length <= bodyByteCountMax else {
            throw .bodyByteCount(found: length, limit: bodyByteCountMax)
        }
        self.init(type: type, bodyByteCount: Int(length))
    }

    /// Writes the 24 bytes.
    @inlinable
    public func store(to bytes: UnsafeMutableRawPointer) {
        bytes.storeBytes(of: 0, as: Int64.self)
        bytes.storeBytes(of: type.rawValue.littleEndian, toByteOffset: 8, as: Int64.self)
        bytes.storeBytes(
            of: Int64(bodyByteCount).littleEndian, toByteOffset: 16, as: Int64.self)
    }
}
