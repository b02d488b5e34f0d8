package processor_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// picky is a serde of texts that cannot encode all of them.
type picky struct{ serde.Codec[string] }

func (p picky) Append(dst []byte, v string) ([]byte, error) {
	switch {
	case strings.HasSuffix(v, "error"):
		return nil, errors.New("picky")
	case strings.HasSuffix(v, "panic"):
		panic("picky")
	}
	return p.Codec.Append(dst, v)
}

func pickyText(t *testing.T) serde.Serde[string] {
	t.Helper()
	plain, err := serde.String.Bind(serde.Use{})
	if err != nil {
		t.Fatal(err)
	}
	return serde.Of[string](picky{plain})
}

// The last value of each key is kept, and a bad one for good, whatever comes after
// it; "large" is more than a changelog takes.
func lasts(t *testing.T) stream.Aggregator[string, string, string] {
	return stream.Aggregator[string, string, string]{
		State: pickyText(t),
		Zero:  func() string { return "" },
		Add: func(_, value, last string) string {
			if strings.HasSuffix(last, "error") || strings.HasSuffix(last, "panic") || len(last) > 100 {
				return last
			}
			if strings.HasSuffix(value, "large") {
				return strings.Repeat("x", 1_100_000)
			}
			return value
		},
		Merge: func(_, _, b string) string { return b },
	}
}

var unkept = map[string]func(*testing.T, *stream.Builder){
	"table": func(t *testing.T, b *stream.Builder) {
		in := stream.From(b, stream.Topic[string, string]{Name: "in", Key: serde.String, Value: serde.String})
		table := stream.Aggregate("last", stream.GroupByKey(in), lasts(t), stream.Emit(windowing.OnUpdate))
		short := stream.MapValues(table.Changes(), func(v string) string { return v[:min(len(v), 10)] })
		stream.To(short, stream.Topic[string, string]{Name: "out", Key: serde.String, Value: serde.String})
	},
	"tumbling": func(t *testing.T, b *stream.Builder) {
		windowedLasts(t, b, windowing.Tumbling(time.Hour).Emit(windowing.OnClose))
	},
	"sessions": func(t *testing.T, b *stream.Builder) {
		windowedLasts(t, b, windowing.Session(time.Hour).Emit(windowing.OnClose))
	},
}

func windowedLasts(t *testing.T, b *stream.Builder, w windowing.Definition) {
	in := stream.From(b, stream.Topic[string, string]{Name: "in", Key: serde.String, Value: serde.String})
	last := stream.AggregateWindows("last", stream.Window(stream.GroupByKey(in), w), lasts(t)).Results
	stream.To(last, stream.Topic[windowing.Key[string], string]{Name: "out", Key: windowing.ResultKeySerde(serde.String, w), Value: serde.String})
}

// A record that leaves in the state what no commit can take is found by one replay,
// however many there are; each is a dead letter, and the others are as if it had
// never come.
func TestWhatTheStateCannotKeep(t *testing.T) {
	t.Parallel()
	const records = 3000
	for name, build := range unkept {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, "in", "out", "dead")
			c.cfg.BoundedRun = "" // its end closes windows before they are committed
			want, bad := loadUnkept(c, records)
			replays := 0
			c.cfg.Events = processor.EventListener{Warning: func(err error) {
				if strings.Contains(err.Error(), "to find the record") {
					replays++
				}
			}}
			r := c.start(func(b *stream.Builder) {
				b.DeadLetter("dead")
				build(t, b)
			})
			c.checkUnkept(c.read("dead", len(bad)), bad)
			results := records - len(bad)
			if name != "table" {
				results = len(want)
				c.closeWindows()
			}
			got := map[string]string{}
			for _, r := range c.read("out", results) {
				got[string(r.Key[:3])] = string(r.Value)
			}
			if !maps.Equal(got, want) {
				t.Errorf("the results are %v, want %v", got, want)
			}
			r.stop()
			if err := r.wait(); err != nil {
				t.Fatal(err)
			}
			if replays < 1 || replays > 2 { // tasks
				t.Errorf("%d replays", replays)
			}
		})
	}
}

// closeWindows sends a record of the next day to each partition.
func (c *cluster) closeWindows() {
	for p := range int32(2) {
		c.produceTo(p, &kgo.Record{Topic: "in", Key: []byte("end"), Value: []byte("0"), Timestamp: unkeptTime.Add(24 * time.Hour)})
	}
}

var unkeptTime = time.UnixMilli(1_000_000_000_000)

// checkUnkept wants a dead letter of each bad record.
func (c *cluster) checkUnkept(letters []*kgo.Record, bad map[string]bool) {
	c.t.Helper()
	for _, r := range letters {
		reason := "process"
		if strings.HasSuffix(string(r.Value), "large") {
			reason = "refused"
		}
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		if headers["__millrace.errors.reason"] != reason || headers["__millrace.errors.operator"] != "last" {
			c.t.Errorf("%s is a dead letter with %v", r.Value, headers)
		}
		if !bad[string(r.Value)] {
			c.t.Errorf("%s is a dead letter, or is it twice", r.Value)
		}
		bad[string(r.Value)] = false
	}
}

// loadUnkept writes n records of three keys, one in ten of them bad; some keys end
// with a bad one.
func loadUnkept(c *cluster, n int) (last map[string]string, bad map[string]bool) {
	last, bad = map[string]string{}, map[string]bool{}
	var records []*kgo.Record
	for i := range n {
		key, value := fmt.Sprintf("k-%d", i%3), fmt.Sprintf("%d", i)
		if i%10 == 5 || i > n-2 {
			value += "-" + []string{"error", "panic", "large"}[i/10%3]
			bad[value] = true
		} else {
			last[key] = value
		}
		records = append(records, &kgo.Record{Topic: "in", Key: []byte(key), Value: []byte(value), Timestamp: unkeptTime})
	}
	c.produce(records...)
	return last, bad
}

// Where nothing answers a bad record, the error that ends the application says
// which it was.
func TestWhatTheStateCannotKeepIsNamed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "in", "out", "dead")
	loadUnkept(c, 30)
	err := c.run(func(b *stream.Builder) { unkept["table"](t, b) })
	if err == nil || !strings.Contains(err.Error(), `topic "in" partition`) || !strings.Contains(err.Error(), `store "last"`) {
		t.Errorf("the run came to %v", err)
	}
}
