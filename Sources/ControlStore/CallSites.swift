/// Places in programs where references were made: each text once, however many references name it.
struct CallSites {
    private struct Site {
        var bytes: UnsafeMutablePointer<UInt8>
        var byteCount: UInt32
        /// References that name it.
        var userCount: UInt32
    }

    /// Bytes of a text at most.
    static let byteCountMax = 1024

    private var index = HashIndex()
    private var sites = SlotPages<Site>()

    /// Texts held.
    var count: Int { sites.count }

    private static func text(_ site: Site) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: site.bytes, count: Int(site.byteCount))
    }

    /// The text of a number; empty for `none`.
    func text(_ number: UInt32) -> [UInt8] {
        number == none ? [] : Array(Self.text(sites[number].pointee))
    }

    /// The number of a text, for one more user; `none` for an empty text.
    mutating func use(_ text: UnsafeBufferPointer<UInt8>, _ memory: inout Memory) -> UInt32 {
        guard let start = text.baseAddress, !text.isEmpty else { return none }
        let seeds = memory.seeds
        let hash = seeds.hash(text)
        let sites = sites
        let place = index.find(hash) { Self.text(sites[$0].pointee).elementsEqual(text) }
        if let place {
            sites[place.pointee].pointee.userCount += 1
            return place.pointee
        }
        let bytes = memory.pool.take(text.count).bindMemory(to: UInt8.self, capacity: text.count)
        bytes.initialize(from: start, count: text.count)
        let number = self.sites.insert(
            Site(bytes: bytes, byteCount: UInt32(text.count), userCount: 1), &memory.pool)
        let all = self.sites
        index.insert(hash, number, &memory.pool) { seeds.hash(Self.text(all[$0].pointee)) }
        return number
    }

    /// Tells that a user of a number is gone; with the last one the text goes.
    mutating func release(_ number: UInt32, _ memory: inout Memory) {
        guard number != none else { return }
        let site = sites[number]
        site.pointee.userCount -= 1
        guard site.pointee.userCount == 0 else { return }
        _ = index.remove(memory.seeds.hash(Self.text(site.pointee))) { $0 == number }
        memory.pool.give(UnsafeMutableRawPointer(site.pointee.bytes))
        sites.remove(number, &memory.pool)
    }
}

extension HashSeeds {
    /// The hash of a text.
    func hash(_ text: UnsafeBufferPointer<UInt8>) -> UInt64 {
        var hash = UInt64(text.count)
        var word: UInt64 = 0
        for (position, byte) in text.enumerated() {
            word = word << 8 | UInt64(byte)
            if position & 7 == 7 {
                hash = self.hash(hash ^ word)
                word = 0
            }
        }
        return self.hash(hash ^ word)
    }
}
