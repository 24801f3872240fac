import Identifiers
import PlasmaProtocol
import Testing

@Suite struct RoundTripTests {
    @Test func createGoesThereAndBack() throws {
        let request = CreateRequest(
            id: testID(1), evictsIfFull: true, dataByteCount: 1 << 40, metadataByteCount: 7,
            device: 3)
        let sent = try frame { request.write(to: &$0) }
        #expect(sent.type == .createRequest)
        #expect(try sent.read(CreateRequest.init) == request)

        let place = ObjectPlace(
            storeDescriptor: 9, dataOffset: 64, dataByteCount: 100, metadataOffset: 164,
            metadataByteCount: 7)
        let reply = CreateReply(
            id: testID(1), place: place, error: nil,
            file: MappedFile(storeDescriptor: 9, byteCount: 4104))
        #expect(try frame { reply.write(to: &$0) }.read(CreateReply.init) == reply)
        let refusal = CreateReply(id: testID(1), error: .outOfMemory)
        #expect(try frame { refusal.write(to: &$0) }.read(CreateReply.init) == refusal)
    }

    @Test("data and metadata of any length survive", arguments: [0, 1, 3, 4, 7, 8, 100, 9001])
    func createAndSealGoesThereAndBack(count: Int) throws {
        let data = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        let metadata = Array(data.reversed().dropLast(count / 2))
        let sent = try frame { buffer in
            data.withUnsafeBytes { data in
                metadata.withUnsafeBytes { metadata in
                    CreateAndSealRequest.write(
                        id: testID(2), evictsIfFull: true, data: data, metadata: metadata,
                        digest: 77, to: &buffer)
                }
            }
        }
        try sent.read { body throws(WireError) in
            let request = try CreateAndSealRequest(body)
            #expect(request.id == testID(2))
            #expect(request.evictsIfFull)
            #expect([UInt8](request.data) == data)
            #expect([UInt8](request.metadata) == metadata)
            #expect(request.digest == 77)
        }
    }

    @Test("batches of any length survive", arguments: [0, 1, 2, 100])
    func batchGoesThereAndBack(count: Int) throws {
        let entries = (0..<count).map { index in
            CreateAndSealBatchRequest.Entry(
                id: testID(index), data: Array(repeating: 1, count: index),
                metadata: Array(repeating: 2, count: index % 3), digest: UInt64(index))
        }
        let sent = try frame {
            CreateAndSealBatchRequest.write(entries, evictsIfFull: false, to: &$0)
        }
        try sent.read { body throws(WireError) in
            let request = try CreateAndSealBatchRequest(body)
            #expect(!request.evictsIfFull)
            #expect(try all(request.ids) == entries.map(\.id))
            #expect(try all(request.data) == entries.map(\.data))
            #expect(try all(request.metadata) == entries.map(\.metadata))
            for index in 0..<count { #expect(try request.digest(at: index) == UInt64(index)) }
        }
    }

    @Test func smallMessagesGoThereAndBack() throws {
        let message = IDMessage(id: testID(3))
        #expect(
            try frame { message.write(.releaseRequest, to: &$0) }.read(IDMessage.init) == message)
        let status = StatusReply(error: .objectExists)
        #expect(
            try frame { status.write(.createAndSealReply, to: &$0) }.read(StatusReply.init)
                == status)
        let seal = SealRequest(id: testID(4), digest: 0x0102_0304_0506_0708)
        #expect(try frame { seal.write(to: &$0) }.read(SealRequest.init) == seal)
        let contains = IDNumberReply(id: testID(5), number: 1)
        #expect(
            try frame { contains.write(.containsReply, to: &$0) }.read(IDNumberReply.init)
                == contains)
        let evict = ByteCountMessage(byteCount: 1 << 40)
        #expect(
            try frame { evict.write(.evictRequest, to: &$0) }.read(ByteCountMessage.init) == evict)
        let options = SetOptionsRequest(name: Array("worker".utf8), quotaByteCount: -1)
        #expect(try frame { options.write(to: &$0) }.read(SetOptionsRequest.init) == options)
        let text = DebugStringReply(text: "3 objects")
        #expect(try frame { text.write(to: &$0) }.read(DebugStringReply.init) == text)
        let empty = try frame { EmptyMessage.write(.listRequest, to: &$0) }
        #expect(empty.type == .listRequest)
        #expect(empty.body.count == 12)
    }

    @Test("gets of any length survive", arguments: [0, 1, 2, 3, 500])
    func getGoesThereAndBack(count: Int) throws {
        let ids = (0..<count).map(testID)
        try frame { GetRequest.write(ids, timeoutMilliseconds: -1, to: &$0) }.read {
            body throws(WireError) in
            let request = try GetRequest(body)
            #expect(try all(request.ids) == ids)
            #expect(request.timeoutMilliseconds == -1)
        }
        let place = ObjectPlace(
            storeDescriptor: 5, dataOffset: 128, dataByteCount: 3, metadataOffset: 131,
            metadataByteCount: 0)
        let places = ids.map { (id: $0, place: $0.unique % 2 == 0 ? place : .missing) }
        for files in [[], [MappedFile(storeDescriptor: 5, byteCount: 4104)]] {
            try getReply(places, files).read {
                body throws(WireError) in
                let reply = try GetReply(body)
                #expect(try all(reply.ids) == ids)
                #expect(try reply.files() == files)
                for (index, expected) in places.enumerated() {
                    #expect(try reply.place(at: index) == expected.place)
                }
            }
        }
    }

    @Test("deletes of any length survive", arguments: [0, 1, 2, 1000])
    func deleteGoesThereAndBack(count: Int) throws {
        let ids = (0..<count).map(testID)
        try frame { DeleteRequest.write(ids, to: &$0) }.read { body throws(WireError) in
            #expect(try all(DeleteRequest(body).ids) == ids)
        }
        var writer = DeleteReplyWriter(count: count)
        let outcomes = ids.map { $0.unique % 3 == 0 ? StoreError.objectInUse : nil }
        for (id, outcome) in zip(ids, outcomes) { writer.append(id, outcome) }
        let frame = try Frame(writer.finish())
        #expect(frame.type == .deleteReply)
        try frame.read { body throws(WireError) in
            let reply = try DeleteReply(body)
            #expect(try all(reply.ids) == ids)
            for index in 0..<count { #expect(try reply.error(at: index) == outcomes[index]) }
        }
        try PlasmaProtocolTests.frame { RefreshLRURequest.write(ids, to: &$0) }.read {
            body throws(WireError) in
            #expect(try all(RefreshLRURequest(body).ids) == ids)
        }
    }

    @Test("lists survive, also when fewer rows come than were expected", arguments: [0, 1, 7])
    func listGoesThereAndBack(missing: Int) throws {
        let infos = (0..<9).map { index in
            ObjectInfo(
                id: testID(index), dataByteCount: Int64(index) << 33, metadataByteCount: 2,
                referenceCount: 3, createdSeconds: 1_700_000_000,
                constructSeconds: index == 4 ? -1 : 12, digest: index == 4 ? nil : 99)
        }
        var writer = ListReplyWriter(countMax: infos.count + missing)
        for info in infos {
            let hasRoom = writer.append(info)
            #expect(hasRoom)
        }
        if missing == 0 {
            let hasRoom = writer.append(infos[0])
            #expect(!hasRoom)
        }
        try Frame(writer.finish()).read { body throws(WireError) in
            let list = try ObjectInfoList(body)
            #expect(list.count == infos.count)
            for index in 0..<list.count { #expect(try list.row(at: index) == infos[index]) }
        }
    }

    @Test("notifications survive", arguments: [1, 2, 300])
    func notificationsGoThereAndBack(count: Int) throws {
        let added = (0..<count).map { index in
            ObjectInfo(
                id: testID(index), dataByteCount: Int64(index), metadataByteCount: 2, digest: 9)
        }
        let gone = added.map { info in
            ObjectInfo(id: info.id, dataByteCount: 0, metadataByteCount: 0, isDeletion: true)
        }
        var buffer = ByteBuffer()
        Notification.writeAdditions(added, to: &buffer)
        Notification.writeDeletions(added.map(\.id), to: &buffer)
        for expected in [added, gone] {
            let found = try Notification.bodyByteCount(buffer.bytes, bodyByteCountMax: 1 << 20)
            let byteCount = try #require(found)
            buffer.consume(Notification.headerByteCount)
            let body = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<byteCount])
            let list = try ObjectInfoList(body)
            #expect(list.count == count)
            for index in 0..<count { #expect(try list.row(at: index) == expected[index]) }
            buffer.consume(byteCount)
        }
        let restCount = buffer.count
        #expect(restCount == 0)
    }
}
