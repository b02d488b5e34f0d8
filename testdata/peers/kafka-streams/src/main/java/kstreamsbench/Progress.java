package kstreamsbench;

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

/** How far a run has come and what it has cost, sampled while it goes. */
final class Progress {
    private record Sample(long nanos, long committed, long cpuNanos) { }

    private final List<Sample> samples = new ArrayList<>();
    private final long began = System.nanoTime();

    void add(long committed) {
        samples.add(new Sample(System.nanoTime(), committed, cpuNanos()));
    }

    int size() {
        return samples.size();
    }

    double seconds() {
        return (System.nanoTime() - began) / 1e9;
    }

    void report(Flags flags, long total, boolean complete, Restores restores, long commits) throws IOException {
        // An incomplete run is measured over what it reached, and says so.
        long reached = samples.isEmpty() ? 0 : samples.get(samples.size() - 1).committed();
        Sample from = at(samples, (long) (reached * 0.3));
        Sample to = at(samples, (long) (reached * 0.9));
        double records = to.committed() - from.committed();
        double rate = records <= 0 ? 0 : records / ((to.nanos() - from.nanos()) / 1e9);
        double cpu = records <= 0 ? 0 : (to.cpuNanos() - from.cpuNanos()) / 1e9 / (records / 1e6);
        long gcMillis = ManagementFactory.getGarbageCollectorMXBeans().stream().mapToLong(GarbageCollectorMXBean::getCollectionTime).sum();
        System.out.printf(Locale.ROOT,
            "{\"workload\":\"%s\",\"config\":\"%s\",\"records\":%d,\"rec_per_s\":%.0f,\"cpu_s_per_mrec\":%.3f,\"rss_mb\":%d,"
                + "\"wall_s\":%.2f,\"complete\":%b,\"committed\":%d,\"threads\":%s,\"guarantee\":\"%s\",\"commit_ms\":%s,"
                + "\"commits\":%d,\"cpu_s\":%.2f,\"gc_s\":%.2f,\"restored\":%d,\"restore_s\":%.2f,\"restore_rec_per_s\":%.0f}%n",
            flags.get("workload"), flags.get("config", "K1"), total, rate, cpu, statusMb("VmHWM"), seconds(), complete, reached,
            flags.get("threads", "1"), flags.get("guarantee", "eos"), flags.get("commit-ms", "100"),
            commits, cpuNanos() / 1e9, gcMillis / 1e3, restores.records.get(), restores.seconds(), restores.rate());
        System.out.flush();
    }

    /** The moment at which the committed count passed {@code target}, interpolated between two samples. */
    private static Sample at(List<Sample> samples, long target) {
        Sample before = null;
        for (Sample s : samples) {
            if (s.committed() >= target) {
                if (before == null || s.committed() == before.committed()) {
                    return s;
                }
                double f = (double) (target - before.committed()) / (s.committed() - before.committed());
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
