package kstreamsbench;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/** Runs one benchmark workload on Kafka Streams, drains the input and prints one JSON line. See README.md. */
public final class KsBench {
    private static final Duration SAMPLE = Duration.ofMillis(100);

    private final Flags flags;
    private final String workload;
    private final List<String> inputs;
    private final Restores restores = new Restores();

    public static void main(String[] args) throws Exception {
        System.exit(new KsBench(new Flags(args)).run());
    }

    private KsBench(Flags flags) {
        this.flags = flags;
        workload = flags.get("workload");
        inputs = List.of(flags.get("in").split(","));
    }

    private int run() throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", flags.brokers()))) {
            Topics topics = new Topics(admin, flags);
            if (flags.has("reset")) {
                topics.reset(true);
            }
            topics.createOutput(topics.partitions(inputs.get(0)));
            KafkaStreams streams = streams();
            Progress progress = new Progress();
            streams.start();
            if (flags.has("forever")) {
                await(streams);
                return 0;
            }
            boolean complete = drain(streams, topics, progress);
            progress.report(flags, sum(topics.ends(inputs), counted()), complete, restores, commits(streams));
            streams.close(Duration.ofSeconds(60));
            if (flags.has("cleanup")) {
                topics.reset(false);
            }
            return complete ? 0 : 1;
        }
    }

    private KafkaStreams streams() {
        Properties settings = Settings.of(flags);
        Topology topology = new Workloads(flags).build(settings);
        if (flags.has("describe")) {
            System.err.println(topology.describe());
        }
        KafkaStreams streams = new KafkaStreams(topology, settings);
        streams.setGlobalStateRestoreListener(restores);
        streams.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(20))));
        return streams;
    }

    private static boolean alive(KafkaStreams streams) {
        return streams.state() != KafkaStreams.State.ERROR && streams.state() != KafkaStreams.State.NOT_RUNNING;
    }

    /** Returns when the application has ended: SIGTERM closes it. */
    private static void await(KafkaStreams streams) throws InterruptedException {
        while (alive(streams)) {
            Thread.sleep(SAMPLE.toMillis());
        }
    }

    /** Returns true when every record of the inputs is committed and all state restored, false when the time is up. */
    private boolean drain(KafkaStreams streams, Topics topics, Progress progress) throws Exception {
        double maxSeconds = Double.parseDouble(flags.get("max-s", "170"));
        Map<TopicPartition, Long> ends = topics.ends(inputs);
        long everything = sum(ends, Set.copyOf(inputs));
        while (alive(streams) && progress.seconds() <= maxSeconds) {
            Thread.sleep(SAMPLE.toMillis());
            Map<TopicPartition, Long> done = new HashMap<>();
            topics.committed().forEach((p, o) -> done.put(p, ends.containsKey(p) && o != null ? o.offset() : 0));
            progress.add(sum(done, counted()));
            long all = sum(done, Set.copyOf(inputs));
            if (flags.has("trace") && progress.size() % 20 == 0) {
                System.err.printf(Locale.ROOT, "%.1f s: %d of %d%n", progress.seconds(), all, everything);
            }
            if (all >= everything && streams.state() == KafkaStreams.State.RUNNING && restores.open.get() == 0
                && (!flags.has("restore") || restores.records.get() > 0)) {
                return true;
            }
        }
        return false;
    }

    /**
     * The topics whose records count: both inputs of a stream-stream join, but only the stream of a stream-table join
     * (the table is loaded before).
     */
    private Set<String> counted() {
        return Set.copyOf(workload.equals("stjoin") ? inputs.subList(0, 1) : inputs);
    }

    private static long sum(Map<TopicPartition, Long> offsets, Set<String> topics) {
        return offsets.entrySet().stream().filter(e -> topics.contains(e.getKey().topic())).mapToLong(Map.Entry::getValue).sum();
    }

    private static long commits(KafkaStreams streams) {
        return (long) streams.metrics().values().stream()
            .filter(m -> m.metricName().name().equals("commit-total") && m.metricName().group().equals("stream-thread-metrics"))
            .mapToDouble(m -> (double) m.metricValue())
            .sum();
    }
}
