package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/bench/internal/meter"
	"github.com/millrace/millrace/cmd/internal/workload"
	"github.com/millrace/millrace/processor"
)

const (
	// sampleInterval is the time between two looks at the committed offsets, the same
	// for every contender.
	sampleInterval = 100 * time.Millisecond
	// traceSamples is how many of them pass between two lines of -trace.
	traceSamples = 20
)

// measure runs Millrace until the whole input is consumed and committed.
func (r *contenderRun) measure(ctx context.Context, cluster workload.Cluster) (f figures, err error) {
	if err := r.validate(); err != nil {
		return f, err
	}
	if r.stateDir == "" {
		if r.stateDir, err = os.MkdirTemp("", "millrace-bench-"); err != nil {
			return f, err
		}
		defer os.RemoveAll(r.stateDir)
	}
	if err := r.prepare(ctx, cluster); err != nil {
		return f, err
	}
	d := drain{contenderRun: r, meter: meter.Meter{BrokerPID: r.brokerPID}}
	if f, err = d.run(ctx, cluster); err != nil {
		return f, err
	}
	if r.cleanup {
		err = r.forget(context.WithoutCancel(ctx), cluster, false) // a signal may have ended ctx
	}
	return f, err
}

// A drain is the running part of a run.
type drain struct {
	*contenderRun
	tally    tally
	written  meter.Written
	meter    meter.Meter
	position *position
}

func (d *drain) run(ctx context.Context, cluster workload.Cluster) (f figures, err error) {
	if d.position, err = openPosition(ctx, cluster, d.appID, d.in); err != nil {
		return f, err
	}
	defer d.position.close()
	app, err := d.app()
	if err != nil {
		return f, err
	}
	live := start(ctx, app)
	defer func() { _ = live.stop() }() // its error is looked at below
	complete, err := d.watch(ctx, live)
	if err != nil {
		return f, err
	}
	f = figures{Complete: complete, Wall: meter.Round(time.Since(live.began).Seconds(), 2)}
	f.process()
	if err := live.stop(); err != nil {
		return f, err
	}
	d.report(&f)
	if err := d.written.Settle(ctx, f.Outputs, d.isOutput); err != nil && complete {
		return f, err
	}
	f.OutputBytes = d.written.To(d.isOutput).Bytes
	f.ChangelogBytes = d.written.To(d.changelog).Bytes
	return f, nil
}

func (d *drain) app() (*processor.App, error) {
	topology, err := topologyOf(d.workload, d.in, d.out, time.Duration(d.graceMS)*time.Millisecond)
	if err != nil {
		return nil, err
	}
	if d.describe {
		fmt.Fprint(d.talk, topology.Describe())
	}
	cfg, err := d.processorConfig()
	if err != nil {
		return nil, err
	}
	cfg.Events = d.tally.listener()
	cfg.Client = append(cfg.Client, kgo.WithHooks(&d.written))
	return processor.New(topology, cfg)
}

// watch samples the progress. It returns when the input is drained, when the time is up
// or ctx has ended; and with an error when the application has stopped by itself, which
// it must not.
func (d *drain) watch(ctx context.Context, app *live) (complete bool, err error) {
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	for samples := 1; ; samples++ {
		select {
		case <-ctx.Done():
			return false, nil
		case <-app.ended:
			if ctx.Err() != nil {
				return false, nil
			}
			return false, errors.Join(errors.New("run: the application has stopped by itself"), app.err)
		case <-tick.C:
		}
		if d.forever {
			continue
		}
		done, err := d.sample(ctx, time.Since(app.began), samples)
		switch {
		case ctx.Err() != nil:
			return false, nil
		case err != nil:
			return false, err
		case done && d.settled():
			return true, nil
		case time.Since(app.began).Seconds() > d.maxSeconds:
			return false, nil
		}
	}
}

// sample looks at the progress; done says that there is nothing left.
func (d *drain) sample(ctx context.Context, took time.Duration, samples int) (done bool, err error) {
	committed, err := d.position.committed(ctx)
	if err != nil {
		return false, err
	}
	d.meter.Mark(committed)
	if d.trace && samples%traceSamples == 0 {
		fmt.Fprintf(d.talk, "%.1f s: %d of %d\n", took.Seconds(), committed, d.position.total())
	}
	return committed >= d.position.total(), nil
}

// settled reports that every task runs and, where it was asked for, that something was
// restored.
func (d *drain) settled() bool {
	running, restored := d.tally.running()
	return running && (!d.restore || restored > 0)
}

// report fills in what is known once the application has stopped.
func (d *drain) report(f *figures) {
	f.Contender, f.Workload, f.Config, f.Guarantee = "millrace", d.workload, d.config, d.guarantee
	f.Threads, f.CommitMS = d.workers, int64(d.commitMS)
	f.Records, f.Committed = d.position.total(), d.meter.Done()
	f.steady(d.meter.Steady())
	d.tally.report(f)
}

func (d *drain) isOutput(topic string) bool { return topic == d.out }
