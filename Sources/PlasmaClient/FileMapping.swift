internal import EventLoop
internal import Glibc

/// A file of the store in this process's memory, until released.
final class FileMapping {
    let bytes: UnsafeMutableRawBufferPointer

    /// Maps `byteCount` bytes; `nil` with errno on failure.
    init?(_ descriptor: consuming Descriptor, byteCount: Int) {
        let protection = PROT_READ | PROT_WRITE
        let base = mmap(nil, byteCount, protection, MAP_SHARED, descriptor.number, 0)
        guard let base, base != MAP_FAILED else { return nil }
        bytes = UnsafeMutableRawBufferPointer(start: base, count: byteCount)
    }

    deinit { munmap(bytes.baseAddress, bytes.count) }

    /// The bytes at an offset; `nil` when the store named some outside the file.
    func slice(_ offset: UInt64, _ byteCount: UInt64) -> UnsafeMutableRawBufferPointer? {
        let size = UInt64(bytes.count)
        guard offset <= size, byteCount <= size - offset else { return nil }
        let start = Int(offset)
        return UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + Int(byteCount)])
    }
}
