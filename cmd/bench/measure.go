package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/internal/kafka"
	"github.com/millrace/millrace/cmd/internal/workload"
)

// The input of a measurement is that of the contract.
const (
	measureKeys       = 10_000
	measureValueSize  = 100
	measureRate       = 50_000
	measurePartitions = 8
	measureBatchBytes = 64 << 10
	measureFlush      = time.Minute
	measureLimit      = 600 // seconds that a workload may take
)

// measure starts a broker, loads an input, runs Millrace over it and checks what
// it wrote: a run whose check fails has no figures.
func measure(fs *flag.FlagSet) action {
	kind := fs.String("broker", "embedded", "embedded (in this process) or kafka (a real one beside it)")
	n := fs.Int64("n", 5_000_000, "number of records")
	seed := fs.Uint64("seed", 1, "seed of the input")
	loads := fs.String("workload", "tumble", "workloads, with commas")
	return func(ctx context.Context, _ workload.Cluster, out io.Writer) error {
		addrs, stop, err := startBroker(ctx, *kind)
		if err != nil {
			return err
		}
		defer stop()
		cluster := workload.Cluster{Options: []kgo.Opt{kgo.SeedBrokers(addrs...)}}
		if err := loadMeasured(ctx, cluster, *n, *seed); err != nil {
			return err
		}
		for _, load := range strings.Split(*loads, ",") {
			r := contenderRun{
				workload: load, in: "in", out: "out-" + load, brokers: strings.Join(addrs, ","), appID: "bench-" + load,
				config: "M1", guarantee: "eos", commitMS: 100, workers: 1, maxSeconds: measureLimit,
			}
			if err := r.verified(ctx, cluster, out); err != nil {
				return err
			}
		}
		return nil
	}
}

// verified runs the contender, checks its output and only then prints the
// figures.
func (r *contenderRun) verified(ctx context.Context, cluster workload.Cluster, out io.Writer) error {
	f, err := r.measure(ctx, cluster)
	if err != nil {
		return err
	}
	if !f.Complete {
		return fmt.Errorf("%s: no figures, for it is incomplete after %.0f s: %d of %d records are committed", r.workload, f.Wall, f.Committed, f.Records)
	}
	v, err := workload.Check{Cluster: cluster, Workload: r.workload, Inputs: []string{r.in}, Sink: r.out, Grace: int64(r.graceMS)}.Run(ctx)
	if err == nil {
		err = v.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: no figures, for its output is wrong: %w", r.workload, err)
	}
	f.Checked = v.Passed
	return f.print(out)
}

// startBroker starts a broker and returns its addresses and how to stop it.
func startBroker(ctx context.Context, kind string) (addrs []string, stop func(), err error) {
	switch kind {
	case "embedded":
		c, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			return nil, nil, fmt.Errorf("start the embedded broker: %w", err)
		}
		return c.ListenAddrs(), c.Close, nil
	case "kafka":
		b, err := kafka.Start(ctx, kafka.Options{})
		if err != nil {
			return nil, nil, err
		}
		return []string{b.Addr()}, func() { _ = b.Kill() }, nil
	}
	return nil, nil, fmt.Errorf("there is no broker %q: embedded or kafka", kind)
}

func loadMeasured(ctx context.Context, cluster workload.Cluster, n int64, seed uint64) error {
	gen, err := workload.NewGen(workload.Parameters{Keys: measureKeys, ValueSize: measureValueSize, Rate: measureRate, Seed: seed})
	if err != nil {
		return err
	}
	in, err := workload.NewInput(gen, n, measurePartitions, measureFlush)
	if err != nil {
		return err
	}
	_, err = workload.Load{Cluster: cluster, Input: in, Topic: "in", BatchBytes: measureBatchBytes}.Run(ctx)
	return err
}
