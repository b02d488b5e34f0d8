#!/bin/sh
# Runs one workload. Environment: JAVA_HOME (JVM to use), CPUS (pin to these cores, e.g. CPUS=1), HEAP, GC, JVM_OPTS.
cd "$(dirname "$0")" || exit 1
HEAP=${HEAP:-4g}
GC=${GC:--XX:+UseParallelGC}
JAVA=${JAVA_HOME:+$JAVA_HOME/bin/}java
OPENS=""
for p in java.lang java.lang.invoke java.lang.reflect java.io java.net java.nio java.text java.time java.util \
  java.util.concurrent java.util.concurrent.atomic java.util.concurrent.locks sun.nio.ch; do
  OPENS="$OPENS --add-opens=java.base/$p=ALL-UNNAMED"
done
exec ${CPUS:+taskset -c "$CPUS"} "$JAVA" -Xms"$HEAP" -Xmx"$HEAP" $GC $OPENS $JVM_OPTS \
  -Dorg.slf4j.simpleLogger.defaultLogLevel=error \
  -cp ".target/classes:.target/lib/*" flinkbench.FlinkBench "$@"
