package kstreamsbench;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
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
    private final Path stateDir;

    Topics(Admin admin, Flags flags) {
        this.admin = admin;
        appId = flags.get("app-id");
        output = flags.get("out");
        stateDir = Path.of(flags.get("state-dir", "state"));
    }

    int partitions(String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
    }

    Map<TopicPartition, OffsetAndMetadata> committed() throws Exception {
        return admin.listConsumerGroupOffsets(appId).partitionsToOffsetAndMetadata().get();
    }

    Map<TopicPartition, Long> ends(List<String> topics) throws Exception {
        Map<TopicPartition, OffsetSpec> query = new HashMap<>();
        admin.describeTopics(topics).allTopicNames().get().forEach((name, d) ->
            d.partitions().forEach(p -> query.put(new TopicPartition(name, p.partition()), OffsetSpec.latest())));
        return admin.listOffsets(query).all().get().entrySet().stream()
            .collect(Collectors.toMap(Map.Entry::getKey, e -> e.getValue().offset()));
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

    /** Removes what a run leaves: internal topics, committed offsets, local state and on demand the output. */
    void reset(boolean withOutput) throws Exception {
        List<String> stale = admin.listTopics().names().get().stream()
            .filter(t -> withOutput && t.equals(output) || t.startsWith(appId + "-") && (t.endsWith("-changelog") || t.endsWith("-repartition")))
            .toList();
        if (!stale.isEmpty()) {
            admin.deleteTopics(stale).all().get();
        }
        try {
            admin.deleteConsumerGroups(List.of(appId)).all().get();
        } catch (ExecutionException e) {
            // No such group.
        }
        Path dir = stateDir.resolve(appId);
        if (Files.exists(dir)) {
            try (Stream<Path> tree = Files.walk(dir)) {
                tree.sorted(Comparator.reverseOrder()).forEach(f -> f.toFile().delete());
            }
        }
        Thread.sleep(500);
    }
}
