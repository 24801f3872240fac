import Identifiers
import Testing

@testable import ControlStore

extension ControlStore {
    /// All that the store knows and a journal tells, a line for each thing, sorted; for comparing stores.
    mutating func digest() -> [String] {
        var lines = batchLines() + recordLines() + needLines() + actorLines() + nodeLines()
        for position in 0..<log.count {
            lines.append("entry \(log[position].id) \(text(log[position].fields))")
        }
        lines.append("log \(log.lastID) \(log.lastTrimmedID)")
        lines.append("counts \(taskCount) \(objectCount) \(actorCount)")
        _ = tombstones.visit(from: 0, budget: .max / 2) { batch, time in
            if tombstones.contains(batch, memory.seeds) { lines.append("ended \(batch) \(time)") }
        }
        _ = scanReferences(from: 0, budget: 1 << 30) { info in
            guard info.type.isClaim else { return }
            lines.append(
                "ref \(text(info.node)) \(info.process) \(info.type) \(info.object) \(info.size ?? 0) "
                    + "\(text(info.site)) \(info.isDriver)")
        }
        return Array(Set(lines)).sorted()
    }

    private func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: " ")
    }

    private func id(_ slot: UInt32) -> String {
        batches.batch(atSlot: slot).map { "\($0.pointee.id)" } ?? "-"
    }

    private func batchLines() -> [String] {
        var lines: [String] = []
        for slot in 0..<batches.slotCount {
            guard let batch = batches.batch(atSlot: slot)?.pointee, batch.id != .root else {
                continue
            }
            let needs = (batch.links?.pointee.dependsOn ?? [:])
                .map { "\(id($0.key)):\($0.value.rawValue)" }.sorted()
            let dependents = (batch.links?.pointee.dependents ?? []).map { id($0) }.sorted()
            let actors = (batch.links?.pointee.actors ?? []).map { "\($0)" }.sorted()
            let reason = batch.status == .deferred ? "\(batch.reason)" : ""
            lines.append(
                "batch \(batch.id) \(id(batch.parent)) \(batch.status) \(reason) "
                    + "\(batch.isNoCleanup) \(batch.goesWithParent) \(batch.namesOwn) "
                    + "\(batch.createdAt) \(batch.endedAt) \(batch.deadline) \(text(batch.nameBytes)) "
                    + "\(batch.taskCount) \(batch.objectCount) \(batch.actorRecordCount) "
                    + "\(batch.adopted.count) \(batch.adoptedTaskCount) \(batch.kept.count) "
                    + "needs \(needs) needed \(dependents) actors \(actors)")
        }
        return lines
    }

    private mutating func recordLines() -> [String] {
        var keys: [RecordKey] = []
        var cursor: UInt64 = 0
        repeat {
            cursor = scan(from: cursor, budget: 1000) { key in
                if case .record(let id, let kind) = key { keys.append(RecordKey(id, kind)) }
            }
        } while cursor != 0
        return keys.compactMap { key in
            let site = locate(key)
            guard let owner = site.batch, let payload = payload(site) else { return nil }
            return "record \(key.id) \(key.kind) of \(owner.pointee.id) \(site.isStray) "
                + "\(Array(payload))"
        }
    }

    /// What the tasks need of objects that are there, as it is counted.
    ///
    /// Nothing when ids come again soon: a store that was there forgot who needed the first of that id.
    private mutating func needLines() -> [String] {
        guard tombstoneMilliseconds >= 3_600_000 else { return [] }
        var named: Set<RecordID> = []
        var cursor: UInt64 = 0
        repeat {
            var tasks: [RecordID] = []
            cursor = scan(from: cursor, budget: 1000) { key in
                if case .record(let id, .task) = key { tasks.append(id) }
            }
            for id in tasks {
                guard let (_, task) = task(id) else { continue }
                for position in 0..<task.argumentCount { named.insert(task.argument(position)) }
            }
        } while cursor != 0
        return named.filter { exists($0, .object) }.map { object in
            let counts = needCounts(of: object).map { "\($0.batch):\($0.count)" }.sorted()
            return "need of \(object): \(counts)"
        }
    }

    private func actorLines() -> [String] {
        (0..<ActorTable.shardCount).flatMap { actors.actors(ofShard: $0) }.map { actor in
            // Runs of one batch in a row mean the same as one.
            var runs: [ActorChain.Run] = []
            for run in actors.chain(actor)?.runs ?? [] {
                if runs.last?.slot == run.slot { runs.removeLast() }
                runs.append(run)
            }
            return "actor \(actor) \(runs.map { "\(id($0.slot)):\($0.last)" })"
        }
    }

    private func nodeLines() -> [String] {
        nodes.nodes.enumerated().compactMap { position, node in
            node.map {
                "node \(text($0.name)) \(position) \($0.number) "
                    + "\(text($0.address)) \(text($0.store)) \($0.registeredAt) \($0.acknowledged)"
            }
        }
    }
}
