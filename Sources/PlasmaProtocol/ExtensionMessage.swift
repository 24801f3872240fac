public import Identifiers

/// The body of every message of our extension: some numbers and some object ids.
///
/// Numbers that a sender left out read as 0, so that later versions can add some.
public struct ExtensionMessage {
    /// The objects.
    public let ids: IDList
    private let numbers: FlatVector

    private static let layout = TableLayout(12, 2, [4, 8, 0, 0, 0, 0, 0, 0])

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let table = try FlatTable(body)
        numbers = try table.vector(0, elementByteCount: 8)
        ids = IDList(vector: try table.vector(1, elementByteCount: 4))
    }

    /// How many numbers there are.
    public var numberCount: Int { numbers.count }

    /// The number at `index`; 0 when there are not so many.
    public func number(_ index: Int) throws(WireError) -> Int64 {
        try index < numbers.count ? numbers.integer(Int64.self, index) : 0
    }

    /// A copy of all ids.
    public func allIDs() throws(WireError) -> [RecordID] {
        var all: [RecordID] = []
        all.reserveCapacity(ids.count)
        for index in 0..<ids.count { all.append(try ids.id(at: index)) }
        return all
    }

    /// Appends the frame.
    public static func write(
        _ type: MessageType, numbers: some Collection<Int64>,
        ids: some Collection<RecordID> = EmptyCollection<RecordID>(),
        to buffer: inout ByteBuffer
    ) {
        // The root ends at a multiple of 4, and the head of the numbers must lie 4 before one of 8.
        let head = layout.rootByteCount & 7 == 0 ? 8 : 4
        let size =
            layout.rootByteCount + head + 8 * numbers.count + FlatCursor.idsByteCount(ids.count)
        buffer.appendFrame(type, bodyByteCount: size) { cursor in
            let table = cursor.root(layout)
            _ = cursor.wideVector(count: numbers.count, from: table + 4)
            for number in numbers {
                cursor.put(number, at: cursor.position)
                cursor.position += 8
            }
            cursor.ids(ids, from: table + 8)
        }
    }
}
