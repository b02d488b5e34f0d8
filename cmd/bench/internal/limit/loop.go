// Package limit drains topics with plain franz-go: how fast a processor that does nothing
// is on this machine, which no processor can beat, and what share of that one keeps.
package limit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/bench/internal/meter"
	"github.com/millrace/millrace/cmd/internal/workload"
)

// A Loop drains an input topic. By Mode it is
//
//	L0   consuming only
//	L1   producing the records again without transactions; every interval the offsets
//	     whose output is acknowledged are committed, without ever waiting
//	L2   one transaction after the other: consume and produce for one interval, then
//	     flush, commit the offsets, end the transaction
//	L2s  L2 by kgo.GroupTransactSession, in a consumer group, instead of a driver of our own
//	L2p  two transactional ids in turn: the next transaction goes on while the last one
//	     is committed
//	L3   L2, but what is produced is not the input: as many records, of the same size, as
//	     a processor writes to its sink and its changelogs
//	L3p  L3, pipelined as L2p
//
// All consume read_committed and always from the start of the input; L2s apart, as a
// consumer with fixed partitions and a group id that only stores offsets.
type Loop struct {
	Cluster workload.Cluster
	Mode    string
	// In is drained. Out is made anew with In's partitions, but by L0.
	In, Out string
	// Group stores the offsets; it is also the prefix of the transactional ids.
	Group string
	// Interval is the time from commit to commit.
	Interval time.Duration
	// Poll bounds the records of one poll, and so how late an interval ends.
	Poll int
	// Follow goes on at the end of the input until the context ends, and keeps Out as it
	// is if it exists.
	Follow bool
	// Matched is what L3 and L3p produce.
	Matched  Matched
	Producer Producer
	// BrokerPID is the process of the broker, to account its CPU time; 0 is none.
	BrokerPID int
}

// Result says how a loop went.
type Result struct {
	// Total is the size of the input, Committed how much of it was covered by a commit, or
	// consumed where nothing is committed.
	Total, Committed int64
	Complete         bool
	Took             time.Duration
	Steady           meter.Steady
	// Flush, Offsets and End are the steps of the commits, where they are taken by
	// themselves; Commits the whole.
	Flush, Offsets, End, Commits meter.Delays
	Outputs, Changelog           meter.Volume
	// Conflicts counts the answers CONCURRENT_TRANSACTIONS, if Producer.CountConflicts.
	Conflicts int64
}

// A mode is one way to drain.
type mode struct {
	name    string
	drain   func(*drain, context.Context) error
	matched bool
}

func modes() []mode {
	return []mode{
		{"L0", (*drain).consume, false},
		{"L1", (*drain).unfenced, false},
		{"L2", (*drain).sequential, false},
		{"L2s", (*drain).session, false},
		{"L2p", (*drain).pipelined, false},
		{"L3", (*drain).sequential, true},
		{"L3p", (*drain).pipelined, true},
	}
}

// Modes lists the names of the modes.
func Modes() (names []string) {
	for _, m := range modes() {
		names = append(names, m.name)
	}
	return names
}

// Run drains the input. It ends when all of it is consumed and committed, or with ctx:
// then the result is not complete, and what was not committed is aborted.
func (l Loop) Run(ctx context.Context) (Result, error) {
	all := modes()
	i := slices.IndexFunc(all, func(m mode) bool { return m.name == l.Mode })
	if i < 0 {
		return Result{}, fmt.Errorf("limit: unknown mode %q, want one of %s", l.Mode, strings.Join(Modes(), ", "))
	}
	if err := l.validate(all[i]); err != nil {
		return Result{}, err
	}
	d := &drain{Loop: l, meter: meter.Meter{BrokerPID: l.BrokerPID}}
	defer d.close()
	if err := d.open(ctx, all[i]); err != nil {
		return Result{}, err
	}
	began := time.Now()
	d.meter.Mark(0)
	err := all[i].drain(d, ctx)
	if err == nil {
		err = d.written.Settle(ctx, d.sent, func(string) bool { return true })
	}
	if err != nil && ctx.Err() == nil {
		return Result{}, fmt.Errorf("limit: %s from %s: %w", l.Mode, l.In, err)
	}
	r := d.result
	r.Took, r.Steady = time.Since(began), d.meter.Steady()
	r.Total, r.Committed = d.in.total, d.meter.Done()
	r.Complete = r.Committed == r.Total && !l.Follow
	r.Outputs = d.written.To(func(topic string) bool { return topic == l.Out })
	r.Changelog = d.written.To(func(topic string) bool { return topic == l.Matched.Topic })
	r.Conflicts = d.conflicts.seen()
	return r, nil
}

func (l Loop) validate(m mode) error {
	var errs []error
	complain := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf("limit: "+format, args...))
		}
	}
	complain(l.In == "", "no input topic")
	complain(l.Out == "" && m.name != "L0", "%s needs an output topic", m.name)
	complain(l.Interval <= 0 || l.Poll < 1, "an interval of %v with polls of %d records", l.Interval, l.Poll)
	errs = append(errs, l.Producer.validate())
	if m.matched {
		errs = append(errs, l.Matched.validate())
	}
	return errors.Join(errs...)
}

// A drain is a loop that runs. Only one goroutine uses it, but for written and conflicts.
type drain struct {
	Loop
	in        *input
	flow      outflow
	sent      int64    // by flow
	topicID   [16]byte // of the input
	meter     meter.Meter
	result    Result // the commits so far
	written   meter.Written
	conflicts conflicts
}

// open looks at the input, makes the output and opens the consumer.
func (d *drain) open(ctx context.Context, m mode) (err error) {
	if d.in, err = openInput(ctx, &d.Loop); err != nil {
		return err
	}
	if d.topicID, err = d.Cluster.TopicID(ctx, d.In); err != nil {
		return err
	}
	var topics []string
	if m.name != "L0" {
		topics, d.flow = []string{d.Out}, copies{d.Out}
	}
	if m.matched {
		topics, d.flow = []string{d.Out, d.Matched.Topic}, newMatched(d.Out, d.Matched, len(d.in.pos))
	}
	d.flow = counted{d.flow, &d.sent}
	for _, topic := range topics {
		if _, err := d.Cluster.CreateTopic(ctx, topic, len(d.in.pos), !d.Follow); err != nil {
			return err
		}
		if _, err := d.Cluster.TopicID(ctx, topic); err != nil {
			return err
		}
	}
	return nil
}

func (d *drain) close() {
	if d.in != nil && d.in.cl != nil {
		d.in.cl.Close()
	}
}

// producerOptions are those of every producer.
func (d *drain) producerOptions() []kgo.Opt {
	opts := append(d.Producer.options(), kgo.WithHooks(&d.written))
	if d.Producer.CountConflicts {
		opts = append(opts, kgo.WithLogger(&d.conflicts))
	}
	return opts
}
