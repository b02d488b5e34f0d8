package kstreamsbench;

import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.processor.StateRestoreListener;

/** Counts what is restored from changelogs. */
final class Restores implements StateRestoreListener {
    final AtomicLong records = new AtomicLong();
    final AtomicLong open = new AtomicLong();
    volatile long first;
    volatile long last;

    @Override
    public synchronized void onRestoreStart(TopicPartition p, String store, long from, long to) {
        open.incrementAndGet();
        if (first == 0) {
            first = System.nanoTime();
        }
    }

    @Override
    public void onBatchRestored(TopicPartition p, String store, long endOffset, long n) {
        records.addAndGet(n);
        last = System.nanoTime();
    }

    @Override
    public void onRestoreEnd(TopicPartition p, String store, long n) {
        open.decrementAndGet();
        last = System.nanoTime();
    }

    double seconds() {
        return records.get() == 0 ? 0 : (last - first) / 1e9;
    }

    double rate() {
        return records.get() == 0 ? 0 : records.get() / seconds();
    }
}
