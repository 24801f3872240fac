import Identifiers
import PlasmaProtocol
import Testing

extension SpillCandidate {
    init(id: RecordID) {
        self.init(id: id, dataByteCount: 1 << 40, metadataByteCount: 7, digest: .max)
    }
}

@Suite struct ExtensionTests {
    @Test func onlyOurStoreIsRecognised() {
        #expect(StoreExtension.version(in: StoreExtension.identity + "\ncapacity 1") == 1)
        #expect(StoreExtension.version(in: "swift-gcs plasma-store, extension 12") == 12)
        for text in ["", "\n", "plasma", "x\n" + StoreExtension.identity, "swift-gcs"] {
            #expect(StoreExtension.version(in: text) == nil)
        }
    }

    @Test("numbers and ids go there and back", arguments: [0, 1, 2, 5], [0, 1, 4])
    func messageGoesThereAndBack(numberCount: Int, idCount: Int) throws {
        let numbers = (0..<numberCount).map { Int64($0) << 40 - 1 }
        let ids = (0..<idCount).map(testID)
        let sent = try frame {
            ExtensionMessage.write(.markRequest, numbers: numbers, ids: ids, to: &$0)
        }
        try sent.read { body throws(WireError) in
            let message = try ExtensionMessage(body)
            #expect(message.numberCount == numberCount)
            for (index, number) in numbers.enumerated() {
                #expect(try message.number(index) == number)
            }
            #expect(try message.number(numberCount) == 0)
            #expect(try message.allIDs() == ids)
        }
    }

    @Test func needsAndCandidatesGoThereAndBack() throws {
        let request = NeedsRequest(
            primaryByteCountMax: 1, graceMilliseconds: 2, waitMilliseconds: 3, heldOrder: 4)
        #expect(try frame { request.write(to: &$0) }.read(NeedsRequest.init) == request)
        var reply = NeedsReply()
        reply.capacity = 9
        reply.heldOrder = 8
        reply.awaited = [testID(1), testID(2)]
        #expect(try frame { reply.write(to: &$0) }.read(NeedsReply.init) == reply)
        let candidates = [SpillCandidate(id: testID(3)), SpillCandidate(id: testID(4))]
        let sent = try frame { CandidatesReply.write(candidates, to: &$0) }
        #expect(try sent.read(CandidatesReply.read) == candidates)
    }
}
