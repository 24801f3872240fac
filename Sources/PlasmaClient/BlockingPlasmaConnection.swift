public import Identifiers
public import PlasmaProtocol
internal import Platform

/// A connection to an object store that waits for each reply: for command lines and tests.
///
/// Works with our store and with Apache Arrow's. One thread at a time. The store frees what the
/// connection holds when the connection goes.
public final class BlockingPlasmaConnection {
    /// An object in shared memory; both parts are valid until the object is released.
    public struct Object {
        /// What the object is made of.
        public let data: UnsafeRawBufferPointer
        /// What its creator wrote about it.
        public let metadata: UnsafeRawBufferPointer
    }

    /// The socket of the store.
    public let path: String
    /// Bytes that the store may hold.
    public private(set) var capacityByteCount: Int64 = 0

    private let socket: BlockingSocket
    private let timeout: Duration
    private var output = ByteBuffer()
    private var input = ByteBuffer()
    /// By the store's number; the store sends each file's descriptor once per connection.
    private var mappings: [Int32: FileMapping] = [:]
    /// Objects the store counts as used by this connection; releasing others kills Arrow's store.
    var held: Set<RecordID> = []

    /// Connects and asks for the capacity.
    ///
    /// - Parameter timeout: how long to wait for each reply.
    public init(path: String, timeout: Duration = .seconds(10)) throws(PlasmaError) {
        self.path = path
        self.timeout = timeout
        do {
            socket = try BlockingSocket(path: path)
        } catch {
            throw .unreachable(path: path, reason: error.reason)
        }
        EmptyMessage.write(.connectRequest, to: &output)
        try roundTrip(.connectReply)
        capacityByteCount = try decode(ByteCountMessage.init).byteCount
    }

    /// Sets room aside for an object, which this connection then fills and seals.
    ///
    /// - Parameter evictsIfFull: whether older objects may go to make room.
    /// - Returns: the room, data first, then metadata; valid until the object is released.
    /// - Throws: `PlasmaError.refused` with `objectExists` or `outOfMemory`, among others.
    public func create(
        _ id: RecordID, dataByteCount: Int, metadataByteCount: Int = 0, evictsIfFull: Bool = true
    ) throws(PlasmaError) -> UnsafeMutableRawBufferPointer {
        let request = CreateRequest(
            id: id, evictsIfFull: evictsIfFull, dataByteCount: UInt64(dataByteCount),
            metadataByteCount: UInt64(metadataByteCount))
        request.write(to: &output)
        try roundTrip(.createReply)
        let reply = try decode(CreateReply.init)
        if let error = reply.error { throw .refused(error) }
        held.insert(id)
        try receiveDescriptors([reply.file])
        let count = reply.place.dataByteCount + reply.place.metadataByteCount
        return try bytes(reply.place, reply.place.dataOffset, count)
    }

    /// Makes an object complete: everyone can get it from now on, and nobody change it.
    ///
    /// - Parameter digest: 8 bytes about the content, as clients use them.
    public func seal(_ id: RecordID, digest: UInt64 = 0) throws(PlasmaError) {
        SealRequest(id: id, digest: digest).write(to: &output)
        try roundTrip(.sealReply)
        let reply = try decode(IDNumberReply.init)
        if let error = StoreError(rawValue: reply.number) { throw .refused(error) }
    }

    /// Creates and seals a small object in one message; nothing is held afterwards.
    public func createAndSeal(
        _ id: RecordID, data: [UInt8], metadata: [UInt8] = [], evictsIfFull: Bool = true
    ) throws(PlasmaError) {
        data.withUnsafeBytes { data in
            metadata.withUnsafeBytes { metadata in
                CreateAndSealRequest.write(
                    id: id, evictsIfFull: evictsIfFull, data: data, metadata: metadata, digest: 0,
                    to: &output)
            }
        }
        try roundTrip(.createAndSealReply)
        if let error = try decode(StatusReply.init).error { throw .refused(error) }
    }

    /// Gets objects, which stay where they are until they are released.
    ///
    /// - Parameters:
    ///   - ids: the objects, each once.
    ///   - timeout: how long to wait for those that are not there; `nil` waits for ever.
    /// - Returns: the objects in the order of the ids; `nil` for those that did not come in time.
    public func get(
        _ ids: [RecordID], timeout: Duration? = .zero
    ) throws(PlasmaError) -> [Object?] {
        let milliseconds = timeout.map { Int64($0 / .milliseconds(1)) } ?? -1
        GetRequest.write(ids, timeoutMilliseconds: milliseconds, to: &output)
        let patience = timeout.map { $0 + self.timeout }
        try exchange(.getReply, until: patience.map(Self.deadline))
        var places: [ObjectPlace] = []
        let files = try decode { (bytes) throws(WireError) -> [MappedFile] in
            let reply = try GetReply(bytes)
            guard reply.ids.count == ids.count else {
                throw .entryCountMismatch(expected: ids.count, found: reply.ids.count)
            }
            for index in ids.indices { places.append(try reply.place(at: index)) }
            return try reply.files()
        }
        for (id, place) in zip(ids, places) where !place.isMissing { held.insert(id) }
        try receiveDescriptors(files)
        var objects: [Object?] = []
        for place in places { objects.append(place.isMissing ? nil : try object(place)) }
        return objects
    }

    /// Says that an object is no longer used here, however often it was got.
    public func release(_ id: RecordID) throws(PlasmaError) {
        guard held.remove(id) != nil else { return }
        IDMessage(id: id).write(.releaseRequest, to: &output)
        try send()
    }

    /// Whether the object is there and sealed.
    public func contains(_ id: RecordID) throws(PlasmaError) -> Bool {
        IDMessage(id: id).write(.containsRequest, to: &output)
        try roundTrip(.containsReply)
        return try decode(IDNumberReply.init).number != 0
    }

    /// Removes objects.
    ///
    /// - Returns: for each id why it was not removed now; `nil` when it was.
    public func delete(_ ids: [RecordID]) throws(PlasmaError) -> [StoreError?] {
        var outcomes: [StoreError?] = []
        // The store answers nobody else while it works on one message.
        for start in stride(from: 0, to: ids.count, by: 500) {
            let chunk = ids[start..<min(start + 500, ids.count)]
            DeleteRequest.write(chunk, to: &output)
            try roundTrip(.deleteReply)
            outcomes += try decode { (bytes) throws(WireError) -> [StoreError?] in
                let reply = try DeleteReply(bytes)
                guard reply.ids.count == chunk.count else {
                    throw .entryCountMismatch(expected: chunk.count, found: reply.ids.count)
                }
                var errors: [StoreError?] = []
                for index in 0..<reply.ids.count { errors.append(try reply.error(at: index)) }
                return errors
            }
        }
        return outcomes
    }

    /// The store's state in words.
    public func debugString() throws(PlasmaError) -> String {
        EmptyMessage.write(.debugStringRequest, to: &output)
        try roundTrip(.debugStringReply)
        return try decode(DebugStringReply.init).text
    }

    /// Finds out whether the store knows our extension, and tells it that this client does.
    ///
    /// - Returns: the version that the store speaks; `nil` when it is not ours.
    public func extend() throws(PlasmaError) -> Int64? {
        guard StoreExtension.version(in: try debugString()) != nil else { return nil }
        return try ask(
            {
                ExtensionMessage.write(
                    .extensionRequest, numbers: [StoreExtension.version], to: &$0)
            },
            reply: .extensionReply
        ) { body throws(WireError) in try ExtensionMessage(body).number(0) }
    }

    /// Sends a message of our extension and reads the answer; only after `extend()` gave a version.
    public func ask<Answer>(
        _ write: (inout ByteBuffer) -> Void, reply: MessageType,
        _ read: (UnsafeRawBufferPointer) throws(WireError) -> Answer
    ) throws(PlasmaError) -> Answer {
        write(&output)
        try roundTrip(reply)
        return try decode(read)
    }

    /// All objects, sealed or not; the store answers nobody else meanwhile.
    public func list() throws(PlasmaError) -> [ObjectInfo] {
        EmptyMessage.write(.listRequest, to: &output)
        try roundTrip(.listReply)
        return try decode(ObjectInfo.rows)
    }

    /// Asks to be told of every object that is sealed or goes, those that are there now first.
    public func subscribe() throws(PlasmaError) -> BlockingPlasmaNotifications {
        EmptyMessage.write(.subscribeRequest, to: &output)
        try send()
        return try attempt { () throws(BlockingSocket.Failure) in
            try BlockingPlasmaNotifications(self, on: socket)
        }
    }
}

extension ObjectInfo {
    /// All rows of a List reply or of a notification.
    static func rows(_ body: UnsafeRawBufferPointer) throws(WireError) -> [ObjectInfo] {
        let list = try ObjectInfoList(body)
        var rows: [ObjectInfo] = []
        rows.reserveCapacity(list.count)
        for index in 0..<list.count { rows.append(try list.row(at: index)) }
        return rows
    }
}

extension BlockingPlasmaConnection {
    private func send() throws(PlasmaError) {
        defer { output.reset(keeping: 1 << 16) }
        try attempt { () throws(BlockingSocket.Failure) in try socket.send(output.bytes) }
    }

    /// Sends what was written and leaves the body of the answer in `input`.
    private func roundTrip(_ type: MessageType) throws(PlasmaError) {
        try exchange(type, until: Self.deadline(timeout))
    }

    /// The same with a deadline, or without one.
    private func exchange(_ type: MessageType, until deadline: UInt64?) throws(PlasmaError) {
        try send()
        try receive(FrameHeader.byteCount, until: deadline)
        let header = try decode { (bytes) throws(WireError) in
            try FrameHeader(reading: bytes, bodyByteCountMax: 1 << 31)
        }
        guard let header, header.type == type else {
            throw .malformed(.messageType(found: header?.type.rawValue ?? -1))
        }
        try receive(header.bodyByteCount, until: deadline)
    }

    private static func deadline(_ patience: Duration) -> UInt64 {
        SystemClock.monotonicNanoseconds + UInt64(max(0, patience / .nanoseconds(1)))
    }

    /// Fills `input` with so many bytes, and not one more: the next may carry a file.
    private func receive(_ byteCount: Int, until deadline: UInt64?) throws(PlasmaError) {
        input.reset(keeping: 1 << 16)
        let room = UnsafeMutableRawBufferPointer(start: input.reserve(byteCount), count: byteCount)
        try attempt { () throws(BlockingSocket.Failure) in
            try socket.receive(room, until: deadline)
        }
        input.commit(byteCount)
    }

    private func receiveDescriptors(_ files: [MappedFile]) throws(PlasmaError) {
        for file in files where mappings[file.storeDescriptor] == nil {
            let mapping = try attempt { () throws(BlockingSocket.Failure) -> FileMapping in
                let descriptor = try socket.receiveDescriptor(until: Self.deadline(timeout))
                // The size that is told is 8 bytes more than the pages.
                let size = Int(file.byteCount) - 8
                guard size > 0, let mapping = FileMapping(descriptor, byteCount: size) else {
                    throw BlockingSocket.Failure(reason: "cannot map \(file.byteCount) bytes")
                }
                return mapping
            }
            mappings[file.storeDescriptor] = mapping
        }
    }

    private func object(_ place: ObjectPlace) throws(PlasmaError) -> Object {
        let data = try bytes(place, place.dataOffset, place.dataByteCount)
        let metadata = try bytes(place, place.metadataOffset, place.metadataByteCount)
        return Object(
            data: UnsafeRawBufferPointer(data), metadata: UnsafeRawBufferPointer(metadata))
    }

    private func bytes(
        _ place: ObjectPlace, _ offset: UInt64, _ byteCount: UInt64
    ) throws(PlasmaError) -> UnsafeMutableRawBufferPointer {
        guard let bytes = mappings[place.storeDescriptor]?.slice(offset, byteCount) else {
            throw .malformed(.outOfBounds)
        }
        return bytes
    }

    private func attempt<Result>(
        _ body: () throws(BlockingSocket.Failure) -> Result
    ) throws(PlasmaError) -> Result {
        do {
            return try body()
        } catch {
            throw .lost(path: path, reason: error.reason)
        }
    }

    /// Reads what lies in `input`.
    private func decode<Result>(
        _ read: (UnsafeRawBufferPointer) throws(WireError) -> Result
    ) throws(PlasmaError) -> Result {
        do throws(WireError) {
            return try read(input.bytes)
        } catch {
            throw .malformed(error)
        }
    }
}
