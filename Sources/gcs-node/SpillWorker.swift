internal import Identifiers
internal import NodeManager
internal import PlasmaClient
internal import PlasmaProtocol
internal import Platform
internal import SpillFiles

/// A thread's work: takes objects from the store, writes them into one file, lets them go.
final class SpillWorker {
    /// What a worker is asked to do; one at a time.
    enum Job: Sendable {
        case choose(byteCount: Int64, count: Int)
        case write([RecordID: Int64], secondary: [RecordID])
        case drop([RecordID])
    }

    private let number: Int
    private let storePath: String
    private let session: SpillSession
    private var connection: BlockingPlasmaConnection?
    private var chosen: [SpillCandidate] = []
    private var fileCount = 0

    init(_ number: Int, storePath: String, _ session: SpillSession) {
        self.number = number
        self.storePath = storePath
        self.session = session
        fileCount = number
    }

    /// Does a job and tells how it went.
    func run(_ job: Job) -> NodeManager.SpillEvent {
        do throws(Failure) {
            switch job {
            case .choose(let byteCount, let count): return try choose(byteCount, count)
            case .write(let times, let secondary): return try write(times, secondary)
            case .drop(let ids): return try drop(ids)
            }
        } catch {
            releaseAll()
            if case .drop = job { return .dropped(worker: number, byteCount: 0) }
            return .failed(
                worker: number, reason: error.reason, isLackOfRoom: error.isLackOfRoom)
        }
    }

    private struct Failure: Error {
        var reason: String
        var isLackOfRoom = false
    }

    private func choose(
        _ byteCount: Int64, _ count: Int
    ) throws(Failure) -> NodeManager.SpillEvent {
        chosen = try store { connection throws(PlasmaError) in
            try connection.takeCandidates(countMax: count, byteCountMax: byteCount)
        }
        return .chosen(worker: number, chosen)
    }

    private func write(
        _ times: [RecordID: Int64], _ secondary: [RecordID]
    ) throws(Failure) -> NodeManager.SpillEvent {
        let kept = chosen.filter { times[$0.id] != nil }
        let others = chosen.filter { times[$0.id] == nil }
        try store { connection throws(PlasmaError) in
            try connection.markSecondary(secondary)
            for candidate in others { try connection.release(candidate.id) }
        }
        chosen = kept
        guard !kept.isEmpty else { return .written(worker: number, path: nil, [:]) }
        let objects = try store { connection throws(PlasmaError) in
            try connection.get(kept.map(\.id))
        }
        let started = SystemClock.monotonicNanoseconds
        let (path, written) = try files { () throws(SpillError) in
            try writeFile(kept, objects, times)
        }
        var places: [RecordID: NodeManager.SpillPlace] = [:]
        for object in written {
            places[object.id] = NodeManager.SpillPlace(
                path: path, offset: object.offset, recordByteCount: object.recordByteCount,
                byteCount: object.byteCount)
        }
        return .written(
            worker: number, path: path, places,
            microseconds: Int64((SystemClock.monotonicNanoseconds - started) / 1000))
    }

    private func writeFile(
        _ candidates: [SpillCandidate], _ objects: [BlockingPlasmaConnection.Object?],
        _ times: [RecordID: Int64]
    ) throws(SpillError) -> (path: String, objects: [SpilledObject]) {
        let byteCount = candidates.reduce(0) { $0 + $1.byteCount }
        fileCount += 1
        var writer = try session.writer(
            number: fileCount, objectCount: candidates.count, byteCount: byteCount)
        for (candidate, object) in zip(candidates, objects) {
            // Used by this connection, so it is there.
            guard let object else { continue }
            let entry = SpilledObject(
                id: candidate.id, dataByteCount: candidate.dataByteCount,
                metadataByteCount: candidate.metadataByteCount, digest: candidate.digest,
                createdAt: times[candidate.id] ?? 0)
            try writer.append(entry, data: object.data, metadata: object.metadata)
        }
        return try writer.finish()
    }

    private func drop(_ ids: [RecordID]) throws(Failure) -> NodeManager.SpillEvent {
        let outcomes = try store { connection throws(PlasmaError) in
            try connection.deleteUnused(ids)
        }
        let removed = Set(zip(ids, outcomes).filter { $0.1 == nil }.map(\.0))
        // What clients use stays, and may be evicted later: it is on the disk.
        let used = zip(ids, outcomes).filter { $0.1 == .objectInUse }.map(\.0)
        try store { connection throws(PlasmaError) in try connection.markSecondary(used) }
        let byteCount = chosen.filter { removed.contains($0.id) }.reduce(0) { $0 + $1.byteCount }
        releaseAll()
        return .dropped(worker: number, byteCount: byteCount)
    }

    private func releaseAll() {
        let candidates = chosen
        chosen = []
        try? store { connection throws(PlasmaError) in
            for candidate in candidates { try connection.release(candidate.id) }
        }
    }

    /// Talks to the store; the connection goes with its first failure, and all it used with it.
    private func store<Result>(
        _ body: (BlockingPlasmaConnection) throws(PlasmaError) -> Result
    ) throws(Failure) -> Result {
        do throws(PlasmaError) {
            if let connection { return try body(connection) }
            let fresh = try BlockingPlasmaConnection.extended(path: storePath)
            connection = fresh
            return try body(fresh)
        } catch {
            connection = nil
            chosen = []
            throw Failure(reason: "store: \(error)")
        }
    }

    private func files<Result>(
        _ body: () throws(SpillError) -> Result
    ) throws(Failure) -> Result {
        do throws(SpillError) {
            return try body()
        } catch {
            throw Failure(reason: error.description, isLackOfRoom: error.isLackOfRoom)
        }
    }
}

extension BlockingPlasmaConnection {
    /// A connection to a store that speaks our extension.
    static func extended(
        path: String, timeout: Duration = .seconds(30)
    ) throws(PlasmaError) -> BlockingPlasmaConnection {
        let connection = try BlockingPlasmaConnection(path: path, timeout: timeout)
        guard try connection.extend() != nil else {
            throw .lost(path: path, reason: "the store is not ours")
        }
        return connection
    }
}
