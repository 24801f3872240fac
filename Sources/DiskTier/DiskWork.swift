public import ControlStore
internal import Identifiers

/// Carries out requests on an engine, in order; without a thread of its own.
///
/// Removals that fail are kept and come first when the disk works again: what was removed must not
/// come back.
public struct DiskWork: Sendable {
    private let engine: any DiskEngine
    private var isFailing = false
    private var keys: [RecordKey] = []
    private var batches: [BatchID] = []
    /// Batches whose space is to be given back.
    private var removed: [BatchID] = []
    private var removedRecordCount = 0

    /// Work on an engine.
    public init(_ engine: any DiskEngine) { self.engine = engine }

    /// Whether removals wait for the disk to work again.
    public var isUnfinished: Bool { !keys.isEmpty || !batches.isEmpty }

    /// Whether space is to be given back, in an idle moment; soon, when it is much.
    public var wantsReclaim: Bool { !removed.isEmpty }

    /// Whether space should not wait for an idle moment.
    public var mustReclaim: Bool { removed.count >= 256 }

    /// Carries one request out.
    public mutating func run(_ request: DiskRequest, _ answer: (DiskReply) -> Void) {
        switch request {
        case .put(let group):
            do throws(DiskError) {
                try finishRemovals(answer)
                try engine.put(group)
                answer(.put(group, failure: nil))
            } catch {
                isFailing = true
                answer(.put(group, failure: error.reason))
            }
        case .delete(let gone):
            keys += gone
            try? finishRemovals(answer)
        case .drop(let batch, let count):
            batches.append(batch)
            removedRecordCount += count
            try? finishRemovals(answer)
        case .read(let ticket, let wanted, _): answer(Self.read(ticket, wanted, engine))
        case .scan(let ticket, let batch, let place, let count):
            do throws(DiskError) {
                let (keys, next) = try engine.scan(batch, from: place, count: count)
                answer(.scan(ticket: ticket, keys, next: next, failure: nil))
            } catch {
                answer(.scan(ticket: ticket, [], next: 1 << 32, failure: error.reason))
            }
        }
    }

    /// Reads records.
    public static func read(
        _ ticket: UInt64, _ wanted: [RecordKey], _ engine: any DiskEngine
    ) -> DiskReply {
        var values: [[UInt8]?] = []
        do throws(DiskError) {
            for key in wanted { values.append(try engine.get(key)) }
            return .read(ticket: ticket, values, failure: nil)
        } catch {
            return .read(ticket: ticket, [], failure: error.reason)
        }
    }

    /// Tries again to remove what could not be removed.
    public mutating func retry(_ answer: (DiskReply) -> Void) { try? finishRemovals(answer) }

    private mutating func finishRemovals(_ answer: (DiskReply) -> Void) throws(DiskError) {
        if isFailing {
            try engine.recover()
            isFailing = false
        }
        guard isUnfinished else { return }
        do throws(DiskError) {
            try engine.remove(keys, batches)
        } catch {
            isFailing = true
            throw error
        }
        if !keys.isEmpty { answer(.deleted(keys)) }
        for batch in batches { answer(.dropped(batch)) }
        removed += batches
        (keys, batches) = ([], [])
    }

    /// Gives space back.
    public mutating func reclaim() {
        // Compacting costs: for a few records the usual compaction will do.
        let isWorthIt = removedRecordCount >= 10_000
        engine.reclaim(isWorthIt ? removed : [])
        (removed, removedRecordCount) = ([], 0)
    }
}
