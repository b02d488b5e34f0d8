package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/millrace/millrace/cmd/internal/proc"
)

// observeInterval is the pause between two looks at a run.
const observeInterval = 100 * time.Millisecond

// The steady part of a run, in percent of the input.
const (
	steadyFrom = 30
	steadyTo   = 90

	// leastSeen is how much of the input must be seen committed, in percent.
	leastSeen = 60
)

// A sample is one look at a run: how many records are committed, and which CPU
// time has been used so far.
type sample struct {
	at                               time.Time
	records                          int64
	contender, broker, self, machine time.Duration
}

// between interpolates so that the sample has n records.
func between(a, b sample, n int64) sample {
	f := float64(n-a.records) / float64(b.records-a.records)
	part := func(a, b time.Duration) time.Duration { return a + time.Duration(f*float64(b-a)) }
	return sample{
		at: a.at.Add(part(0, b.at.Sub(a.at))), records: n,
		contender: part(a.contender, b.contender), broker: part(a.broker, b.broker),
		self: part(a.self, b.self), machine: part(a.machine, b.machine),
	}
}

// figures computes what happened between 30 % and 90 % of the records that were seen
// committed: all of the input, but for a contender that ends without committing the
// offsets of its last transaction, as Flink does. Only the moments at which committed
// offsets moved are known, and between them the run is taken to be even: the same for
// a contender that commits ten times a second and one that commits once.
func figures(samples []sample, total int64) (Figures, error) {
	moves := movesOf(samples)
	reached := last(moves).records
	from, ok1 := at(moves, reached*steadyFrom/100)
	to, ok2 := at(moves, reached*steadyTo/100)
	took := to.at.Sub(from.at).Seconds()
	if !ok1 || !ok2 || took <= 0 || reached < total*leastSeen/100 {
		return Figures{}, fmt.Errorf("compare: no figures: %d commits seen, up to %d of %d records", len(moves)-1, reached, total)
	}
	millions := float64(to.records-from.records) / million
	others := (to.machine - from.machine) - (to.contender - from.contender) - (to.broker - from.broker) - (to.self - from.self)
	return Figures{
		Rate: millions * million / took, Steady: took, Commits: len(moves) - 1,
		CPU: (to.contender - from.contender).Seconds() / millions, Broker: (to.broker - from.broker).Seconds() / millions,
		Others: max(0, others.Seconds()/took*100),
	}, nil
}

// movesOf keeps the samples at which more was committed than before, and the last
// one before the first of them.
func movesOf(samples []sample) (moves []sample) {
	for _, s := range samples {
		switch n := len(moves); {
		case n == 0 || s.records > moves[n-1].records:
			moves = append(moves, s)
		case n == 1 && s.records == moves[0].records:
			moves[0] = s
		}
	}
	return moves
}

// at is the run when n records were committed.
func at(moves []sample, n int64) (sample, bool) {
	for i := 1; i < len(moves); i++ {
		if moves[i].records >= n {
			return between(moves[i-1], moves[i], n), moves[i-1].records <= n
		}
	}
	return sample{}, false
}

func last(s []sample) sample {
	if len(s) == 0 {
		return sample{}
	}
	return s[len(s)-1]
}

// An observer watches one run from outside.
type observer struct {
	adm          *kadm.Client
	group, topic string
	contender    int // process ids
	broker       int
	samples      []sample
	peak         int64 // resident bytes of the contender
}

// watch looks at the run until done is closed, and once more then.
func (o *observer) watch(ctx context.Context, done <-chan struct{}) error {
	tick := time.NewTicker(observeInterval)
	defer tick.Stop()
	for ended := false; ; {
		if err := o.look(ctx); err != nil {
			return err
		}
		if ended {
			return nil
		}
		select {
		case <-done:
			ended = true
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// look takes one sample. A contender that has just ended keeps what it had last.
func (o *observer) look(ctx context.Context) (err error) {
	s := sample{contender: last(o.samples).contender}
	if used, err := proc.CPU(o.contender); err == nil {
		s.contender = used
	}
	if m, err := proc.MemoryOf(o.contender); err == nil {
		o.peak = max(o.peak, m.Peak)
	}
	for _, read := range []struct {
		to  *time.Duration
		pid int
	}{{&s.broker, o.broker}, {&s.self, os.Getpid()}} {
		if *read.to, err = proc.CPU(read.pid); err != nil {
			return err
		}
	}
	if s.machine, err = proc.Machine(); err != nil {
		return err
	}
	switch s.records, err = Committed(ctx, o.adm, o.group, o.topic); {
	case kerr.IsRetriable(err), errors.Is(err, kerr.GroupIDNotFound): // at the start there is neither coordinator nor group
		s.records = last(o.samples).records
	case err != nil:
		return err
	}
	s.at = time.Now()
	o.samples = append(o.samples, s)
	return nil
}

// Ready returns when the broker can coordinate groups: a new one has to make a topic for
// that first.
func Ready(ctx context.Context, adm *kadm.Client) error {
	for {
		_, err := adm.FetchOffsets(ctx, "none")
		if !kerr.IsRetriable(err) {
			return nil // an answer: there is no such group, or it has no offsets
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(observeInterval):
		}
	}
}

// Committed adds up the offsets that a group has committed for a topic without
// control records: the number of records it is done with.
func Committed(ctx context.Context, adm *kadm.Client, group, topic string) (n int64, err error) {
	offsets, err := adm.FetchOffsets(ctx, group)
	if err != nil {
		return 0, fmt.Errorf("compare: committed offsets of group %s: %w", group, err)
	}
	for _, o := range offsets[topic] {
		if o.Err != nil {
			err = errors.Join(err, fmt.Errorf("compare: committed offset of group %s, %s partition %d: %w", group, topic, o.Partition, o.Err))
		}
		n += max(0, o.At)
	}
	return n, err
}
