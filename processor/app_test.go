package processor_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

var (
	words  = stream.Topic[string, string]{Name: "words", Key: serde.String, Value: serde.String}
	counts = stream.Topic[string, int64]{Name: "counts", Key: serde.String, Value: serde.Int64}
)

func countWords(b *stream.Builder) {
	b.DeadLetter("dead", stream.NullKey, stream.NullValue, stream.NoTimestamp, stream.Future)
	stream.To(stream.Count("totals", stream.GroupByKey(stream.From(b, words))).Changes(), counts)
}

func TestARunCountsEachRecordOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts", "dead")
	for range 50 {
		c.produce(word("a", "x"), word("b", "x"), word("a", "y"))
	}
	c.cfg.CommitRecords = 1000
	if err := c.run(countWords); err != nil {
		t.Fatal(err)
	}
	if got := c.consume("counts", 2); got["a=100"] != 1 || got["b=50"] != 1 {
		t.Errorf("got %v", got)
	}
	if err := c.run(countWords); err != nil {
		t.Errorf("the same range again: %v", err)
	}
	c.produce(word("a", "z"))
	if err := c.run(countWords); err == nil || !strings.Contains(err.Error(), "millrace reset") {
		t.Errorf("a finished run with new input: %v", err)
	}
}

func TestBadRecordsAreRouted(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts", "dead")
	nullKey, nullValue, future, timeless := word("", "k"), word("v", ""), word("f", "x"), word("t", "x")
	nullKey.Key, nullValue.Value = nil, nil
	future.Timestamp = time.Date(2085, 1, 1, 0, 0, 0, 0, time.UTC)
	timeless.Timestamp = time.UnixMilli(-1)
	c.produce(word("a", "x"), nullKey, nullValue, future, timeless, word("a", "y"))
	if err := c.run(countWords); err != nil {
		t.Fatal(err)
	}
	if got := c.consume("counts", 1); got["a=2"] != 1 {
		t.Errorf("counts %v", got)
	}
	got := c.consume("dead", 4)
	for _, want := range []string{"null_key: =k", "null_value: v=", "future: f=x", "no_timestamp: t=x"} {
		if got[want] != 1 {
			t.Errorf("%q is not among the dead letters %v", want, got)
		}
	}
}

func TestUndecodableValueStopsWithoutAPolicy(t *testing.T) {
	c := newCluster(t, "words", "counts")
	c.produce(word("a", "not eight bytes"))
	numbers := stream.Topic[string, int64]{Name: "words", Key: serde.String, Value: serde.Int64}
	err := c.run(func(b *stream.Builder) { stream.To(stream.From(b, numbers), counts) })
	for _, want := range []string{`"words"`, "partition", "offset 0", "source:words", "decode"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not mention %s: %v", want, err)
		}
	}
}

func TestEmptyTopicEndsAtOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts", "dead")
	if err := c.run(countWords); err != nil {
		t.Error(err)
	}
}

func TestMissingTopicsAreNamed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "dead")
	err := c.run(countWords)
	if err == nil || !strings.Contains(err.Error(), `"words"`) || !strings.Contains(err.Error(), `"counts"`) {
		t.Errorf("got %v", err)
	}
}

func TestStateDirectories(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts", "dead")
	dir := filepath.Join(c.cfg.StateDir, "app")
	t.Run("in use for a moment", func(t *testing.T) {
		disk, err := state.OpenDisk(dir, "app", state.DiskOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var told error
		other := *c
		other.cfg.Events.Warning = func(err error) {
			if errors.Is(err, state.ErrLocked) {
				told = errors.Join(err, disk.Close())
			}
		}
		if err := other.run(countWords); err != nil {
			t.Errorf("it did not wait: %v", err)
		}
		if told == nil || !strings.Contains(told.Error(), dir) {
			t.Errorf("it waited without a word: %v", told)
		}
	})
	t.Run("in use, and told to stop", func(t *testing.T) {
		other := *c
		other.cfg.StateDir = t.TempDir()
		disk, err := state.OpenDisk(filepath.Join(other.cfg.StateDir, "app"), "app", state.DiskOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer disk.Close()
		app, err := processor.New(other.topology(countWords), other.cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := app.Run(ctx); err != nil {
			t.Errorf("a stop is not an error: %v", err)
		}
	})
	t.Run("of another application", func(t *testing.T) {
		other := *c
		other.cfg.StateDir = t.TempDir()
		disk, err := state.OpenDisk(filepath.Join(other.cfg.StateDir, "app"), "other", state.DiskOptions{})
		if err != nil {
			t.Fatal(err)
		}
		disk.Close()
		if err := other.run(countWords); !errors.Is(err, state.ErrOtherApplication) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a file", func(t *testing.T) {
		other := *c
		other.cfg.StateDir = filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(other.cfg.StateDir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := other.run(countWords); err == nil || !strings.Contains(err.Error(), other.cfg.StateDir) {
			t.Errorf("got %v", err)
		}
	})
}

func TestMetricsAndHealth(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts", "dead")
	c.cfg.BoundedRun, c.cfg.Listen = "", "127.0.0.1:0"
	committed, restored := make(chan processor.CommitInfo, 100), make(chan string, 100)
	c.cfg.Events.Committed = func(i processor.CommitInfo) { committed <- i }
	c.cfg.Events.TaskRestored = func(i processor.RestoreInfo) { restored <- i.Task }
	r := c.start(countWords)
	c.produce(word("a", "x"))
	for records, tasks := 0, 0; records < 1 || tasks < 2; {
		select {
		case i := <-committed:
			records += i.Records
		case <-restored:
			tasks++
		case err := <-r.done:
			t.Fatalf("ended early: %v", err)
		}
	}
	for path, want := range map[string]string{
		"/livez": "ok", "/readyz": "ok",
		"/metrics": `millrace_node_records_processed_total{application_id="app",node="totals"} 1`,
	} {
		resp, err := http.Get("http://" + r.app.ListenAddr() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %v, status %d, no %q in\n%s", path, err, resp.StatusCode, want, body)
		}
	}
	r.stop()
	if err := r.wait(); err != nil {
		t.Errorf("a stop is not an error: %v", err)
	}
}
