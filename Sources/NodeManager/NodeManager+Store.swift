internal import Identifiers

/// How far the mirror follows the store.
struct StoreSide {
    enum Phase: Equatable {
        case lost
        /// The store replays what it holds.
        case syncing
        /// The mirror holds all that the store held at the last notification.
        case synced
    }

    var phase = Phase.lost
    /// Whether the list has come.
    var isListed = false
    /// Objects of the list that no notification has told of yet, and when they were created.
    var awaited: [RecordID: Int64] = [:]
    /// Objects that went before the list came.
    var goneBeforeList: Set<RecordID> = []
    /// When the replay last went on.
    var progressAt: Int64 = 0
    /// Whether all notifications up to now were asked for because the replay went no further.
    var isDrainWanted = false
}

extension NodeManager {
    mutating func storeConnected() {
        store = StoreSide(phase: .syncing, progressAt: now)
        // The subscription replays all sealed objects without saying where the replay ends; the
        // list says what has to come, and when each object was created.
        outputs.append(.list)
    }

    mutating func storeLost() {
        guard store.phase != .lost else { return }
        say(.warning, "store lost, with \(mirror.count) objects")
        rememberDoomed()
        store = StoreSide()
        spillingLostStore()
        mirror.removeAll()
        pins.releaseAll()
        (usage, isUsageAsked) = ([], false)
        deletions = DeletionQueue()
        reports = Reports()
        log.page = nil
        // What was not confirmed is read again, on whatever store comes back.
        log.read = log.done
        // Registering anew makes the server forget the locations reported before.
        if server.phase != .lost { greet() }
    }

    mutating func storeChanged(_ rows: [StoreChange]) {
        for row in rows {
            switch row {
            case .sealed(let id, let byteCount): sealed(id, byteCount)
            case .gone(let id): gone(id)
            }
        }
        checkSynced()
    }

    mutating func storeListed(_ objects: [ListedObject]) {
        guard store.phase == .syncing else { return }
        store.progressAt = now
        store.isListed = true
        for object in objects {
            let createdAt = object.createdSeconds * 1000
            if mirror[object.id] != nil {
                mirror.update(object.id) {
                    $0.createdAt = createdAt
                    $0.isCreationListed = true
                }
            } else if !store.goneBeforeList.contains(object.id) {
                store.awaited[object.id] = createdAt
            }
        }
        store.goneBeforeList = []
        checkSynced()
    }

    /// The store answered for the chunk under way.
    mutating func storeDeleted(_ outcomes: [DeletionOutcome]) {
        let (ids, passed) = deletions.answered()
        for (id, outcome) in zip(ids, outcomes) where outcome == .later {
            // It stays in the mirror, dying, until its notification comes.
            if mirror[id]?.isDying == true { doomed[id] = now }
        }
        if let passed { pass(passed) }
    }

    mutating func pumpDeletions() {
        guard store.phase == .synced, deletions.inFlight.isEmpty else { return }
        let (ids, passed) = deletions.next(upTo: configuration.deletionChunkCount) {
            mirror[$0]?.isDying == true
        }
        if let passed { pass(passed) }
        if !ids.isEmpty { outputs.append(.delete(ids)) }
    }

    /// Puts an object that is in the mirror on its way out of the store.
    mutating func delete(_ id: RecordID, isSingled: Bool = false) {
        guard let object = mirror[id], !object.isDying else { return }
        mirror.update(id) {
            $0.isDying = true
            $0.isSingled = isSingled
        }
        deletions.append(id)
    }

    /// The replay may leave out what the list has: objects that were spilled to an external store.
    mutating func giveUpReplayAfterSilence() {
        guard store.phase == .syncing, store.isListed,
            now - store.progressAt >= configuration.replayPatience.milliseconds
        else { return }
        store.progressAt = now
        guard !store.isDrainWanted else { return }
        store.isDrainWanted = true
        outputs.append(.drain)
    }

    /// All notifications are in: what is still awaited is not going to come.
    mutating func storeDrained() {
        if store.isDrainWanted, store.phase == .syncing {
            say(
                .warning, "\(store.awaited.count) objects of the store's list are not in its replay"
            )
            store.awaited = [:]
            checkSynced()
        }
        store.isDrainWanted = false
        actOnWaitingPage()
    }

    private mutating func sealed(_ id: RecordID, _ byteCount: Int64) {
        var object = Mirror.Object(byteCount: byteCount, createdAt: now)
        if let createdAt = store.awaited.removeValue(forKey: id) {
            object.createdAt = createdAt
            object.isCreationListed = true
            store.progressAt = now
        }
        mirror.insert(id, object)
        deleteDoomedRestore(id)
        if server.phase == .steady, store.phase == .synced { report(id) }
    }

    private mutating func gone(_ id: RecordID) {
        store.awaited[id] = nil
        if store.phase == .syncing, !store.isListed { store.goneBeforeList.insert(id) }
        doomed[id] = nil
        guard let object = mirror.remove(id) else { return }
        // The record of an object whose batch ended went before; there is nothing to take back.
        if object.isReported, !object.isDying || object.isSingled { reports.append(.remove(id)) }
    }

    private mutating func checkSynced() {
        guard store.phase == .syncing, store.isListed, store.awaited.isEmpty else { return }
        store.phase = .synced
        say(.notice, "store mirrored: \(mirror.count) objects, \(mirror.byteCount) bytes")
        deleteDoomed()
        startWhenBothAreThere()
    }

    private mutating func rememberDoomed() {
        doomed = doomed.filter { mirror[$0.key]?.isDying == true }
    }

    /// Deletes again what the store had promised to delete, when it is certainly the same object.
    ///
    /// The list's times are whole seconds: an object of the same second may have been put again;
    /// the store remembers its promise anyway.
    private mutating func deleteDoomed() {
        let promised = doomed
        doomed = [:]
        for (id, promisedAt) in promised {
            guard let object = mirror[id], object.createdAt + 1000 <= promisedAt else { continue }
            delete(id, isSingled: true)
        }
    }
}
