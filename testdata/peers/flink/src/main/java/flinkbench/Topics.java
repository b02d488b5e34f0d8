package flinkbench;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** The topics, the group and the files of one application. */
final class Topics {
    private final Admin admin;
    private final String appId;
    private final String output;
    private final Path appDir;

    Topics(Admin admin, Flags flags) {
        this.admin = admin;
        appId = flags.get("app-id");
        output = flags.get("out");
        appDir = directory(flags);
    }

    /** Where an application keeps its files. */
    static Path directory(Flags flags) {
        return Path.of(flags.get("state-dir", "state")).toAbsolutePath().resolve(flags.get("app-id"));
    }

    int partitions(String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
    }

    long records(List<String> topics) throws Exception {
        Map<TopicPartition, OffsetSpec> query = new HashMap<>();
        admin.describeTopics(topics).allTopicNames().get().forEach((name, d) ->
            d.partitions().forEach(p -> query.put(new TopicPartition(name, p.partition()), OffsetSpec.latest())));
        return admin.listOffsets(query).all().get().values().stream().mapToLong(o -> o.offset()).sum();
    }

    /** Offsets of the topics that the consumer group has committed, which Flink does after each checkpoint. */
    long committed(List<String> topics) throws Exception {
        long n = 0;
        Map<TopicPartition, OffsetAndMetadata> offsets = admin.listConsumerGroupOffsets(appId).partitionsToOffsetAndMetadata().get();
        for (Map.Entry<TopicPartition, OffsetAndMetadata> e : offsets.entrySet()) {
            n += e.getValue() != null && topics.contains(e.getKey().topic()) ? e.getValue().offset() : 0;
        }
        return n;
    }

    void createOutput(int partitions) throws Exception {
        for (int attempt = 0; ; attempt++) {
            if (admin.listTopics().names().get().contains(output)) {
                return;
            }
            try {
                admin.createTopics(List.of(new NewTopic(output, partitions, (short) 1)
                    .configs(Map.of("retention.ms", "-1", "message.timestamp.after.max.ms", Long.toString(Long.MAX_VALUE))))).all().get();
            } catch (ExecutionException e) {
                if (attempt == 10) {
                    throw e;
                }
            }
            Thread.sleep(200);
        }
    }

    /** Removes what a run leaves: committed offsets, checkpoints, local state and on demand the output. */
    void reset(boolean withOutput) throws Exception {
        if (withOutput && admin.listTopics().names().get().contains(output)) {
            admin.deleteTopics(List.of(output)).all().get();
        }
        try {
            admin.deleteConsumerGroups(List.of(appId)).all().get();
        } catch (ExecutionException e) {
            // No such group.
        }
        if (Files.exists(appDir)) {
            try (Stream<Path> tree = Files.walk(appDir)) {
                tree.sorted(Comparator.reverseOrder()).forEach(f -> f.toFile().delete());
            }
        }
        Thread.sleep(500);
    }
}
