package flinkbench;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.apache.flink.runtime.checkpoint.CheckpointStatsSnapshot;

/** How far a run has come and what it has cost, sampled while it goes. */
final class Progress {
    private record Sample(long nanos, long count, long cpuNanos) { }

    private final List<Sample> samples = new ArrayList<>();
    private final List<Sample> commits = new ArrayList<>(); // only the moments at which the committed offsets moved
    private final long began = System.nanoTime();

    /** Records handed to the operators so far, and records committed so far. */
    void add(long count, long committed) {
        samples.add(new Sample(System.nanoTime(), count, cpuNanos()));
        if (commits.isEmpty() || committed > commits.get(commits.size() - 1).count()) {
            commits.add(new Sample(System.nanoTime(), committed, cpuNanos()));
        }
    }

    int size() {
        return samples.size();
    }

    double seconds() {
        return (System.nanoTime() - began) / 1e9;
    }

    void report(Flags flags, long total, boolean complete, CheckpointStatsSnapshot checkpoints) throws IOException {
        // An incomplete run is measured over what it reached, and says so.
        long reached = samples.isEmpty() ? 0 : samples.get(samples.size() - 1).count();
        Sample from = at(samples, (long) (reached * 0.3));
        Sample to = at(samples, (long) (reached * 0.9));
        double records = to.count() - from.count();
        double rate = records <= 0 ? 0 : records / ((to.nanos() - from.nanos()) / 1e9);
        double cpu = records <= 0 ? 0 : (to.cpuNanos() - from.cpuNanos()) / 1e9 / (records / 1e6);
        Sample firstCommit = at(commits, (long) (reached * 0.3));
        Sample lastCommit = at(commits, (long) (reached * 0.9));
        // Too few commits for the interval between 30 % and 90 %: no figure.
        double committedRate = lastCommit.nanos() <= firstCommit.nanos() ? 0
            : (lastCommit.count() - firstCommit.count()) / ((lastCommit.nanos() - firstCommit.nanos()) / 1e9);
        long gcMillis = ManagementFactory.getGarbageCollectorMXBeans().stream().mapToLong(GarbageCollectorMXBean::getCollectionTime).sum();
        System.out.printf(Locale.ROOT,
            "{\"workload\":\"%s\",\"config\":\"%s\",\"records\":%d,\"rec_per_s\":%.0f,\"committed_rec_per_s\":%.0f,\"cpu_s_per_mrec\":%.3f,\"rss_mb\":%d,"
                + "\"wall_s\":%.2f,\"complete\":%b,\"committed\":%d,\"threads\":%d,\"guarantee\":\"%s\",\"commit_ms\":%s,"
                + "\"cpu_s\":%.2f,\"gc_s\":%.2f,\"exchange\":\"%s\",\"checkpoints\":%d,\"checkpoint_ms\":%d,\"checkpoint_ms_max\":%d,"
                + "\"checkpoint_kb\":%d,\"checkpoint_kb_max\":%d}%n",
            flags.get("workload"), flags.get("config", "F1"), total, rate, committedRate, cpu, statusMb("VmHWM"), seconds(), complete, reached,
            Integer.parseInt(flags.get("threads", "1")), flags.get("guarantee", "eos"), flags.get("commit-ms", "1000"), cpuNanos() / 1e9, gcMillis / 1e3, flags.get("exchange", "keyby"),
            checkpoints.getCounts().getNumberOfCompletedCheckpoints(),
            checkpoints.getSummaryStats().getEndToEndDurationStats().getAverage(),
            checkpoints.getSummaryStats().getEndToEndDurationStats().getMaximum(),
            checkpoints.getSummaryStats().getCheckpointedSize().getAverage() >> 10,
            checkpoints.getSummaryStats().getCheckpointedSize().getMaximum() >> 10);
        System.out.flush();
    }

    /** The moment at which the count passed {@code target}, interpolated between two samples. */
    private static Sample at(List<Sample> samples, long target) {
        Sample before = null;
        for (Sample s : samples) {
            if (s.count() >= target) {
                if (before == null || s.count() == before.count()) {
                    return s;
                }
                double f = (double) (target - before.count()) / (s.count() - before.count());
                return new Sample(before.nanos() + (long) (f * (s.nanos() - before.nanos())), target,
                    before.cpuNanos() + (long) (f * (s.cpuNanos() - before.cpuNanos())));
            }
            before = s;
        }
        return new Sample(0, 0, 0);
    }

    private static long cpuNanos() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    private static long statusMb(String field) throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/status"))) {
            return lines.filter(l -> l.startsWith(field)).mapToLong(l -> Long.parseLong(l.replaceAll("\\D", ""))).findFirst().orElse(0) / 1024;
        }
    }
}
