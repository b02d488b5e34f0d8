//go:build kafka

package integration

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// A child is this test binary, started again as a processor. Its settings come
// by environment; it reports by lines on standard output.
const (
	envBroker   = "MILLRACE_TEST_BROKER" // set in a child only
	envStateDir = "MILLRACE_TEST_STATE_DIR"
	envHaltAt   = "MILLRACE_TEST_HALT_AT"    // a commit step; empty: never
	envHaltIn   = "MILLRACE_TEST_HALT_AFTER" // commits before the one to halt in
	envStages   = "MILLRACE_TEST_STAGES"     // oneStage or twoStages

	oneStage  = "one"
	twoStages = "two" // with a repartition before the aggregates

	lineCommit = "commit" // a commit succeeded
	lineHalt   = "halt"   // the process holds at its step and waits for the end
)

const (
	applicationID = "kill-test"
	topicIn       = "in"
	topicWindows  = "windows"
	topicCounts   = "counts"
	windowSize    = 10 * time.Second
	windowGrace   = 300 * time.Millisecond
)

func TestMain(m *testing.M) {
	if os.Getenv(envBroker) == "" {
		os.Exit(m.Run())
	}
	if err := process(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// build is the application under test: final counts per key and window, and a
// running count per key.
func build(b *stream.Builder, stages string) {
	in := stream.From(b, stream.Topic[string, []byte]{Name: topicIn, Key: serde.String, Value: serde.Bytes})
	byKey := stream.GroupByKey(in)
	if stages == twoStages { // the same keys again, so that the truth is the same
		same := func(key string, _ []byte) string { return key }
		byKey = stream.GroupBy("by-key", in, same, serde.String, serde.Bytes, stream.Partitions(5))
	}
	w := windowing.Tumbling(windowSize).Grace(windowGrace).Emit(windowing.OnClose)
	stream.To(stream.CountWindows("per-window", stream.Window(byKey, w)).Results, stream.Topic[windowing.Key[string], int64]{
		Name: topicWindows, Key: windowing.KeySerde(serde.String, windowSize), Value: serde.Int64,
	})
	stream.To(stream.Count("per-key", byKey).Changes(), stream.Topic[string, int64]{Name: topicCounts, Key: serde.String, Value: serde.Int64})
}

// process runs the application until it is told to stop.
func process() error {
	b := stream.New(applicationID)
	build(b, os.Getenv(envStages))
	topology, err := b.Build()
	if err != nil {
		return err
	}
	logger, err := zap.NewDevelopment()
	if err != nil {
		return err
	}
	h := halter{at: os.Getenv(envHaltAt)}
	h.after, _ = strconv.ParseInt(os.Getenv(envHaltIn), 10, 64)
	app, err := processor.New(topology, processor.Config{
		ApplicationID: applicationID, Brokers: []string{os.Getenv(envBroker)}, StateDir: os.Getenv(envStateDir),
		SessionTimeout: 6 * time.Second, HeartbeatInterval: time.Second, TransactionTimeout: 5 * time.Second,
		Logger: logger,
		Events: processor.EventListener{Committed: func(processor.CommitInfo) {
			h.commits.Add(1)
			fmt.Println(lineCommit)
		}},
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return app.Run(processortest.WithCommitStep(ctx, h.step))
}

// A halter holds a commit at one of its steps, so that the process can be killed
// exactly there.
type halter struct {
	at      string
	after   int64
	commits atomic.Int64
}

func (h *halter) step(step string) {
	if h.at != step || h.commits.Load() < h.after {
		return
	}
	fmt.Println(lineHalt)
	select {} // until SIGKILL
}
