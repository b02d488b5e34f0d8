// Package demo is `millrace demo`: an access log becomes a topic, a processor
// counts it, exactly once, and the result is shown. With crashes, the processor
// is a process of its own that is killed in the midst of its commits; the
// result must not show it.
package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Run does everything: broker, topics, processor, result. It returns when the
// whole log is processed, or an error that says what to do.
func Run(ctx context.Context, opt Options) error {
	if opt.Output == "" {
		opt.Output = Text
	}
	if err := opt.validate(); err != nil {
		return err
	}
	log, err := openLog(opt.Input)
	if err != nil {
		return err
	}
	defer log.Close()
	console := newConsole(opt.Talk)
	cluster, err := openCluster(ctx, opt.Brokers)
	if err != nil {
		return err
	}
	defer cluster.Close()
	if err := cluster.createTopics(ctx); err != nil {
		return err
	}
	console.Say("%s", cluster.greeting())
	loaded, err := cluster.load(ctx, log)
	if err != nil {
		return err
	}
	console.Say("loaded %s lines of %s into %s", grouped(loaded), log.Name, accessTopic().Name)
	s := summary{log: log.Name, loaded: loaded, seed: opt.Seed}
	if err := process(ctx, opt, cluster, console, &s); err != nil {
		return err
	}
	return show(ctx, opt, cluster, &s)
}

// process runs the processor over what was loaded.
func process(ctx context.Context, opt Options, cluster *Cluster, console *Console, s *summary) error {
	dir := opt.StateDir
	if dir == "" {
		temporary, err := os.MkdirTemp("", "millrace-demo-")
		if err != nil {
			return fmt.Errorf("make a directory for the state: %w; or name one with --state-dir", err)
		}
		defer os.RemoveAll(temporary)
		dir = temporary
	}
	job := Job{Brokers: cluster.Brokers, StateDir: dir, BoundedRun: "demo-" + strconv.FormatInt(time.Now().UnixNano(), 36)}
	watched, unwatch := context.WithCancel(ctx)
	stopped := make(chan struct{})
	console.Begin(s.loaded)
	go func() {
		defer close(stopped)
		watch(watched, cluster, console)
	}()
	began := time.Now()
	err := runJob(ctx, opt, job, cluster, console, s)
	s.elapsed = time.Since(began)
	unwatch()
	<-stopped
	if ctx.Err() != nil {
		err = errors.New("stopped before the log was done")
	}
	console.End(err == nil)
	return err
}

func runJob(ctx context.Context, opt Options, job Job, cluster *Cluster, console *Console, s *summary) error {
	if opt.Crashes == 0 {
		return job.Run(ctx, func(step string) {
			if step == stepAfterEnd {
				s.commits++
			}
		}, func(err error) { console.Say("warning: %v", err) })
	}
	job.CommitRecords = crashCommitRecords
	v := victim{job: job, opt: opt, cluster: cluster, console: console, loaded: s.loaded}
	err := v.run(ctx)
	s.commits, s.crashes = v.commits, v.crashes
	return err
}

// watchInterval is how often the progress is looked up.
const watchInterval = 100 * time.Millisecond

// watch shows how far the committed offsets are until ctx ends.
func watch(ctx context.Context, cluster *Cluster, console *Console) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n, err := cluster.committed(ctx); err == nil {
			console.Set(n)
		}
	}
}
