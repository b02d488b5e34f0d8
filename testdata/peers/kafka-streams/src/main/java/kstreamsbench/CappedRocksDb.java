package kstreamsbench;

import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.WriteBufferManager;

/** Settings of K4: all stores of the process in 192 MiB, memtables, indexes and filters included. */
public final class CappedRocksDb implements RocksDBConfigSetter {
    private static final long BYTES = 192L << 20;
    private static final Cache CACHE = new LRUCache(BYTES);
    private static final WriteBufferManager MEMTABLES = new WriteBufferManager(BYTES / 2, CACHE);

    @Override
    public void setConfig(String store, Options options, Map<String, Object> configs) {
        BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
        table.setBlockCache(CACHE);
        table.setCacheIndexAndFilterBlocks(true);
        table.setCacheIndexAndFilterBlocksWithHighPriority(true);
        table.setPinTopLevelIndexAndFilter(true);
        table.setFilterPolicy(new BloomFilter(10, false));
        options.setTableFormatConfig(table);
        options.setWriteBufferManager(MEMTABLES);
        options.setMaxBackgroundJobs(2);
    }

    @Override
    public void close(String store, Options options) {
        // Cache and memtables are shared by every store and live as long as the process.
    }
}
