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
    private var newIdentity: UInt64?
    private var mustClear = false
    /// Batches whose space is to be given back.
    private var removed: [BatchID] = []
    private var removedRecordCount = 0

    /// Work on an engine.
    public init(_ engine: any DiskEngine) { self.engine = engine }

    /// Whether removals wait for the disk to work again.
    public var isUnfinished: Bool {
        !keys.isEmpty || !batches.isEmpty || mustClear || newIdentity != nil
    }

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
        case .begin(let identity):
            do throws(DiskError) {
                try engine.begin(identity: identity)
                answer(.begun(identity: identity, failure: nil))
            } catch {
                answer(.begun(identity: identity, failure: error.reason))
            }
        case .rename(let identity):
            newIdentity = identity
            try? finishRemovals(answer)
        case .clear:
            mustClear = true
            try? finishRemovals(answer)
        case .keep(let identity):
            do throws(DiskError) {
                try engine.keep(identity: identity)
                answer(.kept(failure: nil))
            } catch {
                answer(.kept(failure: error.reason))
            }
        case .list(let key, let batch): list(key, batch, answer)
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

    /// Lists what is there, removals included; fails while they do.
    private mutating func list(
        _ key: RecordKey?, _ batch: BatchID?, _ answer: (DiskReply) -> Void
    ) {
        do throws(DiskError) {
            try finishRemovals(answer)
            let (page, isEnd) = try engine.list(after: key, of: batch)
            answer(.listed(page, isEnd: isEnd, failure: nil))
        } catch {
            answer(.listed(DiskGroup(), isEnd: true, failure: error.reason))
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
            if let newIdentity {
                try engine.rename(identity: newIdentity)
                answer(.renamed)
            }
            newIdentity = nil
            if mustClear { try engine.clear() }
            mustClear = false
            if !keys.isEmpty || !batches.isEmpty { try engine.remove(keys, batches) }
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
