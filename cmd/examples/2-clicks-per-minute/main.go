// Command 2-clicks-per-minute counts the clicks of each user in each minute of
// event time. The count of a minute is sent once, when it is closed: when a
// click of the same partition is ten seconds past its end, so clicks may be up
// to ten seconds out of order. What comes later still is not lost, but goes to a
// topic of its own.
//
//	for topic in clicks clicks-per-minute clicks-late; do
//	    kafka-topics.sh --bootstrap-server localhost:9092 --create --topic $topic --partitions 4
//	done
//	go run ./cmd/examples/2-clicks-per-minute
//
// The clicks come keyed by user:
//
//	echo 'ann|{"url":"/buy","at":"2026-11-20T12:00:07Z"}' | kafka-console-producer.sh --bootstrap-server localhost:9092 \
//	    --topic clicks --property parse.key=true --property key.separator='|'
//
// Send a later click of the same user, "at" two minutes further, to see the
// first minute.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// A Click is one click of a user.
type Click struct {
	URL string    `json:"url"`
	At  time.Time `json:"at"`
}

// The topics. The time of a click is in the click itself.
var (
	Clicks = stream.Topic[string, Click]{
		Name: "clicks", Key: serde.String, Value: serde.JSON[Click](),
		EventTime: func(r *stream.Record[string, Click]) time.Time { return r.Value.At },
	}
	PerMinute = stream.Topic[windowing.Key[string], int64]{
		Name: "clicks-per-minute", Key: windowing.KeySerde(serde.String, time.Minute), Value: serde.Int64,
	}
	Late = stream.Topic[string, Click]{Name: "clicks-late", Key: serde.String, Value: serde.JSON[Click]()}
)

// Build says what the application does.
func Build(b *stream.Builder) {
	clicks := stream.From(b, Clicks, stream.Watermark(windowing.Bounded(10*time.Second)))
	minutes := windowing.Tumbling(time.Minute).Emit(windowing.OnClose)
	perMinute := stream.CountWindows("clicks-1m", stream.Window(stream.GroupByKey(clicks), minutes))
	stream.To(perMinute.Results, PerMinute)
	stream.To(perMinute.Late, Late)
}

func main() {
	brokers := flag.String("brokers", "localhost:9092", "comma-separated addresses of the Kafka cluster")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	err := run(ctx, strings.Split(*brokers, ","))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "clicks-per-minute:", err)
		os.Exit(1)
	}
}

// run processes until ctx ends.
func run(ctx context.Context, brokers []string) error {
	b := stream.New("clicks-per-minute")
	Build(b)
	topology, err := b.Build()
	if err != nil {
		return err
	}
	app, err := processor.New(topology, processor.Config{
		ApplicationID: "clicks-per-minute", Brokers: brokers,
		Events: processor.EventListener{Warning: func(err error) { fmt.Fprintln(os.Stderr, "warning:", err) }},
	})
	if err != nil {
		return err
	}
	return app.Run(ctx)
}
