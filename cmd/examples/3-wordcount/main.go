// Command 3-wordcount counts how often each word was said, exactly once. The
// lines come keyed by anything; the words are brought together by a repartition
// topic, which the application makes itself.
//
//	kafka-topics.sh --bootstrap-server localhost:9092 --create --topic lines --partitions 4
//	kafka-topics.sh --bootstrap-server localhost:9092 --create --topic word-counts --partitions 4
//	go run ./cmd/examples/3-wordcount
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

// The topics.
var (
	Lines  = stream.Topic[string, string]{Name: "lines", Key: serde.String, Value: serde.String}
	Counts = stream.Topic[string, int64]{Name: "word-counts", Key: serde.String, Value: serde.Int64}
)

// Build says what the application does: split into words, bring equal words
// together, count, send on what changed.
func Build(b *stream.Builder) {
	words := stream.FlatMapValues(stream.From(b, Lines), strings.FieldsSeq)
	lower := func(_, word string) string { return strings.ToLower(word) }
	byWord := stream.GroupBy("by-word", words, lower, serde.String, serde.String)
	stream.To(stream.Count("totals", byWord).Changes(), Counts)
}

func main() {
	brokers := flag.String("brokers", "localhost:9092", "comma-separated addresses of the Kafka cluster")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	err := run(ctx, strings.Split(*brokers, ","))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "wordcount:", err)
		os.Exit(1)
	}
}

// run processes until ctx ends.
func run(ctx context.Context, brokers []string) error {
	b := stream.New("wordcount")
	Build(b)
	topology, err := b.Build()
	if err != nil {
		return err
	}
	app, err := processor.New(topology, processor.Config{
		ApplicationID: "wordcount", Brokers: brokers,
		Events: processor.EventListener{Warning: func(err error) { fmt.Fprintln(os.Stderr, "warning:", err) }},
	})
	if err != nil {
		return err
	}
	return app.Run(ctx)
}
