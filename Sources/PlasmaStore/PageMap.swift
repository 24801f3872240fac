internal import Glibc

/// Which pages of a segment may hold memory: set when allocated, cleared when given back.
struct PageMap: ~Copyable {
    private let words: UnsafeMutablePointer<UInt64>
    private let pageCount: Int

    /// All pages clear.
    init(pageCount: Int) {
        self.pageCount = pageCount
        let wordCount = pageCount / 64 + 1
        guard let memory = calloc(wordCount, 8) else {
            preconditionFailure("no memory for a map of \(pageCount) pages")
        }
        words = memory.assumingMemoryBound(to: UInt64.self)
    }

    deinit { free(words) }

    /// Sets `pages`.
    func mark(_ pages: Range<Int>) { change(pages) { words[$0] |= $1 } }

    /// Clears `pages`.
    func clear(_ pages: Range<Int>) { change(pages) { words[$0] &= ~$1 } }

    /// The first run of set pages inside `pages`, at most `countMax` long.
    func firstRun(in pages: Range<Int>, countMax: Int) -> Range<Int>? {
        guard let start = next(true, in: pages) else { return nil }
        let limit = min(pages.upperBound, start + countMax)
        return start..<(next(false, in: start..<limit) ?? limit)
    }

    private func change(_ pages: Range<Int>, _ body: (_ word: Int, _ mask: UInt64) -> Void) {
        precondition(pages.lowerBound >= 0 && pages.upperBound <= pageCount, "pages \(pages)")
        var page = pages.lowerBound
        while page < pages.upperBound {
            let bit = page & 63
            let count = min(64 - bit, pages.upperBound - page)
            body(page >> 6, (~0 >> UInt64(64 - count)) << UInt64(bit))
            page += count
        }
    }

    private func next(_ value: Bool, in pages: Range<Int>) -> Int? {
        var page = pages.lowerBound
        while page < pages.upperBound {
            let word = value ? words[page >> 6] : ~words[page >> 6]
            let rest = word >> UInt64(page & 63)
            if rest != 0 {
                let found = page + rest.trailingZeroBitCount
                return found < pages.upperBound ? found : nil
            }
            page = (page | 63) + 1
        }
        return nil
    }
}
