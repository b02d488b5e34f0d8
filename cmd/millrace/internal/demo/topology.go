package demo

import (
	"math"
	"time"

	"github.com/millrace/millrace/cmd/millrace/internal/accesslog"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

const (
	applicationID = "millrace-demo"
	trafficStore  = "traffic-5m"
	deadTopic     = "web.access.dead"

	windowSize = 5 * time.Minute
	disorder   = time.Minute
	// anyFuture lets a log say any time: what it says depends on the log alone
	// then, not on the day the demo is run.
	anyFuture = 250 * 365 * 24 * time.Hour
)

// Traffic is what one client asked for in one window. Bytes is at most
// math.MaxInt64, and stays there.
type Traffic struct {
	Requests int64 `json:"requests"`
	Bytes    int64 `json:"bytes"`
}

// added is the sum of two sizes that are not negative.
func added(a, b int64) int64 { return a + min(b, math.MaxInt64-a) }

func accessTopic() stream.Topic[string, accesslog.Request] {
	return stream.Topic[string, accesslog.Request]{Name: "web.access", Key: serde.String, Value: accesslog.Line}
}

func trafficTopic() stream.Topic[windowing.Key[string], Traffic] {
	return stream.Topic[windowing.Key[string], Traffic]{
		Name: "web.traffic.5m", Key: windowing.KeySerde(serde.String, windowSize), Value: serde.JSON[Traffic](),
	}
}

func lateTopic() stream.Topic[string, accesslog.Request] {
	return stream.Topic[string, accesslog.Request]{Name: "web.traffic.late", Key: serde.String, Value: serde.JSON[accesslog.Request]()}
}

// Build is the application: requests and bytes of each client in windows of
// five minutes. Lines that are no requests go to web.access.dead, requests that
// come when their window is closed to web.traffic.late.
func Build(b *stream.Builder) {
	b.DeadLetter(deadTopic)
	requests := stream.From(b, accessTopic(), stream.Watermark(windowing.Bounded(disorder).MaxAhead(anyFuture)))
	perClient := stream.Window(stream.GroupByKey(requests), windowing.Tumbling(windowSize).Emit(windowing.OnClose))
	traffic := stream.AggregateWindows(trafficStore, perClient, stream.Aggregator[string, accesslog.Request, Traffic]{
		Add: func(_ string, r accesslog.Request, sum Traffic) Traffic {
			return Traffic{Requests: sum.Requests + 1, Bytes: added(sum.Bytes, r.Bytes)}
		},
		State: serde.JSON[Traffic](),
	})
	stream.To(traffic.Results, trafficTopic())
	stream.To(traffic.Late, lateTopic())
}
