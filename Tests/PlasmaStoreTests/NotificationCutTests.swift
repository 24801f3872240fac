import Glibc
import PlasmaProtocol
import Testing

@testable import PlasmaStore

@Suite struct NotificationCutTests {
    @Test(
        "what is sent at once ends with a notification, whatever the kernel takes",
        arguments: [(100, 1000), (300, 7), (1, 1), (5000, 60), (250, 128)])
    func cuts(limit: Int, taken: Int) throws {
        let subscription = Subscription(
            PassedSocket(adopting: open("/dev/null", O_WRONLY)), sealedOrderMax: 0)
        var ends: Set<Int> = []
        for index in 0..<50 {
            let rows = (0...index % 4).map {
                ObjectInfo(id: testID($0), dataByteCount: 1, metadataByteCount: 1, digest: 1)
            }
            Notification.writeAdditions(rows, to: &subscription.queue)
            ends.insert(subscription.queue.count)
        }
        let total = subscription.queue.count
        var sent = 0
        while !subscription.queue.isEmpty {
            let count = subscription.sendableByteCount(limit: limit)
            #expect(count > 0 && ends.contains(sent + count))
            let part = min(count, taken)
            subscription.consume(part)
            sent += part
        }
        #expect(sent == total)
    }
}
