// Command 1-views-per-page counts how often each page was viewed, exactly once.
//
//	kafka-topics.sh --bootstrap-server localhost:9092 --create --topic page-views --partitions 4
//	kafka-topics.sh --bootstrap-server localhost:9092 --create --topic views-per-page --partitions 4
//	go run ./cmd/examples/1-views-per-page
//
// The views come keyed by page, as a producer with the page as key writes them:
//
//	echo '/home|{"visitor":"ann"}' | kafka-console-producer.sh --bootstrap-server localhost:9092 \
//	    --topic page-views --property parse.key=true --property key.separator='|'
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
)

// A View is one look at a page.
type View struct {
	Visitor string `json:"visitor"`
}

// The topics.
var (
	Views   = stream.Topic[string, View]{Name: "page-views", Key: serde.String, Value: serde.JSON[View]()}
	PerPage = stream.Topic[string, int64]{Name: "views-per-page", Key: serde.String, Value: serde.Int64}
)

// Build says what the application does: count by key, send on what changed.
func Build(b *stream.Builder) {
	views := stream.From(b, Views)
	perPage := stream.Count("views", stream.GroupByKey(views))
	stream.To(perPage.Changes(), PerPage)
}

func main() {
	brokers := flag.String("brokers", "localhost:9092", "comma-separated addresses of the Kafka cluster")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	err := run(ctx, strings.Split(*brokers, ","))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "views-per-page:", err)
		os.Exit(1)
	}
}

// run processes until ctx ends.
func run(ctx context.Context, brokers []string) error {
	b := stream.New("views-per-page")
	Build(b)
	topology, err := b.Build() // every mistake in the wiring, before any broker is dialed
	if err != nil {
		return err
	}
	app, err := processor.New(topology, processor.Config{
		ApplicationID: "views-per-page", Brokers: brokers,
		Events: processor.EventListener{Warning: func(err error) { fmt.Fprintln(os.Stderr, "warning:", err) }},
	})
	if err != nil {
		return err
	}
	return app.Run(ctx)
}
