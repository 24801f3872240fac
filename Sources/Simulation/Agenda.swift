internal import Identifiers
internal import NodeManager

/// What happens in a world at one moment.
enum Event {
    /// Bytes reach the other end of a link.
    case toServer(link: Int, [UInt8])
    case toClient(link: Int, [UInt8])
    /// One end hears that the link is cut.
    case serverHearsEnd(link: Int)
    case clientHearsEnd(link: Int)
    case serverTick
    case serverStarts
    case nodeTick(Int, life: Int)
    case nodeStarts(Int)
    /// An agent tries to connect to the server, or to its store.
    case connect(Peer)
    case connectStore(Int, life: Int)
    /// What an agent asked of its store, and what the store tells it.
    case storeAsked(Int, connection: Int, NodeManager.Output)
    case storeTells(Int, connection: Int, NodeManager.Input)
    /// A client of a store is done with an object.
    case release(Int, storeLife: Int, RecordID)
    case driverActs(Int)
    /// A driver puts an object whose id it named before.
    case lateWrite(RecordID, node: Int)
    case fault
    case heal
    case check(attempt: Int)
}

/// Who holds the client's end of a link.
enum Peer: Equatable {
    case driver(Int)
    case control(node: Int, life: Int)
    case subscription(node: Int, life: Int)
}

/// Events to come, by time and then in the order in which they were added.
struct Agenda {
    private struct Entry {
        var time: Int64
        var order: Int
        var event: Event

        func isBefore(_ other: Entry) -> Bool { (time, order) < (other.time, other.order) }
    }

    private var heap: [Entry] = []
    private var lastOrder = 0

    mutating func add(_ event: Event, at time: Int64) {
        lastOrder += 1
        heap.append(Entry(time: time, order: lastOrder, event: event))
        var child = heap.count - 1
        while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func next() -> (time: Int64, event: Event)? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return (first.time, first.event)
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].isBefore(heap[least]) {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
