package kstreamsbench;

import static org.apache.kafka.streams.StreamsConfig.consumerPrefix;
import static org.apache.kafka.streams.StreamsConfig.producerPrefix;

import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;

/** What each configuration sets. */
final class Settings {
    private Settings() { }

    static Properties of(Flags flags) {
        String config = flags.get("config", "K1");
        boolean eos = flags.get("guarantee", "eos").equals("eos");
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, flags.get("app-id"));
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, flags.brokers());
        p.put(StreamsConfig.STATE_DIR_CONFIG, flags.get("state-dir", "state"));
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, eos ? StreamsConfig.EXACTLY_ONCE_V2 : StreamsConfig.AT_LEAST_ONCE);
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, flags.get("commit-ms", "100"));
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, flags.get("threads", "1"));
        p.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.BytesSerde.class);
        p.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        // The event times of the data are fixed and may lie far back: no changelog segment may expire during a run.
        p.put(StreamsConfig.WINDOW_STORE_CHANGE_LOG_ADDITIONAL_RETENTION_MS_CONFIG, Duration.ofDays(36_500).toMillis());

        if (!config.equals("K1")) {
            p.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
            p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
            p.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, TunedRocksDb.class);
            p.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10_000);
            p.put(producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 10);
            p.put(producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
            p.put(producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 128L << 20);
            p.put(producerPrefix(ProducerConfig.SEND_BUFFER_CONFIG), 1 << 20);
            p.put(consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 5_000);
            p.put(consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 << 20);
            p.put(consumerPrefix(ConsumerConfig.FETCH_MAX_BYTES_CONFIG), 64 << 20);
            p.put(consumerPrefix(ConsumerConfig.RECEIVE_BUFFER_CONFIG), 1 << 20);
        }
        if (config.equals("K4")) {
            p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L << 20);
            p.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, CappedRocksDb.class);
        }
        if (config.equals("K3")) {
            p.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG, BuiltInDslStoreSuppliers.InMemoryDslStoreSuppliers.class);
        }
        // Emit on window close looks for closed windows at most once in this time, 1 s by default: the flush record would
        // come too early after the last look, and no record comes after it.
        p.put(StreamsConfig.InternalConfig.EMIT_INTERVAL_MS_KSTREAMS_WINDOWED_AGGREGATION, Long.parseLong(flags.get("emit-interval-ms", "0")));
        // --set name=value,name=value overrides anything above, to try one setting at a time.
        for (String s : flags.get("set", "").split(",")) {
            if (!s.isEmpty()) {
                p.put(s.substring(0, s.indexOf('=')), s.substring(s.indexOf('=') + 1));
            }
        }
        return p;
    }
}
