internal import Identifiers
internal import NodeManager
internal import PlasmaClient
internal import PlasmaProtocol
internal import Platform
internal import SpillFiles

/// A thread's work: puts objects back into the store, each checked before anyone can get it.
final class RestoreWorker {
    private enum Failure: Error {
        case store(PlasmaError)
        case file(SpillError)
    }

    private let storePath: String
    /// How long the store may let a create wait for room.
    private let patience: Duration
    private var connection: BlockingPlasmaConnection?

    init(storePath: String, patience: Duration) {
        self.storePath = storePath
        self.patience = patience
    }

    func restore(
        _ id: RecordID, _ place: NodeManager.SpillPlace
    ) -> NodeManager.SpillEvent {
        do throws(Failure) {
            let started = SystemClock.monotonicNanoseconds
            let byteCount = try fill(id, place)
            return .restored(
                id, byteCount: byteCount,
                microseconds: Int64((SystemClock.monotonicNanoseconds - started) / 1000))
        } catch {
            switch error {
            case .store(.refused(.objectExists)): return .restored(id, byteCount: 0)
            case .store(let error):
                if case .refused = error {} else { connection = nil }
                return .notRestored(id, reason: error.description, isFinal: false)
            case .file(let error):
                return .notRestored(id, reason: error.description, isFinal: Self.isFinal(error))
            }
        }
    }

    /// Whether trying again is of no use: the bytes are wrong, or gone.
    private static func isFinal(_ error: SpillError) -> Bool {
        switch error {
        case .damaged: true
        case .system(_, _, let reason): reason == "no such file or directory"
        case .full: false
        }
    }

    /// Creates the object, fills it, and seals it when its bytes are right.
    private func fill(
        _ id: RecordID, _ place: NodeManager.SpillPlace
    ) throws(Failure) -> Int64 {
        let reader = try file { () throws(SpillError) in try SpillReader(path: place.path) }
        let object = try file { () throws(SpillError) in
            try reader.header(of: id, at: place.offset)
        }
        let room = try store { store throws(PlasmaError) in
            try store.create(
                id, dataByteCount: Int(object.dataByteCount),
                metadataByteCount: Int(object.metadataByteCount))
        }
        do throws(SpillError) {
            try reader.read(object, into: room)
        } catch {
            try store { store throws(PlasmaError) in try store.abort(id) }
            throw .file(error)
        }
        try store { store throws(PlasmaError) in
            // It is on the disk: the store may evict it again.
            try store.markSecondary([id])
            try store.seal(id, digest: object.digest)
            try store.release(id)
        }
        return object.byteCount
    }

    private func store<Result>(
        _ body: (BlockingPlasmaConnection) throws(PlasmaError) -> Result
    ) throws(Failure) -> Result {
        do throws(PlasmaError) {
            if let connection { return try body(connection) }
            let fresh = try BlockingPlasmaConnection.extended(path: storePath, timeout: patience)
            connection = fresh
            return try body(fresh)
        } catch {
            throw .store(error)
        }
    }

    private func file<Result: ~Copyable>(
        _ body: () throws(SpillError) -> Result
    ) throws(Failure) -> Result {
        do throws(SpillError) {
            return try body()
        } catch {
            throw .file(error)
        }
    }
}
