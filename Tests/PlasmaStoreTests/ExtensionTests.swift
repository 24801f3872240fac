import Identifiers
import PlasmaProtocol
import Testing

@testable import PlasmaStore

@Suite struct ExtensionTests {
    @Test func theDebugStringBeginsWithTheIdentity() throws {
        let store = try TestStore(capacity: 10_000)
        #expect(StoreExtension.version(in: store.service.debugString) == StoreExtension.version)
    }

    @Test func onlyAClientThatShookHandsMaySendTheRest() throws {
        let store = try TestStore(capacity: 10_000)
        let stranger = try store.client()
        stranger.send { ExtensionMessage.write(.markRequest, numbers: [1], to: &$0) }
        #expect(stranger.failure != nil)
        let friend = try store.client()
        friend.send { ExtensionMessage.write(.extensionRequest, numbers: [1], to: &$0) }
        let body = try #require(try friend.reply(.extensionReply))
        let version = try body.withUnsafeBytes { try ExtensionMessage($0).number(0) }
        #expect(version == StoreExtension.version)
        #expect(friend.failure == nil)
    }
}
