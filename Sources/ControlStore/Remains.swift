/// Tables of a store that was emptied: nobody finds them any more, and their memory is freed in slices.
///
/// So emptying takes as long for a million batches as for one.
final class Remains {
    private var batches: BatchTable
    private var estate: Region
    private var prefixes: HashIndex
    private var actors: ActorTable
    private var log: DeletionLog
    /// Batches that had ended before, first to last.
    private var graveyard: BatchPointer?

    private var slot: UInt32 = 0
    /// How far the index of the batch at hand is freed, then those of the tables.
    private var position: UInt64
    private var estatePosition: UInt64 = 0
    private var prefixPosition: UInt64 = 0
    private var indexPosition: UInt64 = 0

    init(
        batches: consuming BatchTable, estate: Region, prefixes: HashIndex, actors: ActorTable,
        log: consuming DeletionLog, graveyard: BatchPointer?, graveyardPosition: UInt64
    ) {
        self.batches = batches
        self.estate = estate
        self.prefixes = prefixes
        self.actors = actors
        self.log = log
        self.graveyard = graveyard
        position = graveyardPosition
    }

    /// Frees some of it while `budget` lasts; whether nothing is left.
    func drop(budget: inout Int, _ memory: inout Memory) -> Bool {
        while let batch = graveyard {
            guard drop(batch, &budget, &memory) else { return false }
            graveyard = batch.pointee.nextInGraveyard
            Self.free(batch, &memory)
        }
        while slot < batches.slotCount {
            if let batch = batches.batch(atSlot: slot) {
                guard drop(batch, &budget, &memory) else { return false }
                Self.free(batch, &memory)
            }
            slot += 1
        }
        while budget > 0, actors.dropShard() { budget -= 32 }
        while budget > 0, log.dropPage() { budget -= 8 }
        guard budget > 0, estate.drop(&estatePosition, budget: &budget, &memory),
            prefixes.drop(&prefixPosition, budget: &budget, &memory.pool)
        else { return false }
        return batches.dropIndex(&indexPosition, budget: &budget, &memory)
    }

    private func drop(
        _ batch: BatchPointer, _ budget: inout Int, _ memory: inout Memory
    ) -> Bool {
        guard budget > 0, batch.pointee.region.drop(&position, budget: &budget, &memory) else {
            return false
        }
        position = 0
        // What it takes besides: its links, its name and itself.
        budget -= 2
        return true
    }

    private static func free(_ batch: BatchPointer, _ memory: inout Memory) {
        if let links = batch.pointee.links {
            links.deinitialize(count: 1)
            links.deallocate()
        }
        if let name = batch.pointee.name { memory.pool.give(name) }
        memory.pool.give(UnsafeMutableRawPointer(batch))
    }
}
