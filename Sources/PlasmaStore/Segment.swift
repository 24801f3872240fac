internal import CSystem
internal import Glibc

/// A file of memory that clients map: sparse, so that only what was written takes room.
struct Segment: ~Copyable {
    /// The descriptor, which is also the name under which clients keep their map.
    let descriptor: Int32
    /// Bytes that objects can use: whole pages.
    let byteCount: Int
    /// The store's own map; `nil` for a file on a disk, which is written with system calls: a full
    /// disk would kill a process that writes through a map.
    private let map: UnsafeMutableRawPointer?
    let pages: PageMap

    static let pageByteCount = 4096
    /// From here on a system call is cheaper than faulting pages in.
    private static let mapByteCountMax = 16 << 10

    /// What clients are told as the file's size; they map 8 bytes less.
    var fileByteCount: Int64 { Int64(byteCount + 8) }

    private let isHuge: Bool

    private init(adopting descriptor: Int32, byteCount: Int, isMapped: Bool, isHuge: Bool) {
        self.isHuge = isHuge
        self.descriptor = descriptor
        self.byteCount = byteCount
        pages = PageMap(pageCount: byteCount / Self.pageByteCount)
        guard isMapped else {
            map = nil
            return
        }
        // Clients share the descriptor: none of them may cut the file under the store's map.
        if !isHuge {
            _ = fcntl(descriptor, 1033 /* F_ADD_SEALS */, 0x0002 | 0x0004 /* SHRINK | GROW */)
        }
        let start = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        map = start == MAP_FAILED ? nil : start
    }

    /// A new file of memory, or in `directory` when there is one; it has no name there.
    ///
    /// - Parameter hugePageByteCount: a page of the file system that `directory` is on, when that
    ///   has huge ones: its files have whole pages, and are written through maps only.
    static func open(
        byteCount: Int, directory: String?, hugePageByteCount: Int? = nil
    ) throws(ArenaError) -> Segment {
        let unit = hugePageByteCount ?? pageByteCount
        let wholeByteCount = (byteCount + unit - 1) / unit * unit
        let descriptor = try open(directory)
        let fileByteCount = hugePageByteCount == nil ? wholeByteCount + 8 : wholeByteCount
        guard ftruncate(descriptor, fileByteCount) == 0 else {
            let reason = errno
            close(descriptor)
            throw .system("set the size of an object file to \(fileByteCount) bytes", reason)
        }
        let isHuge = hugePageByteCount != nil
        let segment = Segment(
            adopting: descriptor, byteCount: wholeByteCount, isMapped: directory == nil || isHuge,
            isHuge: isHuge)
        guard !isHuge || segment.map != nil else {
            throw .system("map \(wholeByteCount) bytes of huge pages in \(directory ?? "")", ENOMEM)
        }
        return segment
    }

    deinit {
        if let map { munmap(map, byteCount) }
        close(descriptor)
    }

    private static func open(_ directory: String?) throws(ArenaError) -> Int32 {
        guard let directory else {
            let file = gcs_memfd_create("plasma", 0x0002 /* MFD_ALLOW_SEALING */)
            guard file >= 0 else { throw .system("create a file of memory", errno) }
            return file
        }
        var path = Array("\(directory)/plasmaXXXXXX".utf8CString)
        let file = mkstemp(&path)
        guard file >= 0 else { throw .system("create a file in \(directory)", errno) }
        unlink(path)
        _ = fcntl(file, F_SETFD, FD_CLOEXEC)
        return file
    }

    /// Copies `source` to `offset`; `false` when the file system has no room.
    func write(_ source: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        precondition(offset >= 0 && offset + source.count <= byteCount, "outside the segment")
        guard let bytes = source.baseAddress, source.count > 0 else { return true }
        if let map, isHuge || source.count < Self.mapByteCountMax {
            (map + offset).copyMemory(from: bytes, byteCount: source.count)
            return true
        }
        var done = 0
        while done < source.count {
            let written = pwrite(descriptor, bytes + done, source.count - done, offset + done)
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { return false }
            done += written
        }
        return true
    }

    /// Where the store itself sees `offset`; `nil` without a map.
    func address(_ offset: Int) -> UnsafeMutableRawPointer? { map.map { $0 + offset } }

    /// Has the file system set blocks aside; says why it cannot.
    ///
    /// Where it knows no such request,
    /// nothing is set aside.
    func reserve(_ offset: Int, _ byteCount: Int) -> ArenaError? {
        while gcs_reserve(descriptor, Int64(offset), Int64(byteCount)) != 0 {
            if errno == EINTR { continue }
            guard errno != EOPNOTSUPP else { return nil }
            return .system("set aside \(byteCount) bytes of the fallback file", errno)
        }
        return nil
    }

    /// Gives the memory of `pages` back to the system; they read as zeros afterwards.
    ///
    /// Huge pages stay: the system holds them for this store only.
    func punch(_ pages: Range<Int>) {
        guard !isHuge else { return self.pages.clear(pages) }
        let start = Int64(pages.lowerBound * Self.pageByteCount)
        _ = gcs_punch_hole(descriptor, start, Int64(pages.count * Self.pageByteCount))
        self.pages.clear(pages)
    }
}

/// Why the store has no memory to offer.
public enum ArenaError: Error, Equatable, Sendable {
    /// What was tried, and the system's number for why it failed.
    case system(String, Int32)
    /// What was asked for does not fit this machine, in words.
    case unfit(String)
}

extension ArenaError: CustomStringConvertible {
    /// What failed, in words.
    public var description: String {
        switch self {
        case .system(let action, let number):
            "cannot \(action): \(String(cString: strerror(number)))"
        case .unfit(let reason): reason
        }
    }
}
