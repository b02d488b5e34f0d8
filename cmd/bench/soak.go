package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/bench/internal/compare"
	"github.com/millrace/millrace/cmd/bench/internal/soak"
	"github.com/millrace/millrace/cmd/internal/kafka"
	"github.com/millrace/millrace/cmd/internal/workload"
)

// soakLoad starts a real broker and runs Millrace on it under a load below its limit,
// killed once a minute; whatever is not as it must be is an error.
func soakLoad(fs *flag.FlagSet) action {
	minutes := fs.Float64("minutes", 15, "length of the load")
	rate := fs.Int64("rate", 0, "records per second that Millrace is able to do here, see table")
	percent := fs.Int64("percent", 70, "the load in percent of the rate")
	every := fs.Duration("every", time.Minute, "time between two kills")
	name := fs.String("workload", "tumblefinal", "workload")
	keys := fs.Int64("keys", 10_000, "number of distinct key ids")
	size := fs.Int("value-size", 100, "value bytes")
	commitMS := fs.Int("commit-ms", 100, "commit interval")
	threads := fs.Int("threads", 1, "workers")
	seed := fs.Uint64("seed", 1, "seed of the input")
	return func(ctx context.Context, _ workload.Cluster, out io.Writer) error {
		if *rate < 1 || *minutes <= 0 {
			return fmt.Errorf("soak: -rate %d for %v minutes: the rate must be said", *rate, *minutes)
		}
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("soak: this program: %w", err)
		}
		return soakOn(ctx, &soak.Soak{
			Processor: []string{self, "run", "--forever", "--workload", *name, "--commit-ms", strconv.Itoa(*commitMS), "--threads", strconv.Itoa(*threads)},
			Workload:  *name, Length: time.Duration(*minutes * float64(time.Minute)), Every: *every, Pace: max(1, *rate**percent/100),
			Keys: *keys, ValueSize: *size, Seed: *seed, Talk: out,
		})
	}
}

// soakOn runs a soak on a broker of its own. What the processor wrote stays.
func soakOn(ctx context.Context, s *soak.Soak) error {
	root, err := compare.Root()
	if err != nil {
		return err
	}
	s.Dir = filepath.Join(root, ".cache", "bench", "soak-"+time.Now().UTC().Format("20060102-150405"))
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	b, err := kafka.Start(ctx, kafka.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = b.Kill() }()
	s.Cluster, s.Brokers = workload.Cluster{Options: []kgo.Opt{kgo.SeedBrokers(b.Addr())}}, b.Addr()
	v, err := s.Run(ctx)
	if err != nil {
		return fmt.Errorf("%w (its log is in %s)", err, s.Dir)
	}
	fmt.Fprint(s.Talk, v)
	return v.Err()
}
