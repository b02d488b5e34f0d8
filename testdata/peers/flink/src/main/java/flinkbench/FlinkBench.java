package flinkbench;

import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.common.JobID;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.checkpoint.CheckpointStatsSnapshot;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.jobmaster.JobResult;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.admin.Admin;

/** Runs one benchmark workload on Flink, drains the input and prints one JSON line. See README.md. */
public final class FlinkBench {
    private static final Duration SAMPLE = Duration.ofMillis(100);

    private final Flags flags;
    private final List<String> inputs;
    private final int threads;
    private final boolean forever;

    public static void main(String[] args) throws Exception {
        System.exit(new FlinkBench(new Flags(args)).run());
    }

    private FlinkBench(Flags flags) {
        this.flags = flags;
        inputs = List.of(flags.get("in").split(","));
        threads = Integer.parseInt(flags.get("threads", "1"));
        forever = flags.has("forever");
    }

    private int run() throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", flags.brokers()))) {
            Topics topics = new Topics(admin, flags);
            if (flags.has("reset")) {
                topics.reset(true);
            }
            Files.createDirectories(Topics.directory(flags).resolve("tmp"));
            topics.createOutput(topics.partitions(inputs.get(0)));
            // Throughput counts both inputs of a stream-stream join, but only the stream of a stream-table join.
            List<String> counted = flags.get("workload").equals("stjoin") ? inputs.subList(0, 1) : inputs;
            boolean complete = execute(topics, counted);
            if (flags.has("cleanup")) {
                topics.reset(false);
            }
            return complete ? 0 : 1;
        }
    }

    private boolean execute(Topics topics, List<String> counted) throws Exception {
        long total = topics.records(counted);
        Settings settings = new Settings(flags);
        Configuration conf = settings.cluster();
        JobGraph job = graph(conf, settings);
        Progress progress = new Progress();
        try (MiniCluster cluster = new MiniCluster(new MiniClusterConfiguration.Builder()
                .setConfiguration(conf).setNumTaskManagers(1).setNumSlotsPerTaskManager(threads).build())) {
            cluster.start();
            cluster.submitJob(job).get();
            if (forever) {
                Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(cluster, job.getJobID())));
            }
            CompletableFuture<JobResult> result = cluster.requestJobResult(job.getJobID());
            watch(result, topics, counted, total, progress);
            CheckpointStatsSnapshot checkpoints = cluster.getExecutionGraph(job.getJobID()).get().getCheckpointStatsSnapshot();
            boolean complete = false;
            if (result.isDone()) {
                JobResult r = result.get();
                r.getSerializedThrowable().ifPresent(t -> t.deserializeError(getClass().getClassLoader()).printStackTrace());
                complete = r.isSuccess() && Decoder.count() == total;
            } else {
                cluster.cancelJob(job.getJobID()).get();
            }
            progress.report(flags, total, complete, checkpoints);
            return complete;
        }
    }

    /** Ends a run without an end in order: a job that is only killed leaves a transaction open for minutes. */
    private void stop(MiniCluster cluster, JobID job) {
        String savepoint = Topics.directory(flags).resolve("savepoint").toUri().toString();
        cluster.stopWithSavepoint(job, savepoint, false, SavepointFormatType.CANONICAL).join();
        cluster.requestJobResult(job).join();
    }

    private JobGraph graph(Configuration conf, Settings settings) {
        boolean forward = flags.get("exchange", "keyby").equals("forward");
        if (forward && threads > 1) {
            throw new IllegalArgumentException("--exchange forward needs --threads 1");
        }
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(conf);
        env.setParallelism(threads);
        new Workloads(env, inputs, settings.consumer(), Long.parseLong(flags.get("grace-ms", "0")),
            Long.parseLong(flags.get("update-ms", "100")), forward, !forever).build(flags.get("workload")).sinkTo(settings.sink());
        if (flags.has("describe")) {
            System.err.println(env.getExecutionPlan());
        }
        return env.getStreamGraph().getJobGraph();
    }

    /** Returns when the job has ended or the time is up, which it never is in a run without an end. */
    private void watch(CompletableFuture<JobResult> result, Topics topics, List<String> counted, long total, Progress progress) throws Exception {
        double maxSeconds = Double.parseDouble(flags.get("max-s", "170"));
        while (!result.isDone() && (forever || progress.seconds() <= maxSeconds)) {
            Thread.sleep(SAMPLE.toMillis());
            if (forever) {
                continue;
            }
            progress.add(Decoder.count(), topics.committed(counted));
            if (flags.has("trace") && progress.size() % 20 == 0) {
                System.err.printf(Locale.ROOT, "%.1f s: %d of %d%n", progress.seconds(), Decoder.count(), total);
            }
        }
    }
}
