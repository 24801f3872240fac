internal import CSystem
internal import Glibc
internal import Platform

/// Closes descriptors that clients passed, or through which they may have passed some.
///
/// The last close of a network socket takes as long as whoever made it chose (`SO_LINGER`), and so
/// does that of a local socket in whose queue it waits. No client may have the store wait for that:
/// a thread closes them, and tells those that it finds in queues not to linger.
public enum ForeignDescriptors {
    /// Those that wait for the thread; `nil` when there is none.
    private static let waiting = startThread()

    /// Starts the thread, for which nothing may be left once clients are there.
    public static func prepare() { _ = waiting }

    /// Closes a descriptor soon; a local socket is shut down, and what is in its queue closed too.
    public static func close(_ descriptor: Int32) {
        if let waiting { waiting.post(descriptor) } else { Glibc.close(descriptor) }
    }

    private static func startThread() -> Mailbox<Int32>? {
        guard let waiting = Mailbox<Int32>() else { return nil }
        let code = DetachedThread.start {
            let closer = Closer()
            while let descriptors = waiting.waitForAll() { closer.end(descriptors) }
        }
        return code == 0 ? waiting : nil
    }
}

/// The thread's work.
private final class Closer {
    private let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)
    private let passed = UnsafeMutablePointer<Int32>.allocate(
        capacity: Int(GCS_DESCRIPTOR_COUNT_MAX))

    /// More messages are not looked through; an empty packet and the end of packets look the same.
    private static let messageCountMax = 4096

    deinit {
        bytes.deallocate()
        passed.deallocate()
    }

    func end(_ descriptors: [Int32]) {
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

/// A number that the system has for a socket; `nil` when it is none.
public func socketOption(_ name: Int32, of descriptor: Int32) -> Int32? {
    var value: Int32 = 0
    var byteCount = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, name, &value, &byteCount) == 0 else { return nil }
    return value
}
