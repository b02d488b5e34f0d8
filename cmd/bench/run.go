package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/millrace/millrace/cmd/internal/workload"
	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/state"
)

// contenderRun is one run of Millrace over one of the contract's workloads, as its flags
// say. They are those of the Kafka Streams contender.
type contenderRun struct {
	workload, in, out        string
	brokers, stateDir, appID string
	config, set, guarantee   string
	commitMS, graceMS        int
	workers                  int
	maxSeconds               float64
	reset, cleanup           bool
	restore, forever         bool
	describe, trace, verbose bool
	brokerPID                int
	profile                  string

	talk io.Writer // for what is not the result
}

func (r *contenderRun) declare(fs *flag.FlagSet) {
	fs.StringVar(&r.workload, "workload", "tumble", "one of "+strings.Join(workloads(), ", "))
	fs.StringVar(&r.config, "config", "M1", "how Millrace is tuned: "+presetsAbout())
	fs.StringVar(&r.set, "set", "", "k=v,k=v: override single settings of the config: "+strings.Join(settingNames(), ", "))
	fs.StringVar(&r.in, "in", "", "input topic")
	fs.StringVar(&r.out, "out", "", "sink topic, created with the input's partitions if it does not exist")
	fs.StringVar(&r.guarantee, "guarantee", "eos", "eos or alo")
	fs.IntVar(&r.commitMS, "commit-ms", 100, "commit interval")
	fs.IntVar(&r.workers, "threads", 1, "workers")
	fs.IntVar(&r.graceMS, "grace-ms", 0, "grace of windows and sessions")
	fs.StringVar(&r.appID, "app-id", "bench-millrace", "application id")
	fs.StringVar(&r.stateDir, "state-dir", "", "state directory (default: a temporary one)")
	fs.BoolVar(&r.reset, "reset", false, "first delete the sink, internal topics, group and local state")
	fs.BoolVar(&r.cleanup, "cleanup", false, "afterwards delete internal topics, group and local state")
	fs.Float64Var(&r.maxSeconds, "max-s", 170, "give up after this time; the result then says so, and the exit status is 1")
	fs.BoolVar(&r.restore, "restore", false, "do not stop before something was restored (restart of a drained application whose state directory is gone)")
	fs.BoolVar(&r.forever, "forever", false, "do not stop (latency runs); end it with SIGTERM")
	fs.BoolVar(&r.describe, "describe", false, "print the topology on stderr")
	fs.BoolVar(&r.trace, "trace", false, "print the progress on stderr every two seconds")
	fs.BoolVar(&r.verbose, "v", false, "log on stderr")
	fs.IntVar(&r.brokerPID, "broker-pid", 0, "also account this process's CPU time")
	fs.StringVar(&r.profile, "cpuprofile", "", "write a CPU profile to this file")
	r.talk = fs.Output()
}

func presetsAbout() string {
	var all []string
	for _, p := range presets() {
		all = append(all, p.name+" ("+p.about+")")
	}
	return strings.Join(all, ", ")
}

// runContender drains an input topic through Millrace and prints one JSON line about it.
func runContender(fs *flag.FlagSet) action {
	var r contenderRun
	r.declare(fs)
	return func(ctx context.Context, cluster workload.Cluster, out io.Writer) (err error) {
		r.brokers = fs.Lookup("brokers").Value.String()
		stop, err := profileTo(r.profile)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
		f, err := r.measure(ctx, cluster)
		if err != nil {
			return err
		}
		if err := f.print(out); err != nil {
			return err
		}
		if !f.Complete && !r.forever {
			return fmt.Errorf("run: incomplete after %.0f s: %d of %d records are committed", f.Wall, f.Committed, f.Records)
		}
		return nil
	}
}

func (r *contenderRun) validate() error {
	switch {
	case r.in == "" || r.out == "":
		return errors.New("run: -in and -out are required")
	case r.guarantee != "eos" && r.guarantee != "alo":
		return fmt.Errorf("run: there is no guarantee %q, want eos or alo", r.guarantee)
	case r.restore && r.stateDir == "":
		return errors.New("run: -restore needs the -state-dir whose content was lost")
	}
	// The name is a folder's, and -reset deletes it: all must be right before that.
	if err := state.LegalName(r.appID); err != nil {
		return fmt.Errorf("run: -app-id: %w", err)
	}
	if _, err := topologyOf(r.workload, r.in, r.out, 0); err != nil {
		return err
	}
	_, err := r.processorConfig()
	return err
}

// processorConfig is what a user would give processor.New.
func (r *contenderRun) processorConfig() (processor.Config, error) {
	cfg := processor.Config{
		ApplicationID: r.appID, Brokers: strings.Split(r.brokers, ","), StateDir: r.stateDir, Workers: r.workers,
		CommitInterval: time.Duration(r.commitMS) * time.Millisecond,
	}
	if r.guarantee == "alo" {
		cfg.Guarantee = processor.AtLeastOnce
	}
	if r.verbose {
		log, err := zap.NewDevelopment()
		if err != nil {
			return cfg, fmt.Errorf("run: open the log for -v: %w", err)
		}
		cfg.Logger = log
	}
	return cfg, tune(&cfg, r.config, r.set)
}
