internal import CSystem
internal import EventLoop
internal import Glibc
internal import PlasmaProtocol

/// A socket that is always drained and never blocks, on the event loop.
final class ByteStream {
    /// Read per turn of the loop; the rest comes in the next one.
    private static let readByteCountPerTurn = 1 << 20
    private static let readByteCount = 64 << 10

    private let descriptor: Int32
    private var input = ByteBuffer()
    private var output = ByteBuffer()
    private var readable: Watch?
    private var writable: Watch?
    private let parse: (UnsafeRawBufferPointer) throws(StoreConnectionError) -> Int
    private let onEnd: (StoreConnectionError) -> Void

    /// Takes ownership of the socket.
    ///
    /// - Parameters:
    ///   - parse: is given what was read and returns how many bytes of it are dealt with.
    ///   - onEnd: called once; nothing is read or written afterwards.
    init(
        _ loop: Loop, adopting descriptor: consuming Descriptor,
        parse: @escaping (UnsafeRawBufferPointer) throws(StoreConnectionError) -> Int,
        onEnd: @escaping (StoreConnectionError) -> Void
    ) {
        self.descriptor = descriptor.release()
        self.parse = parse
        self.onEnd = onEnd
        readable = Watch(loop, self.descriptor, .readable) { [weak self] in self?.read() }
        writable = Watch(loop, self.descriptor, .writable, isActive: false) { [weak self] in
            self?.flush()
        }
    }

    deinit {
        readable = nil
        writable = nil
        close(descriptor)
    }

    /// Appends to what is to be written, and writes what the socket takes.
    func write(_ fill: (inout ByteBuffer) -> Void) {
        fill(&output)
        flush()
    }

    private func flush() {
        while !output.isEmpty {
            let bytes = output.bytes
            let count = send(
                descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            guard count >= 0 else {
                if errno == EINTR { continue }
                if errno == EAGAIN { break }
                return end(.system(call: "send", code: errno))
            }
            output.consume(count)
        }
        writable?.setActive(!output.isEmpty)
    }

    /// Reads until nothing is left.
    func drain() { read(upTo: .max) }

    private func read(upTo byteCountMax: Int = readByteCountPerTurn) {
        var total = 0
        while total < byteCountMax {
            let room = input.reserve(Self.readByteCount)
            let count = recv(descriptor, room, Self.readByteCount, 0)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { break }
            guard count > 0 else {
                digest()
                return end(count == 0 ? .closed : .system(call: "recv", code: errno))
            }
            input.commit(count)
            total += count
        }
        digest()
    }

    private func digest() {
        do {
            let count = try parse(input.bytes)
            input.consume(count)
        } catch {
            end(error)
        }
        if input.isEmpty { input.reset(keeping: Self.readByteCount) }
    }

    private func end(_ error: StoreConnectionError) {
        guard readable != nil else { return }
        readable = nil
        writable = nil
        onEnd(error)
    }
}
