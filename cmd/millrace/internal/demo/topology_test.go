package demo

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/cmd/millrace/internal/accesslog"
	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/testdata"
)

func noon() time.Time { return time.Date(2015, 5, 17, 12, 0, 0, 0, time.UTC) }

func ask(client string, after time.Duration, bytes int64) accesslog.Request {
	return accesslog.Request{Client: client, Time: noon().Add(after).UnixMilli(), Line: "GET /", Status: 200, Bytes: bytes}
}

func put(in *processortest.InputTopic[string, accesslog.Request], r accesslog.Request) {
	in.Put(time.UnixMilli(r.Time), r.Client, r)
}

func TestTrafficIsToldWhenItsWindowIsOver(t *testing.T) {
	d := processortest.New(t, Build)
	in := processortest.Input(d, accessTopic())
	traffic := processortest.Output(d, trafficTopic())
	late := processortest.Output(d, lateTopic())

	put(in, ask("ann", 0, 100))
	put(in, ask("bob", time.Minute, 7))
	put(in, ask("ann", 5*time.Minute+59*time.Second, 1)) // watermark 12:04:59
	put(in, ask("ann", 4*time.Minute, 20))
	d.Commit()
	traffic.Empty()

	put(in, ask("bob", 6*time.Minute, 1)) // watermark 12:05:00
	d.Crash()
	put(in, ask("bob", 4*time.Minute, 1))
	d.Commit()
	got := traffic.Drain()
	if len(got) != 2 || got[0].Key.Key != "ann" || got[0].Value != (Traffic{2, 120}) || got[1].Value != (Traffic{1, 7}) {
		t.Fatalf("the first window: %+v", got)
	}
	if end := got[0].Key.Window.End.Time(); !end.Equal(noon().Add(5*time.Minute)) || !got[0].Time.Equal(end.Add(-time.Millisecond)) {
		t.Errorf("it ends at %v and its result is of %v", end, got[0].Time)
	}
	if refused := late.Drain(); len(refused) != 1 || refused[0].Value != ask("bob", 4*time.Minute, 1) || len(refused[0].Headers) != 3 {
		t.Errorf("late: %+v", refused)
	}
}

// TestTrafficDoesNotOverflow: more than fits is the most there is, never less than
// nothing.
func TestTrafficDoesNotOverflow(t *testing.T) {
	for _, c := range []struct{ a, b, want int64 }{
		{1, 2, 3}, {math.MaxInt64 - 1, 1, math.MaxInt64}, {math.MaxInt64 - 1, 2, math.MaxInt64}, {math.MaxInt64, 1 << 50, math.MaxInt64},
	} {
		if got := added(c.a, c.b); got != c.want {
			t.Errorf("%d and %d are %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestLinesThatAreNoRequestsAreKept(t *testing.T) {
	d := processortest.New(t, Build, processortest.Partitions(4))
	in := processortest.Input(d, accessTopic())
	dead := processortest.Output(d, stream.Topic[[]byte, []byte]{Name: deadTopic, Key: serde.Bytes, Value: serde.Bytes})
	lines := []string{"", "\xff\xfe not a line", `10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /" 200`}
	for _, line := range lines {
		in.PutTo(0, noon(), nil, []byte(line))
	}
	d.Commit()
	got := dead.Drain()
	if len(got) != len(lines) {
		t.Fatalf("%d dead letters of %d lines", len(got), len(lines))
	}
	for i, r := range got {
		if !r.NullKey || string(r.Value) != lines[i] || r.Partition != 0 || !r.Time.Equal(noon()) {
			t.Errorf("line %q became %+v", lines[i], r)
		}
	}
}

func TestTheRealLogIsCountedExactlyOnce(t *testing.T) {
	const lines = 1500
	processortest.CheckExactlyOnce(t, Build, func(d *processortest.Driver) {
		in := processortest.Input(d, accessTopic())
		n := 0
		for line := range strings.Lines(testdata.WebAccessLog()) {
			r, err := accesslog.Parse([]byte(line))
			if err != nil {
				t.Fatal(err)
			}
			in.PutRaw(time.UnixMilli(r.Time), []byte(r.Client), []byte(strings.TrimSuffix(line, "\n")))
			if n++; n == lines {
				break
			}
		}
	}, processortest.Partitions(4))
}
