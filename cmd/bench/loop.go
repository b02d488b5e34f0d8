package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/millrace/millrace/cmd/bench/internal/limit"
	"github.com/millrace/millrace/cmd/bench/internal/meter"
	"github.com/millrace/millrace/cmd/internal/workload"
)

// limitLoop drains a topic with plain franz-go and prints one JSON line about it, as of a
// contender.
func limitLoop(fs *flag.FlagSet) action {
	var l limit.Loop
	declareLoop(fs, &l)
	maxSeconds := fs.Float64("max-s", 170, "give up after this time, without -follow; the result then says so, and the exit status is 1")
	profile := fs.String("cpuprofile", "", "write a CPU profile to this file")
	return func(ctx context.Context, cluster workload.Cluster, out io.Writer) error {
		l.Cluster = cluster
		if l.Matched.Topic == "" {
			l.Matched.Topic = l.Out + "-changelog"
		}
		if !l.Follow {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Duration(*maxSeconds*float64(time.Second)))
			defer cancel()
		}
		stop, err := profileTo(*profile)
		if err != nil {
			return err
		}
		r, err := l.Run(ctx)
		if stopErr := stop(); err == nil {
			err = stopErr
		}
		if err != nil {
			return err
		}
		f := loopFigures(&l, r)
		if err := f.print(out); err != nil {
			return err
		}
		if !r.Complete && !l.Follow {
			return fmt.Errorf("loop: incomplete after %.0f s: %d of %d records are done", f.Wall, f.Committed, f.Records)
		}
		return nil
	}
}

func declareLoop(fs *flag.FlagSet, l *limit.Loop) {
	fs.StringVar(&l.Mode, "mode", "L0", "one of "+strings.Join(limit.Modes(), ", "))
	fs.StringVar(&l.In, "in", "", "input topic")
	fs.StringVar(&l.Out, "out", "", "output topic, made anew")
	fs.DurationVar(&l.Interval, "interval", 100*time.Millisecond, "commit interval")
	fs.StringVar(&l.Group, "group", "bench-loop", "group id, also the prefix of the transactional ids; all modes start at the beginning of the input all the same")
	fs.IntVar(&l.Poll, "poll", 2000, "records per poll; bounds how late an interval can end")
	fs.BoolVar(&l.Follow, "follow", false, "do not stop at the end of the input but run until interrupted, and keep the output topic")
	fs.IntVar(&l.BrokerPID, "broker-pid", 0, "also account this process's CPU time")
	p := &l.Producer
	fs.IntVar(&p.Buffered, "buffered", 30_000, "kgo.MaxBufferedRecords, and for pipelined modes the most records held back; it bounds the backlog a flush waits for")
	fs.DurationVar(&p.Linger, "linger", 5*time.Millisecond, "producer linger")
	fs.DurationVar(&p.MetadataMinAge, "metadata-min-age", 10*time.Millisecond, "kgo.MetadataMinAge; a produce answered CONCURRENT_TRANSACTIONS waits this long")
	fs.DurationVar(&p.Backoff, "txn-backoff", 2*time.Millisecond, "kgo.ConcurrentTransactionsBackoff")
	fs.IntVar(&p.BatchBytes, "batch-bytes", 1_000_000, "kgo.ProducerBatchMaxBytes")
	fs.StringVar(&p.Compression, "compression", "none", "none, lz4 or snappy")
	fs.BoolVar(&p.CountConflicts, "conflicts", false, "count CONCURRENT_TRANSACTIONS answers by the client's debug log, which costs some CPU time")
	m := &l.Matched
	fs.StringVar(&m.Topic, "changelog", "", "L3: changelog topic, made anew (default: the output topic's name with -changelog)")
	fs.Float64Var(&m.OutputsPerRecord, "outputs-per-record", 0, "L3: outputs for each input record, produced as the input comes")
	fs.Float64Var(&m.ChangelogPerRecord, "changelog-per-record", 0, "L3: changelog entries for each input record, produced at the commit")
	fs.Float64Var(&m.OutputsPerCommit, "outputs-per-commit", 0, "L3: outputs for each commit, in addition")
	fs.Float64Var(&m.ChangelogPerCommit, "changelog-per-commit", 0, "L3: changelog entries for each commit, in addition")
	fs.IntVar(&m.OutputBytes, "output-bytes", 41, "L3: encoded size of an output: output_bytes / outputs of the contender")
	fs.IntVar(&m.ChangelogBytes, "changelog-bytes", 49, "L3: encoded size of a changelog entry: changelog_bytes / changelog of the contender")
}

// loopFigures are the figures of a loop. Its workload is copy, but for what consumes only
// or matches another's.
func loopFigures(l *limit.Loop, r limit.Result) figures {
	f := figures{
		Workload: "copy", Config: l.Mode, Contender: "loop", Guarantee: "eos", Threads: 1, CommitMS: l.Interval.Milliseconds(),
		Records: r.Total, Committed: r.Committed, Complete: r.Complete, Wall: meter.Round(r.Took.Seconds(), 2),
		Commits: len(r.Commits), CommitDelays: r.Commits.Percentiles(),
		Outputs: r.Outputs.Records, OutputBytes: r.Outputs.Bytes, Changelog: r.Changelog.Records, ChangelogBytes: r.Changelog.Bytes,
	}
	switch l.Mode {
	case "L0":
		f.Workload, f.Guarantee = "consume", "none"
	case "L1":
		f.Guarantee = "alo"
	case "L3", "L3p":
		f.Workload = "matched"
	}
	if len(r.Flush) > 0 {
		f.Steps = map[string]meter.Percentiles{"flush": r.Flush.Percentiles(), "offsets": r.Offsets.Percentiles(), "end": r.End.Percentiles()}
	}
	if l.Producer.CountConflicts {
		f.Conflicts = &r.Conflicts
	}
	f.steady(r.Steady)
	f.process()
	return f
}
