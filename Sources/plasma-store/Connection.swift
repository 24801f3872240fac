internal import CSystem
internal import EventLoop
internal import Glibc
internal import PlasmaProtocol
internal import PlasmaStore

/// The socket of one client, and the one it gave for its notifications.
final class Connection {
    let session: Session
    /// When bytes were last taken by the client, in monotonic milliseconds.
    private(set) var lastSent: Int64
    private let socket: Int32
    /// Whether the client has ended it, and all it sent was read.
    private var isRead = false
    /// Outlives its connections.
    unowned(unsafe) let program: Program
    private var readWatch: Watch?
    private var writeWatch: Watch?
    private var deadlineTimer: Timer?
    /// The deadline that the timer is set to.
    private var timedDeadline: Int64?
    private var isOpen = true

    /// From here on bytes go straight into the session's buffer instead of over the scratch.
    private static let directByteCountMin = 32 << 10
    private static let directByteCountMax = 64 << 10
    /// Bytes received in one go before others get their turn.
    private static let receivedByteCountMax = 64 << 10
    /// Bytes sent in one go before others get their turn, also to a client that reads fast.
    static let sentByteCountMax = 64 << 10
    /// Bytes sent in one system call: the kernel goes on as long as the client reads along.
    static let sentByteCountOnce = 32 << 10
    /// The same for notifications: less than what the kernel may cut in two.
    static let notifiedByteCountOnce = 16 << 10

    init(_ socket: Int32, _ session: Session, _ program: Program) {
        self.socket = socket
        gcs_read_urgent(socket)
        self.session = session
        self.program = program
        lastSent = program.service.time.monotonicMilliseconds
        session.context = self
        readWatch = Watch(program.loop, socket, .readable) { [unowned(unsafe) self] in
            receive(self.program)
        }
    }

    deinit {
        if isRead {
            Glibc.close(socket)
        } else {
            // The client hears of it at once.
            shutdown(socket, Int32(SHUT_RDWR))
            ForeignDescriptors.close(socket)
        }
    }

    /// Stops watching; the sockets close with the last references.
    func close() {
        isOpen = false
        // Inside its own call a watch outlives this.
        readWatch?.setActive(false)
        writeWatch?.setActive(false)
        readWatch = nil
        writeWatch = nil
        deadlineTimer = nil
        timedDeadline = nil
        session.context = nil
    }

    /// Whether replies wait for the client to read.
    var isBlocked: Bool { writeWatch?.isActive ?? false }
}

// MARK: - Receiving

extension Connection {
    /// `program` is handed on here and below: taken from the property, each use would count it.
    private func receive(_ program: Program) {
        program.updateTime()
        var left = Self.receivedByteCountMax
        while left > 0, isOpen, program.service.wantsInput(session) {
            guard let count = receiveOnce(program) else { break }
            left -= count
        }
        guard isOpen else { return }
        program.logMessages()
        flush(program)
    }

    /// Reads once; says how many bytes, `nil` when nothing more is to be had now.
    private func receiveOnce(_ program: Program) -> Int? {
        let missing = program.service.missingByteCount(session)
        let isDirect = missing >= Self.directByteCountMin
        let capacity = isDirect ? min(missing, Self.directByteCountMax) : program.scratch.count
        let room =
            isDirect
            ? session.input.reserve(capacity, expecting: missing) : program.scratch.baseAddress
        var passedCount: Int32 = 0
        let count = gcs_receive_descriptors(
            socket, room, capacity, 0, program.passed, &passedCount)
        guard count > 0 else {
            if count < 0, errno == EAGAIN || errno == EINTR { return nil }
            isRead = count == 0
            program.drop(self, because: nil)
            return nil
        }
        var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
        if isDirect {
            session.input.commit(count)
        } else {
            bytes = UnsafeRawBufferPointer(start: room, count: count)
        }
        if passedCount > 0 {
            guard let first = takePassed(Int(passedCount)) else { return nil }
            program.service.receive(session, bytes, descriptor: first)
        } else {
            program.service.receive(session, bytes)
        }
        return count == capacity ? count : nil
    }

    /// The first of the descriptors that came; `nil` when the client is dropped for it.
    private func takePassed(_ count: Int) -> Int32? {
        for index in 1..<count { ForeignDescriptors.close(program.passed[index]) }
        let first = program.passed[0]
        guard let reason = reasonToRefuse(first, from: socket) else { return first }
        ForeignDescriptors.close(first)
        program.drop(self, because: "the descriptor that it sent was not taken: \(reason)")
        return nil
    }
}

// MARK: - Sending

extension Connection {
    /// Sends what the client is owed, as far as it takes it; ends a client that has to go.
    func flush(_ program: Program) {
        guard isOpen else { return }
        if session.isFinished {
            program.drop(self, because: session.failure)
            return
        }
        if !session.output.isEmpty || isBlocked {
            sendReplies(program)
            guard isOpen else { return }
        }
        if let passed = session.passed { watch(passed) }
        if session.subscription != nil { sendNotifications() }
        program.service.count(session)
        readWatch?.setActive(program.service.wantsInput(session))
        if session.deadline != timedDeadline { scheduleDeadline() }
    }

    private func sendReplies(_ program: Program) {
        var isSent = false
        let unsent = session.output.bytes.count
        while !session.output.isEmpty,
            unsent - session.output.bytes.count < Self.sentByteCountMax,
            !isSent || program.hasTimeToSend
        {
            guard let sent = sendOnce() else {
                program.drop(self, because: nil)
                return
            }
            guard sent else { break }
            isSent = true
        }
        if isSent { lastSent = program.service.time.monotonicMilliseconds }
        // Requests may have waited for the replies before them to be sent.
        if isSent, !session.input.isEmpty { program.service.resume(session) }
        setBlocked(!session.output.isEmpty)
    }

    /// Sends once; `false` when the client takes no more now, `nil` when it is gone.
    private func sendOnce() -> Bool? {
        let count = min(session.output.sendableCount, Self.sentByteCountOnce)
        if count > 0 {
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            let bytes = session.output.bytes.bytes
            let sent = send(socket, bytes.baseAddress, count, flags)
            if sent > 0 { session.output.consume(sent) }
            return sent > 0 ? true : isTransient(errno) ? false : nil
        }
        guard let descriptor = session.output.nextDescriptor else { return nil }
        let sent = gcs_send_descriptor(socket, descriptor)
        if sent > 0 { session.output.consumeDescriptor() }
        return sent > 0 ? true : isTransient(errno) ? false : nil
    }

    private func setBlocked(_ isBlocked: Bool) {
        guard isBlocked != self.isBlocked else { return }
        if writeWatch == nil {
            writeWatch = Watch(program.loop, socket, .writable, isActive: false) {
                [unowned self] in
                program.updateTime()
                flush(program)
            }
        }
        writeWatch?.setActive(isBlocked)
        if isBlocked { program.watchUnread() }
    }

    private func scheduleDeadline() {
        timedDeadline = session.deadline
        guard let deadline = session.deadline else {
            deadlineTimer?.cancel()
            return
        }
        if deadlineTimer == nil {
            deadlineTimer = Timer(program.loop) { [unowned self] in
                program.updateTime()
                timedDeadline = nil
                program.service.checkDeadline(session)
            }
        }
        let now = program.service.time.monotonicMilliseconds
        // A timer that fires a moment early would find the deadline not reached.
        deadlineTimer?.schedule(after: .milliseconds(max(0, deadline - now) + 1))
    }
}

func isTransient(_ number: Int32) -> Bool {
    number == EAGAIN || number == EINTR || number == ENOBUFS
}
