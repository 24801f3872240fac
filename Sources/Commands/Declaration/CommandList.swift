extension Command {
    /// Every command the server has.
    ///
    /// A new one needs its declaration and its name here.
    public static let all: [Command] = [
        // The control store's own.
        Command(
            "GCS.BATCH", "Starts, ends and tells about batches.", group: .batches,
            subcommands: [
                batchStart, batchKeep, batchTransfer, batchEnd, batchDestroy, batchDepend,
                batchInfo,
                batchList,
            ]),
        Command(
            "GCS.TASK", "Records tasks.", group: .tasks,
            subcommands: [taskAdd, taskGet, taskState, taskCancel]),
        Command(
            "GCS.OBJECT", "Records objects and where their copies are.", group: .objects,
            subcommands: [
                objectAdd, objectRemove, objectSpilled, objectGet, objectFree, objectPin,
                objectUnpin,
            ]),
        Command(
            "GCS.ACTOR", "Knows the order of tasks on actors.", group: .tasks,
            subcommands: [actorCheckpoint]),
        Command(
            "GCS.REF", "Records which process holds which object, and why.", group: .references,
            subcommands: [referenceAdd, referenceRemove, referenceClear]),
        Command(
            "GCS.MEMORY", "Tells what the memory of the stores is used for.", group: .references,
            subcommands: [memoryStats, memoryReferences, memoryUnreferenced]),
        Command(
            "GCS.NODE", "Knows the nodes, and what they carried out.", group: .nodes,
            subcommands: [nodeRegister, nodeHeartbeat, nodeAck, nodeList, nodeInfo, nodeRemove]),
        // The key space.
        exists, type, del, unlink, scan, keys, randomkey, memory, object,
        expire, pexpire, expireat, pexpireat, ttl, pttl, persist,
        hgetall, hget, hmget, hkeys, hvals, hlen, hexists, hscan,
        scard, sismember, smembers, sscan, sadd, srem,
        xlen, xrange, xrevrange, xread, xinfo,
        // Channels.
        subscribe, psubscribe, unsubscribe, punsubscribe, publish, pubsub,
        // The connection and the server.
        ping, echo, hello, quit, reset, select, client,
        command, config, info, dbsize, flushall, flushdb, gcsFlush, load, time, shutdown,
        bgrewriteaof, bgsave, save, lastsave,
    ]
}
