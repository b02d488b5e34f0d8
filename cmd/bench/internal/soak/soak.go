// Package soak runs Millrace for a long time under a load below its limit, kills it
// without warning once a minute, and judges what it leaves: memory and files that do
// not grow, a backlog that it works off between two kills, and an output that is exact.
package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/cmd/bench/internal/compare"
	"github.com/millrace/millrace/cmd/internal/proc"
	"github.com/millrace/millrace/cmd/internal/workload"
)

const (
	partitions = 8
	batchBytes = 64 << 10
	flushAhead = time.Minute

	topicIn  = "soak-in"
	topicOut = "soak-out"
	appID    = "soak"

	// stopTimeout bounds an orderly stop at the end, drainTimeout the time from the last
	// record to a backlog of nothing.
	stopTimeout  = 30 * time.Second
	drainTimeout = 3 * time.Minute
)

// A Soak is one such run.
type Soak struct {
	Cluster workload.Cluster
	Brokers string
	// Processor is the command line of the processor, without what says where: it gets
	// brokers, topics, application id and state directory added.
	Processor []string
	// Workload that it runs, for the check.
	Workload string
	// Length of the load, Every the time between two kills, the first after half of it.
	Length, Every time.Duration
	// Pace of the load in records per second.
	Pace int64
	// Input parameters; the rate of event time is the pace.
	Keys      int64
	ValueSize int
	Seed      uint64
	// Dir takes state and log.
	Dir  string
	Talk io.Writer

	adm   *kadm.Client
	child *proc.Child
	began time.Time
	kills []time.Duration
	taken []sample
}

// Run does it all and returns the verdict. The error says that there is none, or that
// the processor ended by itself.
func (s *Soak) Run(ctx context.Context) (Verdict, error) {
	cl, err := s.Cluster.Client()
	if err != nil {
		return Verdict{}, err
	}
	defer cl.Close()
	s.adm = kadm.NewClient(cl)
	if err := compare.Ready(ctx, s.adm); err != nil {
		return Verdict{}, err
	}
	load, err := s.input(ctx)
	if err != nil {
		return Verdict{}, err
	}
	if err := s.start(); err != nil {
		return Verdict{}, err
	}
	defer func() { s.child.Kill() }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	loaded := make(chan error, 1)
	s.began = time.Now()
	go func() {
		_, err := load.Run(ctx)
		loaded <- err
	}()
	if err := s.watch(ctx, loaded); err != nil {
		return Verdict{}, err
	}
	return s.judge(ctx)
}

// input makes both topics and describes the load.
func (s *Soak) input(ctx context.Context) (workload.Load, error) {
	for _, topic := range []string{topicIn, topicOut} {
		if _, err := s.Cluster.CreateTopic(ctx, topic, partitions, true); err != nil {
			return workload.Load{}, err
		}
	}
	gen, err := workload.NewGen(workload.Parameters{Keys: s.Keys, ValueSize: s.ValueSize, Rate: s.Pace, Seed: s.Seed})
	if err != nil {
		return workload.Load{}, err
	}
	n := int64(s.Length.Seconds() * float64(s.Pace))
	in, err := workload.NewInput(gen, n, partitions, flushAhead)
	fmt.Fprintf(s.Talk, "%d records at %d per second for %v, %.1f GB of input\n", n, s.Pace, s.Length, float64(n)*float64(s.ValueSize+26)/1e9)
	return workload.Load{Cluster: s.Cluster, Input: in, Topic: topicIn, BatchBytes: batchBytes, Pace: s.Pace}, err
}

// start starts the processor on whatever its disk has kept.
func (s *Soak) start() (err error) {
	log := filepath.Join(s.Dir, "processor.log")
	args := append(s.Processor[:len(s.Processor):len(s.Processor)],
		"--brokers", s.Brokers, "--in", topicIn, "--out", topicOut, "--app-id", appID, "--state-dir", s.stateDir())
	s.child, err = proc.Start(proc.Command{Args: args, Stdout: log, Stderr: log})
	return err
}

func (s *Soak) stateDir() string { return filepath.Join(s.Dir, "state") }

// watch samples and kills until the input is loaded and drained.
func (s *Soak) watch(ctx context.Context, loaded <-chan error) error {
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	nextKill := s.Every / 2
	var end time.Time // of the load
	for {
		select {
		case err := <-loaded:
			if err != nil {
				return err
			}
			end, loaded = time.Now(), nil
			continue
		case <-s.child.Done():
			return fmt.Errorf("soak: the processor ended by itself: %w: %s", s.child.Err(), s.child.LastWords())
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		x, err := s.look(ctx, end.IsZero())
		switch {
		case err != nil:
			return err
		case !end.IsZero() && x.lag == 0:
			return nil
		case !end.IsZero() && time.Since(end) > drainTimeout:
			return fmt.Errorf("soak: %d records of backlog %v after the end of the load", x.lag, drainTimeout)
		case end.IsZero() && time.Since(s.began) >= nextKill:
			nextKill += s.Every
			if err := s.kill(x); err != nil {
				return err
			}
		}
	}
}

// kill ends the processor without warning and starts it again.
func (s *Soak) kill(x sample) error {
	s.child.Kill()
	s.kills = append(s.kills, time.Since(s.began))
	fmt.Fprintf(s.Talk, "%4.0f s: kill %d at %d MB, %d files, backlog %d\n", x.at.Seconds(), len(s.kills), x.resident>>20, x.files, x.lag)
	return s.start()
}

// judge stops the processor in order, checks the output and sums up.
func (s *Soak) judge(ctx context.Context) (Verdict, error) {
	stop, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if err := s.child.Terminate(stop); err != nil {
		return Verdict{}, err
	}
	if err := s.child.Err(); err != nil {
		return Verdict{}, fmt.Errorf("soak: the processor, asked to stop, ended with %w: %s", err, s.child.LastWords())
	}
	v := judge(s.taken, s.kills, s.Pace, s.Every)
	checked, err := workload.Check{Cluster: s.Cluster, Workload: s.Workload, Inputs: []string{topicIn}, Sink: topicOut}.Run(ctx)
	if err != nil {
		return Verdict{}, err
	}
	v.Output = checked
	return v, nil
}

// look takes a sample; it belongs to the verdict while the load goes on.
func (s *Soak) look(ctx context.Context, loading bool) (x sample, err error) {
	x.at = time.Since(s.began)
	m, err := proc.MemoryOf(s.child.PID())
	if err != nil {
		return x, err
	}
	x.resident = m.Resident
	if x.files, err = filesIn(s.stateDir()); err != nil {
		return x, err
	}
	ends, err := s.adm.ListEndOffsets(ctx, topicIn)
	if err = errors.Join(err, ends.Error()); err != nil {
		return x, fmt.Errorf("soak: the end of the input: %w", err)
	}
	ends.Each(func(o kadm.ListedOffset) { x.lag += o.Offset })
	done, err := compare.Committed(ctx, s.adm, appID, topicIn)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // before the first commit
		return x, err
	}
	x.lag -= done
	if loading {
		s.taken = append(s.taken, x)
	}
	return x, nil
}

// filesIn counts the files below a folder. Files come and go while it looks.
func filesIn(dir string) (n int, err error) {
	err = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		switch {
		case errors.Is(err, os.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !d.IsDir():
			n++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("soak: files of the state: %w", err)
	}
	return n, nil
}
