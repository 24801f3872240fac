internal import CSystem
internal import Glibc

/// Closes descriptors that clients passed, or through which they may have passed some.
///
/// The last close of a network socket takes as long as whoever made it chose (`SO_LINGER`), and so
/// does that of a local socket in whose queue it waits. No client may have the store wait for that:
/// a thread closes them, and tells those that it finds in queues not to linger.
public enum ForeignDescriptors {
    private static let closer = Closer()

    /// Closes a descriptor soon; a local socket is shut down, and what is in its queue closed too.
    public static func close(_ descriptor: Int32) {
        if let closer { closer.add(descriptor) } else { Glibc.close(descriptor) }
    }
}

/// The thread, and the descriptors that wait for it.
private final class Closer: @unchecked Sendable {
    // Guarded by `mutex`.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var waiting: [Int32] = []

    // For the thread alone.
    private let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)
    private let passed = UnsafeMutablePointer<Int32>.allocate(
        capacity: Int(GCS_DESCRIPTOR_COUNT_MAX))

    /// More messages are not looked through; an empty packet and the end of packets look the same.
    private static let messageCountMax = 4096

    /// Starts the thread; `nil` when there is none left.
    init?() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        guard pthread_create(&thread, nil, closerStarted, context.toOpaque()) == 0 else {
            context.release()
            return nil
        }
        pthread_detach(thread)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(condition)
        mutex.deallocate()
        condition.deallocate()
        bytes.deallocate()
        passed.deallocate()
    }

    func add(_ descriptor: Int32) {
        pthread_mutex_lock(mutex)
        waiting.append(descriptor)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    fileprivate func run() -> Never {
        // Signals are for the loop.
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
        while true { end(next()) }
    }

    private func next() -> [Int32] {
        pthread_mutex_lock(mutex)
        while waiting.isEmpty { pthread_cond_wait(condition, mutex) }
        let descriptors = waiting
        waiting = []
        pthread_mutex_unlock(mutex)
        return descriptors
    }

    private func end(_ descriptors: [Int32]) {
        var open = descriptors
        while let descriptor = open.popLast() {
            var none = linger(l_onoff: 0, l_linger: 0)
            let byteCount = socklen_t(MemoryLayout<linger>.size)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &none, byteCount)
            if socketOption(SO_DOMAIN, of: descriptor) == AF_UNIX {
                takeQueued(descriptor, into: &open)
            }
            close(descriptor)
        }
    }

    /// Takes the descriptors that are in a socket's queue out of it.
    private func takeQueued(_ socket: Int32, into open: inout [Int32]) {
        // Nothing more gets in then, and accepting does not wait.
        shutdown(socket, Int32(SHUT_RDWR))
        gcs_read_urgent(socket)
        let isStream = socketOption(SO_TYPE, of: socket) == Int32(SOCK_STREAM.rawValue)
        let isListening = socketOption(SO_ACCEPTCONN, of: socket) == 1
        for _ in 0..<Self.messageCountMax {
            if isListening {
                let caller = gcs_accept(socket)
                guard caller >= 0 else { return }
                open.append(caller)
                continue
            }
            var count: Int32 = 0
            let received = gcs_receive_descriptors(
                socket, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT), passed, &count)
            open += UnsafeBufferPointer(start: passed, count: Int(count))
            if received < 0 || (received == 0 && isStream) { return }
        }
    }
}

private func closerStarted(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { preconditionFailure("a thread without its work") }
    Unmanaged<Closer>.fromOpaque(context).takeRetainedValue().run()
}

/// A number that the system has for a socket; `nil` when it is none.
public func socketOption(_ name: Int32, of descriptor: Int32) -> Int32? {
    var value: Int32 = 0
    var byteCount = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, name, &value, &byteCount) == 0 else { return nil }
    return value
}
