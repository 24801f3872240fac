import Identifiers
import PlasmaProtocol
import Testing

/// Reads everything a body can be asked for; only `WireError` may come out.
private func readAll(_ frame: Frame) throws(WireError) {
    try frame.read { body throws(WireError) in
        switch frame.type {
        case .createRequest: _ = try CreateRequest(body)
        case .createReply: _ = try CreateReply(body)
        case .createAndSealRequest:
            let request = try CreateAndSealRequest(body)
            _ = [UInt8](request.data) + [UInt8](request.metadata)
        case .createAndSealBatchRequest:
            let request = try CreateAndSealBatchRequest(body)
            _ = try all(request.ids)
            _ = try all(request.data)
            _ = try all(request.metadata)
            for index in 0..<request.ids.count { _ = try request.digest(at: index) }
        case .sealRequest: _ = try SealRequest(body)
        case .sealReply, .containsReply: _ = try IDNumberReply(body)
        case .getRequest: _ = try all(GetRequest(body).ids)
        case .getReply:
            let reply = try GetReply(body)
            _ = try all(reply.ids)
            _ = try reply.files()
            for index in 0..<reply.ids.count { _ = try reply.place(at: index) }
        case .deleteRequest: _ = try all(DeleteRequest(body).ids)
        case .deleteReply:
            let reply = try DeleteReply(body)
            _ = try all(reply.ids)
            for index in 0..<reply.ids.count { _ = try reply.error(at: index) }
        case .listReply:
            let list = try ObjectInfoList(body)
            for index in 0..<list.count { _ = try list.row(at: index) }
        case .refreshLRURequest: _ = try all(RefreshLRURequest(body).ids)
        case .setOptionsRequest: _ = try SetOptionsRequest(body)
        case .debugStringReply: _ = try DebugStringReply(body)
        case .connectReply, .evictRequest, .evictReply: _ = try ByteCountMessage(body)
        case .setOptionsReply, .createAndSealReply, .createAndSealBatchReply:
            _ = try StatusReply(body)
        case .abortRequest, .abortReply, .releaseRequest, .containsRequest:
            _ = try IDMessage(body)
        case .needsRequest: _ = try NeedsRequest(body)
        case .needsReply: _ = try NeedsReply(body)
        case .candidatesRequest: _ = try CandidatesRequest(body)
        case .candidatesReply: _ = try CandidatesReply.read(body)
        case .usageReply: _ = try StoreUsage(body)
        case .pinsRequest: _ = try PinsRequest(body)
        case .pinsReply: _ = try PinsReply(body)
        case .extensionRequest, .extensionReply, .markRequest, .markReply,
            .deleteUnusedRequest, .deleteUnusedReply:
            let message = try ExtensionMessage(body)
            for index in 0..<message.numberCount { _ = try message.number(index) }
            _ = try message.allIDs()
        case .disconnect, .listRequest, .connectRequest, .subscribeRequest, .debugStringRequest,
            .refreshLRUReply, .usageRequest:
            break
        }
    }
}

/// One valid frame of each shape.
private func validFrames() throws(WireError) -> [Frame] {
    let ids = (0..<5).map(testID)
    let bytes: [UInt8] = [1, 2, 3]
    let info = ObjectInfo(id: ids[0], dataByteCount: 1, metadataByteCount: 2, digest: 3)
    var list = ListReplyWriter(countMax: 3)
    for _ in 0..<2 { _ = list.append(info) }
    var deleted = DeleteReplyWriter(count: 2)
    for id in ids.prefix(2) { deleted.append(id, .objectInUse) }
    return [
        try frame {
            CreateRequest(
                id: ids[0], evictsIfFull: true, dataByteCount: 9, metadataByteCount: 1
            ).write(to: &$0)
        },
        try frame { CreateReply(id: ids[0], error: .outOfMemory).write(to: &$0) },
        try frame { buffer in
            bytes.withUnsafeBytes {
                CreateAndSealRequest.write(
                    id: ids[1], evictsIfFull: false, data: $0, metadata: $0, digest: 5,
                    to: &buffer)
            }
        },
        try frame {
            CreateAndSealBatchRequest.write(
                ids.map { CreateAndSealBatchRequest.Entry(id: $0, data: bytes) },
                evictsIfFull: true, to: &$0)
        },
        try frame { SealRequest(id: ids[0], digest: 8).write(to: &$0) },
        try frame { GetRequest.write(ids, timeoutMilliseconds: 9, to: &$0) },
        try getReply(
            ids.map { (id: $0, place: ObjectPlace.missing) },
            [MappedFile(storeDescriptor: 3, byteCount: 4104)]),
        try frame { DeleteRequest.write(ids, to: &$0) },
        try Frame(deleted.finish()),
        try Frame(list.finish()),
        try frame { RefreshLRURequest.write(ids, to: &$0) },
        try frame { SetOptionsRequest(name: bytes, quotaByteCount: 4).write(to: &$0) },
        try frame { DebugStringReply(text: "state").write(to: &$0) },
        try frame { ByteCountMessage(byteCount: 7).write(.evictRequest, to: &$0) },
        try frame { StatusReply(error: nil).write(.setOptionsReply, to: &$0) },
        try frame { IDMessage(id: ids[0]).write(.containsRequest, to: &$0) },
        try frame { CandidatesReply.write([SpillCandidate(id: ids[0])], to: &$0) },
        try frame { ExtensionMessage.write(.markRequest, numbers: [1], ids: ids, to: &$0) },
    ]
}

@Suite struct HostileBodyTests {
    @Test func everyProperPrefixIsRefused() throws {
        for whole in try validFrames() {
            try readAll(whole)
            var refusalCount = 0
            for count in 0..<whole.body.count {
                var cut = whole
                cut.body.removeLast(whole.body.count - count)
                do { try readAll(cut) } catch { refusalCount += 1 }
            }
            // Only padding after the last string can be missing unnoticed.
            #expect(refusalCount >= whole.body.count - 8, "\(whole.type)")
        }
    }

    @Test("changed bytes are read or refused, never followed outside", arguments: 1...8)
    func changedBytesNeverCrash(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        var refusalCount = 0
        let frames = try validFrames()
        for _ in 0..<2000 {
            var changed = frames[Int(random.next() % UInt64(frames.count))]
            for _ in 0...(random.next() % 4) where !changed.body.isEmpty {
                let index = Int(random.next() % UInt64(changed.body.count))
                let extremes: [UInt8] = [0, 1, 0x7f, 0x80, 0xff, UInt8(random.next() & 255)]
                changed.body[index] = extremes[Int(random.next() % 6)]
            }
            do { try readAll(changed) } catch { refusalCount += 1 }
        }
        #expect(refusalCount > 100, "the changes never mattered: seed \(seed)")
    }

    @Test func idsOfOtherLengthsAreRefused() throws {
        var short = try frame { IDMessage(id: testID(1)).write(.containsRequest, to: &$0) }
        let length = short.body.count - idStringByteCount
        short.body[length] = 3
        #expect(throws: WireError.idByteCount(found: 3)) { try readAll(short) }
        short.body[length] = 0
        #expect(throws: WireError.idByteCount(found: 0)) { try readAll(short) }
    }

    @Test func digestsOfOtherLengthsAreRefused() throws {
        var seal = try frame { SealRequest(id: testID(1), digest: 1).write(to: &$0) }
        seal.body[seal.body.count - 16] = 7
        #expect(throws: WireError.digestByteCount(found: 7)) { try readAll(seal) }
    }

    @Test func aCountAboveTheListIsRefused() throws {
        var request = try frame { DeleteRequest.write([testID(1)], to: &$0) }
        let table = Int(request.body[0])
        request.body[table + 4] = 9
        #expect(throws: WireError.entryCountMismatch(expected: 9, found: 1)) {
            try readAll(request)
        }
    }

    @Test func badHeadersAreRefusedBeforeTheirBody() throws {
        func header(_ numbers: [Int64]) -> [UInt8] {
            numbers.flatMap { number in withUnsafeBytes(of: number.littleEndian) { Array($0) } }
        }
        func read(_ bytes: [UInt8]) throws -> FrameHeader? {
            try bytes.withUnsafeBytes { try FrameHeader(reading: $0, bodyByteCountMax: 1000) }
        }
        #expect(
            try read(header([0, 15, 1000]))
                == FrameHeader(type: .containsRequest, bodyByteCount: 1000))
        #expect(try read(Array(header([0, 15, 12]).dropLast())) == nil)
        #expect(throws: WireError.version(found: 1)) { try read(header([1, 15, 12])) }
        #expect(throws: WireError.messageType(found: 24)) { try read(header([0, 24, 12])) }
        #expect(throws: WireError.messageType(found: -1)) { try read(header([0, -1, 12])) }
        for length in [-1, 1001, 512 << 20, Int64.max] {
            #expect(throws: WireError.bodyByteCount(found: length, limit: 1000)) {
                try read(header([0, 15, length]))
            }
        }
    }
}

/// Bytes of an id's string: length, 20 bytes, final zero, padding.
private let idStringByteCount = 28

/// A small generator with a printable state (Steele, Lea, Flood: SplitMix64, 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
