public import Identifiers

/// What a part of the log tells of a record.
///
/// Lives only as long as the part's bytes.
public struct ToldRecord {
    var key: RecordKey
    var epoch: UInt8
    var bytes: UnsafeRawBufferPointer

    /// A record with the bytes that were told.
    public init(_ id: RecordID, _ traits: RecordTraits, _ bytes: UnsafeRawBufferPointer) {
        (key, epoch, self.bytes) = (RecordKey(id, traits.kind), traits.epoch, bytes)
    }
}
