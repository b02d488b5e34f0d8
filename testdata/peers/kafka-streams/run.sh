#!/bin/sh
# Runs one workload. Environment: JAVA_HOME (JVM to use), CPUS (pin to these cores, e.g. CPUS=1), HEAP, GC, JVM_OPTS.
cd "$(dirname "$0")" || exit 1
HEAP=${HEAP:-4g}
GC=${GC:--XX:+UseParallelGC}
JAVA=${JAVA_HOME:+$JAVA_HOME/bin/}java
exec ${CPUS:+taskset -c "$CPUS"} "$JAVA" -Xms"$HEAP" -Xmx"$HEAP" $GC $JVM_OPTS \
  -Dorg.slf4j.simpleLogger.defaultLogLevel=error \
  -cp ".target/classes:.target/lib/*" kstreamsbench.KsBench "$@"
