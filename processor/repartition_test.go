package processor_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

var perWord = stream.Topic[windowing.Key[string], int64]{Name: "counts", Key: windowing.KeySerde(serde.String, time.Minute), Value: serde.Int64}

func wordsPerMinute(b *stream.Builder) {
	split := stream.FlatMapValues(stream.From(b, words), strings.FieldsSeq)
	byWord := stream.GroupBy("by-word", split, func(_, word string) string { return word }, serde.String, serde.String, stream.Partitions(3))
	minute := windowing.Tumbling(time.Minute).Emit(windowing.OnClose)
	stream.To(stream.CountWindows("per-word", stream.Window(byWord, minute)).Results, perWord)
}

// TestBoundedRunAcrossARepartition: two processes share the tasks of both
// sub-topologies; windows close although some partitions are empty, and both
// processes end.
func TestBoundedRunAcrossARepartition(t *testing.T) {
	c := newCluster(t, "words", "counts")
	for i := range 200 {
		at := time.UnixMilli(int64(i) * 1000)
		c.produce(&kgo.Record{Topic: "words", Key: []byte("same"), Value: fmt.Appendf(nil, "all w%d", i%5), Timestamp: at})
	}
	var errs [2]error
	var group sync.WaitGroup
	for i := range errs {
		cfg := c.cfg
		cfg.StateDir = t.TempDir()
		group.Go(func() { errs[i] = runApp(t, cfg, wordsPerMinute) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	got := c.consume("counts", 24)
	sum := 0
	for row, n := range got {
		if n != 1 {
			t.Errorf("%q came %d times", row, n)
		}
		_, count, _ := strings.Cut(row, "=")
		var v int
		if _, err := fmt.Sscan(count, &v); err != nil {
			t.Errorf("row %q: %v", row, err)
		}
		sum += v
	}
	if sum != 400 || len(got) != 24 {
		t.Errorf("%d words in %d results, not 400 in 24", sum, len(got))
	}
	if err := runApp(t, c.cfg, wordsPerMinute); err != nil {
		t.Errorf("the same range again: %v", err)
	}
}

func runApp(t *testing.T, cfg processor.Config, build func(*stream.Builder)) error {
	b := stream.New("app")
	build(b)
	topology, err := b.Build()
	if err != nil {
		return err
	}
	app, err := processor.New(topology, cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), runTimeout)
	defer cancel()
	err = app.Run(ctx)
	if ctx.Err() != nil {
		t.Errorf("the run did not end: %v", err)
	}
	return err
}
