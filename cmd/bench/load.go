package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/millrace/millrace/cmd/internal/workload"
)

// load fills one input topic. What it writes is a function of its flags alone.
func load(fs *flag.FlagSet) action {
	topic := fs.String("topic", "", "topic to fill")
	n := fs.Int64("n", 1_000_000, "number of records")
	partitions := fs.Int("partitions", 8, "partitions")
	batchBytes := fs.Int("batch-bytes", 64<<10, "size of a record batch")
	recreate := fs.Bool("recreate", false, "delete the topic first if it exists")
	flush := fs.Duration("flush", 0, "end every partition with a flush record this far after the last event time, 0 = none")
	p := parameters(fs)
	return func(ctx context.Context, cluster workload.Cluster, out io.Writer) error {
		if *topic == "" {
			return errors.New("load: -topic is required")
		}
		gen, err := workload.NewGen(*p)
		if err != nil {
			return err
		}
		if p.EveryKey {
			*n = p.Keys
		}
		in, err := workload.NewInput(gen, *n, *partitions, *flush)
		if err != nil {
			return err
		}
		done, err := workload.Load{Cluster: cluster, Input: in, Topic: *topic, BatchBytes: *batchBytes, Recreate: *recreate}.Run(ctx)
		switch {
		case err != nil:
			return err
		case done.Existed:
			fmt.Fprintf(out, "%s: %d records are there already\n", *topic, done.Records)
		default:
			fmt.Fprintf(out, "%s: %d records in %.1f s, %.0f rec/s, per partition %v\n",
				*topic, done.Records, done.Took.Seconds(), float64(done.Records)/done.Took.Seconds(), done.PerPartition)
		}
		return nil
	}
}

// parameters declares the generator's flags.
func parameters(fs *flag.FlagSet) *workload.Parameters {
	p := new(workload.Parameters)
	fs.Int64Var(&p.Keys, "keys", 10_000, "number of distinct key ids")
	fs.Float64Var(&p.Zipf, "zipf", 0, "zipf exponent of the key ids, 0 = uniform")
	fs.IntVar(&p.ValueSize, "value-size", 100, "value bytes")
	fs.Int64Var(&p.Rate, "rate", 50_000, "records per second of event time; of lat: records sent per second")
	fs.Int64Var(&p.Jitter, "jitter", 0, "10 % of the records get up to this many ms subtracted")
	fs.Uint64Var(&p.Seed, "seed", 1, "seed")
	fs.BoolVar(&p.EveryKey, "every-key", false, "one record for each of the key ids, in their order; -n is then -keys")
	return p
}
