package flinkbench;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.TransactionNamingStrategy;

/** What each configuration sets. */
final class Settings {
    private final Flags flags;
    private final Path appDir;
    private final boolean eos;

    Settings(Flags flags) {
        this.flags = flags;
        appDir = Topics.directory(flags);
        eos = flags.get("guarantee", "eos").equals("eos");
    }

    Configuration cluster() {
        Map<String, String> c = new HashMap<>();
        c.put("parallelism.default", flags.get("threads", "1"));
        c.put("pipeline.object-reuse", "true");
        c.put("pipeline.generic-types", "false"); // fail rather than fall back to Kryo
        c.put("pipeline.operator-chaining.enabled", "true");
        c.put("restart-strategy.type", "none");
        c.put("execution.checkpointing.interval", flags.get("commit-ms", "1000") + " ms");
        c.put("execution.checkpointing.mode", eos ? "EXACTLY_ONCE" : "AT_LEAST_ONCE");
        c.put("execution.checkpointing.unaligned.enabled", "false");
        c.put("execution.checkpointing.storage", "filesystem");
        c.put("execution.checkpointing.dir", appDir.resolve("checkpoints").toUri().toString());
        c.put("io.tmp.dirs", appDir.resolve("tmp").toString());
        c.put("taskmanager.memory.network.min", "128m");
        c.put("taskmanager.memory.network.max", "128m");
        switch (flags.get("config", "F1")) {
            case "F1" -> c.put("state.backend.type", "hashmap");
            case "F2" -> {
                c.put("state.backend.type", "rocksdb");
                c.put("execution.checkpointing.incremental", "true");
                c.put("taskmanager.memory.managed.size", "1g");
                c.put("state.backend.rocksdb.memory.managed", "true");
                c.put("state.backend.rocksdb.localdir", appDir.resolve("rocksdb").toString());
                c.put("state.backend.rocksdb.predefined-options", "FLASH_SSD_OPTIMIZED");
                c.put("state.backend.rocksdb.use-bloom-filter", "true");
                c.put("state.backend.rocksdb.thread.num", "2");
            }
            default -> throw new IllegalArgumentException("unknown configuration " + flags.get("config"));
        }
        set(flags.get("set", ""), c::put);
        return Configuration.fromMap(c);
    }

    Properties consumer() {
        Properties p = new Properties();
        p.put("bootstrap.servers", flags.brokers());
        p.put("group.id", flags.get("app-id"));
        p.put("client.id.prefix", flags.get("app-id"));
        p.put("isolation.level", eos ? "read_committed" : "read_uncommitted");
        p.put("max.poll.records", "5000");
        p.put("max.partition.fetch.bytes", Integer.toString(4 << 20));
        p.put("fetch.max.bytes", Integer.toString(64 << 20));
        p.put("receive.buffer.bytes", Integer.toString(1 << 20));
        set(flags.get("set-consumer", ""), p::put);
        return p;
    }

    Sink<Out> sink() {
        Properties p = new Properties();
        p.put("transaction.timeout.ms", "600000"); // the broker's default maximum is 15 min
        p.put("linger.ms", "10");
        p.put("batch.size", Integer.toString(256 << 10));
        p.put("buffer.memory", Long.toString(128L << 20));
        p.put("send.buffer.bytes", Integer.toString(1 << 20));
        set(flags.get("set-producer", ""), p::put);
        return KafkaSink.<Out>builder()
            .setBootstrapServers(flags.brokers())
            .setKafkaProducerConfig(p)
            .setRecordSerializer(KafkaRecordSerializationSchema.<Out>builder()
                .setTopic(flags.get("out")).setKeySerializationSchema(new KeyBytes()).setValueSerializationSchema(new ValueBytes()).build())
            .setDeliveryGuarantee(eos ? DeliveryGuarantee.EXACTLY_ONCE : DeliveryGuarantee.AT_LEAST_ONCE)
            .setTransactionalIdPrefix(flags.get("app-id"))
            .setTransactionNamingStrategy(TransactionNamingStrategy.valueOf(flags.get("txn-names", "pooling").toUpperCase(Locale.ROOT)))
            .build();
    }

    private static final class KeyBytes implements SerializationSchema<Out> {
        @Override
        public byte[] serialize(Out o) {
            return o.key;
        }
    }

    private static final class ValueBytes implements SerializationSchema<Out> {
        @Override
        public byte[] serialize(Out o) {
            return o.value;
        }
    }

    private interface Put {
        Object put(String name, String value);
    }

    /** name=value,name=value, to try one setting at a time. */
    private static void set(String settings, Put to) {
        for (String s : settings.split(",")) {
            if (!s.isEmpty()) {
                to.put(s.substring(0, s.indexOf('=')), s.substring(s.indexOf('=') + 1));
            }
        }
    }
}
