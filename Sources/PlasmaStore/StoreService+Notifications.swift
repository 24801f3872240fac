internal import PlasmaProtocol

extension StoreService {
    func subscribe(_ session: Session) {
        session.isAwaitingDescriptor = false
        guard let socket = session.passed else {
            session.failure = "subscribe came without a descriptor"
            return
        }
        session.passed = nil
        endSubscription(session)
        // The client may have closed its side before its turn came.
        guard socket.isOpen else { return }
        session.subscription = Subscription(socket, sealedOrderMax: store.order)
        // What was recorded for others belongs to this subscriber's first report as well.
        tellSubscribers()
        subscribers.append(session)
        store.notifications.isRecording = true
        enqueue(session)
    }

    /// Closes a socket that a client gave, and ends the notifications that go there.
    ///
    /// When its Subscribe was not worked on yet, that one ends as soon as it begins.
    public func end(_ socket: PassedSocket, of session: Session) {
        if session.passed === socket { socket.giveUp() }
        if session.subscription?.socket === socket { endSubscription(session) }
    }

    func endSubscription(_ session: Session) {
        guard let subscription = session.subscription else { return }
        subscription.socket.giveUp()
        session.subscription = nil
        subscribers.removeAll { $0 === session }
        store.notifications.isRecording = !subscribers.isEmpty
    }

    /// A slice of the first report: every object that was sealed when the client subscribed.
    func report(_ session: Session) {
        guard let subscription = session.subscription, let first = subscription.nextSlot else {
            return
        }
        // The rest waits until the client has read; the caller resumes the session then.
        guard subscription.queue.count <= limits.backlogByteCountMax else { return }
        var rows: [ObjectInfo] = []
        let end = min(Int(first) + limits.sliceCountMax, store.table.slotCount + 1)
        for slot in Int(first)..<max(end, Int(first)) {
            let record = store.table[UInt32(slot)]
            if record.state.isSealed, record.sealedOrder <= subscription.sealedOrderMax {
                rows.append(record.info)
            }
        }
        if !rows.isEmpty { Notification.writeAdditions(rows, to: &subscription.queue) }
        subscription.nextSlot = end > store.table.slotCount ? nil : UInt32(end)
        if subscription.nextSlot != nil { enqueue(session) }
    }

    func tellSubscribers() {
        guard !store.notifications.isEmpty else { return }
        store.notifications.drain { bytes in
            for session in subscribers {
                guard let subscription = session.subscription, !subscription.isBroken else {
                    continue
                }
                subscription.queue.append(bytes)
                if subscription.queue.count > limits.notificationByteCountMax {
                    subscription.isBroken = true
                }
                noteChange(session)
            }
        }
    }
}
