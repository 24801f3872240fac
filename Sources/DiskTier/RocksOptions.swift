internal import CRocksDB

/// RocksDB's options, made once.
final class RocksOptions: @unchecked Sendable {
    let database: OpaquePointer?
    let syncedWrite: OpaquePointer?
    let read: OpaquePointer?
    let scan: OpaquePointer?
    let list: OpaquePointer?
    let flush: OpaquePointer?
    private let table: OpaquePointer?
    private let cache: OpaquePointer?

    init() {
        database = rocksdb_options_create()
        syncedWrite = rocksdb_writeoptions_create()
        rocksdb_writeoptions_set_sync(syncedWrite, 1)
        read = rocksdb_readoptions_create()
        scan = rocksdb_readoptions_create()
        rocksdb_readoptions_set_prefix_same_as_start(scan, 1)
        rocksdb_readoptions_set_fill_cache(scan, 0)
        list = rocksdb_readoptions_create()
        rocksdb_readoptions_set_total_order_seek(list, 1)
        rocksdb_readoptions_set_fill_cache(list, 0)
        flush = rocksdb_flushoptions_create()
        rocksdb_flushoptions_set_wait(flush, 1)
        table = rocksdb_block_based_options_create()
        cache = rocksdb_cache_create_lru(Self.cacheByteCount)
        setTable()
        setDatabase()
    }

    private static let cacheByteCount = 64 << 20

    private func setTable() {
        let bloom = rocksdb_filterpolicy_create_bloom_full(10)
        rocksdb_block_based_options_set_filter_policy(table, bloom)
        rocksdb_block_based_options_set_whole_key_filtering(table, 1)
        rocksdb_block_based_options_set_block_size(table, 8 << 10)
        rocksdb_block_based_options_set_format_version(table, 5)
        rocksdb_block_based_options_set_block_cache(table, cache)
        rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1)
        rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1)
        rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1)
        rocksdb_options_set_block_based_table_factory(database, table)
    }

    private func setDatabase() {
        rocksdb_options_set_create_if_missing(database, 1)
        rocksdb_options_set_max_background_jobs(database, 2)
        rocksdb_options_set_max_open_files(database, 256)
        rocksdb_options_set_bytes_per_sync(database, 1 << 20)
        rocksdb_options_set_wal_bytes_per_sync(database, 1 << 20)
        rocksdb_options_set_max_total_wal_size(database, 32 << 20)
        rocksdb_options_set_keep_log_file_num(database, 3)
        // Behind the last level: nothing at all. Debian's build has its assertions, and one of them ends the
        // process when another line follows one that could not be written to this file.
        rocksdb_options_set_info_log_level(database, 6)
        rocksdb_options_set_stats_dump_period_sec(database, 0)
        rocksdb_options_set_avoid_unnecessary_blocking_io(database, 1)
        rocksdb_options_set_recycle_log_file_num(database, 0)
        // Only a torn end is cut off: a log that counts on the rest must not find less.
        rocksdb_options_set_wal_recovery_mode(database, 0)
        rocksdb_options_set_write_buffer_size(database, 32 << 20)
        rocksdb_options_set_max_write_buffer_number(database, 3)
        rocksdb_options_set_target_file_size_base(database, 32 << 20)
        // The more new tables are merged at once, the less of the next level is written again for each.
        rocksdb_options_set_level0_file_num_compaction_trigger(database, 12)
        rocksdb_options_set_level0_slowdown_writes_trigger(database, 36)
        rocksdb_options_set_level0_stop_writes_trigger(database, 48)
        rocksdb_options_set_max_bytes_for_level_base(database, 384 << 20)
        rocksdb_options_set_level_compaction_dynamic_level_bytes(database, 1)
        rocksdb_options_set_compression(database, Int32(rocksdb_no_compression))
        rocksdb_options_set_bottommost_compression(database, Int32(rocksdb_lz4_compression))
        rocksdb_options_set_prefix_extractor(
            database, rocksdb_slicetransform_create_fixed_prefix(8))
    }

    deinit {
        rocksdb_options_destroy(database)
        rocksdb_writeoptions_destroy(syncedWrite)
        rocksdb_readoptions_destroy(read)
        rocksdb_readoptions_destroy(scan)
        rocksdb_readoptions_destroy(list)
        rocksdb_flushoptions_destroy(flush)
        rocksdb_block_based_options_destroy(table)
        rocksdb_cache_destroy(cache)
    }
}
