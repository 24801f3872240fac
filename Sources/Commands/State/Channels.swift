internal import Settings

/// Channels and patterns with their subscribers.
///
/// Split over 256 dictionaries by hash: growing one of them never takes long.
struct Channels {
    private static let shardCount = 256
    private var shards = [[[UInt8]: [SessionPointer]]](repeating: [:], count: shardCount)
    private(set) var channelCount = 0
    private(set) var patterns: [[UInt8]: (glob: Glob, subscribers: [SessionPointer])] = [:]

    private static func shard(_ channel: [UInt8]) -> Int {
        Int(truncatingIfNeeded: UInt(bitPattern: channel.hashValue) % UInt(shardCount))
    }

    mutating func subscribe(_ session: SessionPointer, to channel: [UInt8]) {
        let shard = Self.shard(channel)
        if shards[shard][channel] == nil { channelCount += 1 }
        shards[shard][channel, default: []].append(session)
    }

    mutating func unsubscribe(_ session: SessionPointer, from channel: [UInt8]) {
        let shard = Self.shard(channel)
        Self.remove(session, from: &shards[shard][channel, default: []])
        guard shards[shard][channel]?.isEmpty == true else { return }
        shards[shard][channel] = nil
        channelCount -= 1
    }

    mutating func subscribe(_ session: SessionPointer, toPattern pattern: [UInt8]) {
        patterns[pattern, default: (Glob(pattern), [])].subscribers.append(session)
    }

    mutating func unsubscribe(_ session: SessionPointer, fromPattern pattern: [UInt8]) {
        guard patterns[pattern] != nil else { return }
        Self.remove(session, from: &patterns[pattern, default: (Glob(pattern), [])].subscribers)
        if patterns[pattern]?.subscribers.isEmpty == true { patterns[pattern] = nil }
    }

    private static func remove(_ session: SessionPointer, from list: inout [SessionPointer]) {
        guard let position = list.firstIndex(of: session) else { return }
        list.swapAt(position, list.count - 1)
        list.removeLast()
    }

    func subscribers(of channel: [UInt8]) -> [SessionPointer] {
        shards[Self.shard(channel)][channel] ?? []
    }

    /// Channels with a subscriber, those that match if a pattern is given.
    func names(matching glob: Glob?) -> [[UInt8]] {
        shards.flatMap { shard in shard.keys.filter { glob?.matches($0) ?? true } }
    }
}
