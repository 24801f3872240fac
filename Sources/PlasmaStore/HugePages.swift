internal import CSystem
internal import Glibc

/// The huge pages behind a directory, for a store whose objects lie on them.
public struct HugePages: Equatable, Sendable {
    /// Bytes of one page.
    public var pageByteCount: Int
    /// Pages that nobody has.
    public var freeCount: Int

    /// Pages that are `pageByteCount` bytes large.
    public init(pageByteCount: Int, freeCount: Int) {
        self.pageByteCount = pageByteCount
        self.freeCount = freeCount
    }

    /// What there is at `directory`, which must be on a mount of type hugetlbfs.
    ///
    /// - Source: `HUGETLBFS_MAGIC` in Linux' `include/uapi/linux/magic.h`.
    public static func find(at directory: String) throws(ArenaError) -> HugePages {
        let pageByteCount = Int(gcs_huge_page_bytes(directory))
        guard pageByteCount >= 0 else { throw .system("look at \(directory)", errno) }
        guard pageByteCount > 0 else {
            throw .unfit("-h needs -d on a mount of type hugetlbfs, found \(directory)")
        }
        let kibibytes = pageByteCount >> 10
        let pool = "/sys/kernel/mm/hugepages/hugepages-\(kibibytes)kB"
        let free = number(in: "\(pool)/free_hugepages") ?? 0
        let extra = number(in: "\(pool)/nr_overcommit_hugepages") ?? 0
        return HugePages(pageByteCount: pageByteCount, freeCount: free + extra)
    }

    /// Whether the pages are enough for a store; pages are taken when it starts.
    public func check(capacity: Int) throws(ArenaError) {
        let needed = (capacity + 128 + pageByteCount - 1) / pageByteCount
        guard freeCount >= needed else {
            throw .unfit(
                "-h with -m \(capacity) needs \(needed) huge pages of \(pageByteCount) bytes, "
                    + "\(freeCount) are free; see /proc/sys/vm/nr_hugepages")
        }
    }

    private static func number(in path: String) -> Int? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
        guard count > 0 else { return nil }
        let digits = bytes[..<count].prefix { $0 > UInt8(ascii: " ") }
        return Int(String(decoding: digits, as: UTF8.self))
    }
}
