internal import Foundation
internal import Identifiers
internal import PlasmaClient
internal import PlasmaProtocol
internal import Platform
internal import Synchronization

/// Follows a store's notifications on a thread of its own: what is in the store, by batch.
final class StoreWatcher: Sendable {
    /// What is in the store at one moment.
    struct Census {
        var byteCount: Int64 = 0
        /// Bytes of finished short jobs, results excepted.
        var deadByteCount: Int64 = 0
        /// The same, on average over the time since the first of them finished.
        var meanDeadByteCount: Int64 = 0
    }

    /// Objects of one batch, results excepted.
    private struct Rest {
        var count = 0
        var byteCount: Int64 = 0
        /// When the last of them went, after there had been some.
        var emptiedAt: UInt64?
    }

    private struct State {
        var sizes: [RecordID: Int64] = [:]
        var rests: [BatchID: Rest] = [:]
        var finished: Set<BatchID> = []
        var census = Census()
        /// Dead bytes times nanoseconds since the first short job finished.
        var deadByteNanoseconds = 0.0
        var firstFinishedAt: UInt64?
        var accountedUpTo: UInt64 = 0
        var failure: String?
        var isStopping = false

        /// Counts the dead weight up to now, before it changes.
        mutating func account(_ now: UInt64) {
            guard let first = firstFinishedAt, now > accountedUpTo else { return }
            deadByteNanoseconds += Double(census.deadByteCount) * Double(now - accountedUpTo)
            accountedUpTo = now
            census.meanDeadByteCount = Int64(deadByteNanoseconds / Double(now - first))
        }
    }

    private let state = Mutex(State())
    private let resultIndex: UInt32

    /// - Parameter resultIndex: the index in the ids of results, which are never dead weight.
    init(socketPath: String, resultIndex: UInt32) {
        self.resultIndex = resultIndex
        Thread.detachNewThread { self.watch(socketPath) }
    }

    /// Ends the thread, within 50 ms.
    func stop() { state.withLock { $0.isStopping = true } }

    /// What is in the store now.
    func census() throws(Failure) -> Census {
        let (census, failure) = state.withLock { state in
            state.account(SystemClock.monotonicNanoseconds)
            return (state.census, state.failure)
        }
        if let failure { throw Failure(failure) }
        return census
    }

    /// From now on what the job leaves is dead weight.
    func finish(_ job: BatchID) {
        state.withLock { state in
            let now = SystemClock.monotonicNanoseconds
            state.account(now)
            if state.finished.isEmpty {
                state.firstFinishedAt = now
                state.accountedUpTo = now
            }
            guard state.finished.insert(job).inserted else { return }
            state.census.deadByteCount += state.rests[job]?.byteCount ?? 0
        }
    }

    /// When the last object of a job that had some went, results excepted.
    func emptied(_ job: BatchID) -> UInt64? { state.withLock { $0.rests[job]?.emptiedAt } }

    private func watch(_ path: String) {
        do throws(PlasmaError) {
            let connection = try BlockingPlasmaConnection(path: path)
            let notifications = try connection.subscribe()
            while !state.withLock(\.isStopping) {
                guard let rows = try notifications.next(timeout: .milliseconds(50)) else {
                    continue
                }
                let now = SystemClock.monotonicNanoseconds
                state.withLock { state in
                    state.account(now)
                    for row in rows { apply(row, now, to: &state) }
                }
            }
        } catch {
            state.withLock { $0.failure = $0.isStopping ? nil : error.description }
        }
    }

    private func apply(_ row: ObjectInfo, _ now: UInt64, to state: inout State) {
        let known = state.sizes.removeValue(forKey: row.id)
        if !row.isDeletion { state.sizes[row.id] = row.byteCount }
        let change = row.isDeletion ? -(known ?? 0) : row.byteCount
        state.census.byteCount += change
        guard row.id.index != resultIndex else { return }
        var rest = state.rests[row.id.batch] ?? Rest()
        rest.byteCount += change
        rest.count += row.isDeletion ? -1 : 1
        rest.emptiedAt = rest.count == 0 ? now : nil
        state.rests[row.id.batch] = rest
        if state.finished.contains(row.id.batch) { state.census.deadByteCount += change }
    }
}
