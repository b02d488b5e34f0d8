package kstreamsbench;

import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.WindowStore;

/** The workloads of the contract in the DSL. */
final class Workloads {
    private static final Duration WINDOW = Duration.ofSeconds(10);
    private static final Duration ADVANCE = Duration.ofSeconds(1);
    private static final Duration GAP = Duration.ofSeconds(1);
    private static final Duration SESSION_RETENTION = Duration.ofMinutes(1);
    private static final Duration FINAL_RETENTION = Duration.ofSeconds(5);
    private static final Duration JOIN_SPAN = Duration.ofSeconds(5);

    private final String workload;
    private final List<String> inputs;
    private final String output;
    private final Duration grace;
    private final Duration flush;

    Workloads(Flags flags) {
        workload = flags.get("workload");
        inputs = List.of(flags.get("in").split(","));
        output = flags.get("out");
        grace = flags.millis("grace-ms", "0");
        flush = flags.millis("flush-ms", "60000");
    }

    Topology build(Properties config) {
        StreamsBuilder builder = new StreamsBuilder(new TopologyConfig(new StreamsConfig(config)));
        Serde<Bytes> key = Serdes.Bytes();
        Serde<Long> amount = new AmountSerde();
        Serde<Long> count = Serdes.Long();
        Serde<Windowed<Bytes>> windowKey = new WindowedSerdes.TimeWindowedSerde<>(key, WINDOW.toMillis());
        Serde<Windowed<Bytes>> sessionKey = new WindowedSerdes.SessionWindowedSerde<>(key);
        String in = inputs.get(0);

        if (workload.equals("map")) {
            builder.stream(in, Consumed.with(key, Serdes.ByteArray()))
                .filter((k, v) -> AmountSerde.amount(v) % 10 != 0)
                .mapValues(v -> {
                    byte[] w = v.clone();
                    AmountSerde.LONG.set(w, 0, AmountSerde.amount(v) * 908 / 1000);
                    return w;
                })
                .to(output, Produced.with(key, Serdes.ByteArray()));
            return builder.build(config);
        }

        KStream<Bytes, Long> stream = builder.stream(in, Consumed.with(key, amount));
        switch (workload) {
            case "tumble" -> windowed(stream, TimeWindows.ofSizeAndGrace(WINDOW, grace), false)
                .to(output, Produced.with(windowKey, count));
            case "tumblefinal" -> windowed(stream, TimeWindows.ofSizeAndGrace(WINDOW, grace), true)
                .to(output, Produced.with(windowKey, count));
            case "hop" -> windowed(stream, TimeWindows.ofSizeAndGrace(WINDOW, grace).advanceBy(ADVANCE), false)
                .to(output, Produced.with(windowKey, count));
            case "hopfinal" -> windowed(stream, TimeWindows.ofSizeAndGrace(WINDOW, grace).advanceBy(ADVANCE), true)
                .to(output, Produced.with(windowKey, count));
            // With the default retention (gap + grace) fast drains left stale rows in the sink: tombstones of replaced
            // sessions were missing, presumably because the old session counts as expired when the cache is flushed.
            case "session" -> sessions(stream, EmitStrategy.onWindowUpdate(), SESSION_RETENTION)
                .to(output, Produced.with(sessionKey, count));
            case "sessionfinal" -> sessions(stream, EmitStrategy.onWindowClose(), flush.plus(FINAL_RETENTION))
                .to(output, Produced.with(sessionKey, count));
            case "dedupkeys" -> grouped(stream)
                .count(Materialized.with(key, count))
                .toStream()
                .to(output, Produced.with(key, count));
            case "ssjoin" -> stream
                .join(builder.stream(inputs.get(1), Consumed.with(key, amount)), Workloads::pair,
                    JoinWindows.ofTimeDifferenceAndGrace(JOIN_SPAN, grace), StreamJoined.with(key, amount, amount))
                .to(output, Produced.with(key, Serdes.ByteArray()));
            case "stjoin" -> {
                // Event time 0 for the table side: a task takes the record with the lowest timestamp first, so the
                // whole table is loaded before the first stream record is joined.
                KTable<Bytes, Long> table = builder.table(inputs.get(1),
                    Consumed.with(key, amount).withTimestampExtractor((record, previous) -> 0L));
                stream.join(table, Workloads::pair, Joined.with(key, amount, amount))
                    .to(output, Produced.with(key, Serdes.ByteArray()));
            }
            default -> throw new IllegalArgumentException("unknown workload " + workload);
        }
        return builder.build(config);
    }

    private static KGroupedStream<Bytes, Long> grouped(KStream<Bytes, Long> stream) {
        return stream.groupByKey(Grouped.with(Serdes.Bytes(), new AmountSerde()));
    }

    private KStream<Windowed<Bytes>, Long> windowed(KStream<Bytes, Long> stream, TimeWindows windows, boolean atClose) {
        Materialized<Bytes, Long, WindowStore<Bytes, byte[]>> store = Materialized.with(Serdes.Bytes(), Serdes.Long());
        if (atClose) {
            // The flush record goes to the store before the windows that it closes are read: with the default retention
            // (size + grace) they would have expired.
            store.withRetention(WINDOW.plus(grace).plus(flush).plus(FINAL_RETENTION));
        }
        return grouped(stream).windowedBy(windows)
            .emitStrategy(atClose ? EmitStrategy.onWindowClose() : EmitStrategy.onWindowUpdate())
            .count(store)
            .toStream();
    }

    private KStream<Windowed<Bytes>, Long> sessions(KStream<Bytes, Long> stream, EmitStrategy emit, Duration moreRetention) {
        return grouped(stream)
            .windowedBy(SessionWindows.ofInactivityGapAndGrace(GAP, grace))
            .emitStrategy(emit)
            .count(Materialized.<Bytes, Long, SessionStore<Bytes, byte[]>>with(Serdes.Bytes(), Serdes.Long())
                .withRetention(GAP.plus(grace).plus(moreRetention)))
            .toStream();
    }

    private static byte[] pair(Long left, Long right) {
        byte[] b = new byte[16];
        AmountSerde.LONG.set(b, 0, (long) left);
        AmountSerde.LONG.set(b, 8, (long) right);
        return b;
    }
}
