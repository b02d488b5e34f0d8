package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/millrace/millrace/cmd/internal/kafka"
	"github.com/millrace/millrace/cmd/internal/workload"
)

// brokerStop bounds the shutdown of the broker.
const brokerStop = 30 * time.Second

// broker runs a real Kafka broker until the program is interrupted, and prints
// its address and process id first.
func broker(*flag.FlagSet) action {
	return func(ctx context.Context, _ workload.Cluster, out io.Writer) error {
		b, err := kafka.Start(ctx, kafka.Options{})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s %d\n", b.Addr(), b.PID())
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.Background(), brokerStop)
		defer cancel()
		return b.Stop(stop)
	}
}
