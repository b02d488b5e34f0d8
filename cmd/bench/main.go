// Command bench holds the tools of the benchmarks: a deterministic loader, Millrace as a
// contender, the plain loops that mark the physical limit, an open-loop latency probe and
// an independent checker. See README.md, and CONTRACT.md for the data and the workloads.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/internal/workload"
)

// errUsage says that the arguments make no sense; what is wrong with them has been
// printed already.
var errUsage = errors.New("usage")

// A command declares its flags on fs and returns what to do once they are parsed.
type command struct {
	name, help string
	declare    func(fs *flag.FlagSet) action
	// own says that it starts a broker of its own and takes no other.
	own bool
}

// action does a command's work and writes its results to out.
type action func(ctx context.Context, cluster workload.Cluster, out io.Writer) error

func commands() []command {
	return []command{
		{"broker", "run a real Kafka broker until interrupted; prints its address and process id", broker, true},
		{"load", "fill an input topic", load, false},
		{"topic", "create, recreate or delete sink topics", topic, false},
		{"run", "drain an input topic through Millrace and measure it", runContender, false},
		{"loop", "drain an input topic with plain franz-go: the physical limit", limitLoop, false},
		{"lat", "open-loop latency from a source to a sink topic through a contender", latency, false},
		{"measure", "start a broker, load, run Millrace and check, all in one", measure, true},
		{"table", "all contenders side by side on a real broker: make the runs that are missing, print the table", table, true},
		{"chart", "draw the history as a picture, testdata/bench/rates.svg", chart, true},
		{"soak", "run Millrace under load on a real broker for minutes, kill it once in each, and judge it", soakLoad, true},
		{"check", "compare a sink topic with the truth recomputed from the input", check, false},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run finds the command and does it.
func run(ctx context.Context, args []string, out, talk io.Writer) error {
	for _, c := range commands() {
		if len(args) == 0 || c.name != args[0] {
			continue
		}
		fs := flag.NewFlagSet("bench "+c.name, flag.ContinueOnError)
		fs.SetOutput(talk)
		brokers := new(string)
		if !c.own {
			fs.StringVar(brokers, "brokers", "127.0.0.1:9092", "comma-separated bootstrap addresses")
		}
		do := c.declare(fs)
		err := fs.Parse(args[1:])
		switch {
		case errors.Is(err, flag.ErrHelp):
			return nil
		case err != nil:
			return errUsage
		case fs.NArg() > 0:
			return fmt.Errorf("%s takes no arguments but flags, got %q", c.name, fs.Args())
		}
		seeds := strings.Split(*brokers, ",")
		return do(ctx, workload.Cluster{Options: []kgo.Opt{kgo.SeedBrokers(seeds...)}}, out)
	}
	if len(args) > 0 {
		fmt.Fprintf(talk, "there is no command %q\n", args[0])
	}
	fmt.Fprintln(talk, "usage: bench COMMAND [flags]   (COMMAND -h lists the flags)")
	for _, c := range commands() {
		fmt.Fprintf(talk, "  %-7s %s\n", c.name, c.help)
	}
	return errUsage
}
