internal import EventLoop
internal import Identifiers
internal import NodeManager
internal import Platform
internal import SpillFiles

/// The threads that read and write spilled objects: the loop never waits for a disk.
final class Spiller {
    /// Called on the loop with what a thread has done.
    var onEvent: (NodeManager.SpillEvent) -> Void = { _ in }
    /// Called on the loop with what went wrong beside that.
    var onComplaint: (String) -> Void = { _ in }

    private enum Message: Sendable {
        case event(NodeManager.SpillEvent)
        case complaint(String)
    }

    /// What the thread for names does.
    private enum Chore: Sendable {
        case look
        case remove(String)
    }

    private let inbox: Mailbox<Message> = makeMailbox()
    private let writers: [Mailbox<SpillWorker.Job>]
    private let restores: Mailbox<(RecordID, NodeManager.SpillPlace)> = makeMailbox()
    private let chores: Mailbox<Chore> = makeMailbox()
    private var watch: Watch?

    init(_ loop: Loop, _ session: SpillSession, _ plan: NodePlan) {
        let settings = plan.configuration.spilling ?? NodeManager.SpillConfiguration()
        writers = (0..<settings.workerCount).map { _ in Self.makeMailbox() }
        watch = Watch(loop, inbox.descriptor, .readable) { [weak self] in self?.read() }
        startWriters(session, storePath: plan.storePath)
        startRestoring(storePath: plan.storePath, patience: settings.grace * 11 + .seconds(10))
        startChores(session)
        chores.post(.look)
    }

    /// Ends the threads after what they are doing, without waiting for that: a restoration may wait for room
    /// for long, and nothing is lost when it is cut short.
    func stop() {
        watch = nil
        for writer in writers { writer.close() }
        restores.close()
        chores.close()
    }

    func perform(_ request: NodeManager.SpillRequest) {
        switch request {
        case .choose(let worker, let byteCount, let count):
            writers[worker].post(.choose(byteCount: byteCount, count: count))
        case .write(let worker, let times, let secondary):
            writers[worker].post(.write(times, secondary: secondary))
        case .drop(let worker, let ids): writers[worker].post(.drop(ids))
        case .restore(let id, let place): restores.post((id, place))
        case .remove(let path): chores.post(.remove(path))
        case .askNeeds: preconditionFailure("the store is asked on the loop")
        }
    }

    private func read() {
        for message in inbox.takeAll() {
            switch message {
            case .event(let event): onEvent(event)
            case .complaint(let text): onComplaint(text)
            }
        }
    }

    private static func makeMailbox<Value>() -> Mailbox<Value> {
        guard let mailbox = Mailbox<Value>() else {
            preconditionFailure("no descriptor left for a mailbox")
        }
        return mailbox
    }

    private static func startThread(_ body: @escaping @Sendable () -> Void) {
        let code = DetachedThread.start(body)
        precondition(code == 0, "no thread left for spilling")
    }

    private func startWriters(_ session: SpillSession, storePath: String) {
        for (number, jobs) in writers.enumerated() {
            Self.startThread { [inbox] in
                let worker = SpillWorker(number, storePath: storePath, session)
                while let batch = jobs.waitForAll() {
                    for job in batch { inbox.post(.event(worker.run(job))) }
                }
            }
        }
    }

    private func startRestoring(storePath: String, patience: Duration) {
        Self.startThread { [inbox, restores] in
            let worker = RestoreWorker(storePath: storePath, patience: patience)
            while let batch = restores.waitForAll() {
                for (id, place) in batch { inbox.post(.event(worker.restore(id, place))) }
            }
        }
    }

    private func startChores(_ session: SpillSession) {
        Self.startThread { [inbox, chores] in
            while let batch = chores.waitForAll() {
                for chore in batch { Self.carryOut(chore, session, inbox) }
            }
        }
    }

    private static func carryOut(
        _ chore: Chore, _ session: SpillSession, _ inbox: Mailbox<Message>
    ) {
        switch chore {
        case .look: inbox.post(.event(look(session, inbox)))
        case .remove(let path):
            do throws(SpillError) {
                try session.remove(path)
            } catch {
                inbox.post(.complaint("cannot remove spilled objects: \(error)"))
            }
        }
    }

    private static func look(
        _ session: SpillSession, _ inbox: Mailbox<Message>
    ) -> NodeManager.SpillEvent {
        let files = session.leftovers { inbox.post(.complaint("spilled by an earlier run: \($0)")) }
        var copies: [RecordID: [NodeManager.FoundCopy]] = [:]
        for file in files {
            for object in file.objects {
                let place = NodeManager.SpillPlace(
                    path: file.path, offset: object.offset,
                    recordByteCount: object.recordByteCount, byteCount: object.byteCount)
                copies[object.id, default: []].append(
                    NodeManager.FoundCopy(place: place, createdAt: object.createdAt))
            }
        }
        return .found(copies, paths: files.map(\.path))
    }
}
