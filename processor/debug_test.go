package processor_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/windowing"
)

// timePage is what the test reads of /debug/time.
type timePage struct {
	Tasks []struct {
		Task, State string
		Inputs      []struct {
			Topic     string
			Watermark *string
			Upstream  []struct{ Heard bool }
		}
		Operators []struct {
			Operator, Why          string
			Watermark, Passed, Due *string
		}
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v, status %d: %s", url, err, resp.StatusCode, body)
	}
	return string(body)
}

// page asks for /debug/time until all five tasks are there and it has
// everything that is wanted.
func (r *run) page(wanted ...string) (page timePage) {
	r.t.Helper()
	var text string
	for !containsAll(text, wanted) || len(page.Tasks) != 5 {
		select {
		case err := <-r.done:
			r.t.Fatalf("ended: %v; last seen %s", err, text)
		case <-time.After(50 * time.Millisecond):
		}
		if r.app.DebugAddr() == "" {
			continue
		}
		text = get(r.t, "http://"+r.app.DebugAddr()+"/debug/time")
		page = timePage{}
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			r.t.Fatal(err)
		}
	}
	return page
}

// TestTimeIsVisible: one of two partitions is silent, so what is behind the
// repartition waits, and says for whom.
func TestTimeIsVisible(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts")
	c.cfg.BoundedRun, c.cfg.Listen, c.cfg.DebugListen = "", "127.0.0.1:0", "0"
	reg := prometheus.NewPedanticRegistry()
	c.cfg.Registerer = reg
	r := c.start(wordsPerMinute)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c.produce(&kgo.Record{Topic: "words", Key: []byte("same"), Value: []byte("some words"), Timestamp: at})
	page := r.page(
		`waiting to hear from upstream task`, `held back by topic \"words\" partition`,
		`which is at 2026-03-01T12:00:00.000Z, idle=false`, `waiting for the first record of topic \"words\" partition`,
	)
	if !strings.HasPrefix(r.app.DebugAddr(), "127.0.0.1:") {
		t.Errorf("a port alone is served on %s", r.app.DebugAddr())
	}
	for _, x := range page.Tasks {
		behind := strings.HasPrefix(x.Task, "1_")
		if op := x.Operators[0]; behind != (op.Operator == "per-word") || behind && (op.Watermark != nil || op.Why == "") {
			t.Errorf("task %s: %+v", x.Task, op)
		}
		if behind != (len(x.Inputs[0].Upstream) == 2) {
			t.Errorf("task %s: %+v", x.Task, x.Inputs)
		}
	}
	metrics := get(t, "http://"+r.app.ListenAddr()+"/metrics")
	if n := strings.Count(metrics, "\n"+gauge); n != 1 || !strings.Contains(metrics, gauge+`{application_id="app",node="to:by-word",partition="`) {
		t.Errorf("%d watermarks in\n%s", n, metrics)
	}
	if n := watermarksIn(t, reg); n != 1 {
		t.Errorf("%d watermarks", n)
	}
	r.stop()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	if n := watermarksIn(t, reg); n != 0 {
		t.Errorf("%d watermarks of tasks that have left", n)
	}
}

const gauge = "millrace_watermark_timestamp_seconds"

// watermarksIn counts the watermarks in a registry, whose metrics must be named
// as Prometheus wants it.
func watermarksIn(t *testing.T, reg *prometheus.Registry) (n int) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := promlint.NewWithMetricFamilies(families).Lint(); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	for _, f := range families {
		if f.GetName() == gauge {
			n += len(f.Metric)
		}
	}
	return n
}

func containsAll(text string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

// TestCompletenessTopic: the transaction that closes a window says so beside
// it, and the topic must exist.
func TestCompletenessTopic(t *testing.T) {
	t.Parallel()
	complete := func(b *stream.Builder) {
		minute := windowing.Tumbling(time.Minute).Emit(windowing.OnClose)
		in := stream.GroupByKey(stream.From(b, words, stream.Watermark(windowing.Ascending())))
		stream.To(stream.CountWindows("per-word", stream.Window(in, minute)).Results, perWord, stream.Completeness())
	}
	c := newCluster(t, "words", "counts")
	if err := c.run(complete); err == nil || !strings.Contains(err.Error(), `"counts.watermarks"`) {
		t.Errorf("without its topic: %v", err)
	}
	c = newCluster(t, "words", "counts", "counts.watermarks")
	for _, p := range []int32{0, 1} {
		for _, sec := range []int64{30, 90, 150} {
			c.produceTo(p, &kgo.Record{Topic: "words", Key: []byte("k"), Value: []byte("x"), Timestamp: time.Unix(sec+int64(p), 0)})
		}
	}
	if err := c.run(complete); err != nil {
		t.Fatal(err)
	}
	c.consume("counts", 6)
	got := c.consume("counts.watermarks", 2)
	if got["0=150000"] != 1 || got["1=151000"] != 1 {
		t.Errorf("complete up to %v", got)
	}
}
