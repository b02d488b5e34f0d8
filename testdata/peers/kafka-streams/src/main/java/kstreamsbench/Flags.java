package kstreamsbench;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/** The command line: --name value, or --name alone. */
final class Flags {
    private final Map<String, String> values = new HashMap<>();

    Flags(String[] args) {
        for (int i = 0; i < args.length; i++) {
            if (!args[i].startsWith("--")) {
                throw new IllegalArgumentException("unexpected argument " + args[i]);
            }
            boolean hasValue = i + 1 < args.length && !args[i + 1].startsWith("--");
            values.put(args[i].substring(2), hasValue ? args[++i] : "true");
        }
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    String get(String name) {
        return get(name, null);
    }

    String get(String name, String byDefault) {
        String v = values.getOrDefault(name, byDefault);
        if (v == null) {
            throw new IllegalArgumentException("--" + name + " is required");
        }
        return v;
    }

    Duration millis(String name, String byDefault) {
        return Duration.ofMillis(Long.parseLong(get(name, byDefault)));
    }

    /** Either name of the bootstrap servers. */
    String brokers() {
        return get("brokers", values.get("bootstrap"));
    }
}
