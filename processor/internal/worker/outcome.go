package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/planted"
	"github.com/millrace/millrace/processor/internal/topics"
)

// applied ends a commit that Kafka has: only now the state is written. Where that
// fails the state is read back, but not before what is behind the commit has
// landed: a restore in the middle of that would miss it.
func (w *Worker) applied(ctx context.Context, b *commit.WorkerCommit) error {
	w.cfg.Faults.Reach(commit.AfterEnd)
	c, mended := Committed{Tasks: len(b.Parts)}, false
	c.Outputs, c.Entries = b.Records()
	for i := range b.Parts {
		p := &b.Parts[i]
		c.Records += p.Commit.Records
		c.Offsets = append(c.Offsets, p.Commit.Offsets...)
		w.cfg.Events.counted(p.ID, p.Commit.Counters)
		l := w.leases.of(p)
		if l == nil {
			continue // its state is going to be read back, this commit too
		}
		if !b.Early {
			if err := p.Apply(b.At); err != nil {
				if err := w.mend(l, err); err != nil {
					return err
				}
				mended = true
				continue
			}
		}
		if err := l.settle(p.Commit); err != nil {
			return err
		}
		if p.Task.CaughtUp() {
			if err := w.broughtUp(l); err != nil {
				return err
			}
		}
	}
	w.cfg.Faults.Reach(commit.AfterApply)
	w.undone = 0
	c.Duration = time.Since(b.Began)
	w.cfg.Events.committed(c)
	if mended {
		return w.land(ctx)
	}
	return nil
}

// undo answers commits that failed, the first for a reason of its own, the rest
// because they were behind it.
//
// If it is certain that Kafka has none of them, the tasks go back to where the
// last commit left them. If it is not (G7), nothing is assumed: a new client
// makes the broker decide, and then the tasks read what it decided.
func (w *Worker) undo(ctx context.Context, failed []*commit.WorkerCommit) error {
	v := failed[0].Verdict
	certain := true
	for _, b := range failed {
		certain = certain && b.Verdict.Outcome != commit.Unknown
	}
	if certain {
		w.cfg.Events.aborted(v.Err)
	} else {
		w.cfg.Events.unknown(v.Err)
	}
	searching, err := w.surrender(ctx, failed)
	if err != nil {
		return err
	}
	leases, err := w.revert(failed)
	if err != nil {
		return err
	}
	if w.closing || ctx.Err() != nil {
		lastWord(failed, w.cfg.Events.warning)
		return nil
	}
	switch {
	case searching: // each step of it makes the next commit another one
	case group.Refused(v.Err):
		w.undone++
		w.held = time.Now().Add(w.cfg.HeartbeatInterval)
	default:
		if err := w.calmDown(ctx, v.Err); err != nil {
			lastWord(failed, w.cfg.Events.warning)
			return err
		}
	}
	if err := commit.Reopen(ctx, failed, w.cfg.Events.warning); err != nil {
		return err
	}
	for _, l := range leases {
		again := w.begin
		if !certain {
			again = w.restores.put
		}
		if err := again(l); err != nil {
			return err
		}
	}
	return nil
}

// After so many commits in a row that were undone the worker says so, and tries the
// next ones at longer and longer distances: each writes to every topic anew what the
// one before has written in vain.
const (
	undonePatience = 5
	undonePause    = 100 * time.Millisecond
	undonePauseMax = 10 * time.Second
)

// calmDown counts a commit that was undone. An error has to end the worker.
func (w *Worker) calmDown(ctx context.Context, reason error) error {
	w.undone++
	beyond := w.undone - undonePatience
	if beyond <= 0 {
		return nil
	}
	w.cfg.Events.repeating(w.undone)
	var internal []string
	if beyond > deletedPatience {
		internal = w.cfg.written()
	}
	if err := recount(ctx, w.fetcher.Client, w.catalog, internal, reason); err != nil {
		return err
	}
	pause := min(undonePause<<min(beyond, 10), undonePauseMax)
	w.held = time.Now().Add(pause)
	w.cfg.Events.warning(fmt.Errorf("%d commits in a row were undone and are repeated, the next in %v: %w", w.undone, pause, reason))
	return nil
}

// deletedPatience is how many commits beyond undonePatience may fail at a topic that
// brokers do not know before it counts as deleted: brokers may take some seconds to
// learn of it again.
const deletedPatience = 6

// recount is an error if the topic that a commit fails at has other partitions by
// now than when the worker began: where its records go was decided by their number;
// or if it is one of internal and brokers do not know it any more, which only a start
// can answer.
func recount(ctx context.Context, client *kgo.Client, catalog *topics.Catalog, internal []string, reason error) error {
	var refused *commit.ProduceError
	if !errors.As(reason, &refused) {
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, rereadTimeout)
	defer cancel()
	all, err := kadm.NewClient(client).ListTopics(asking, refused.Topic)
	was, is := catalog.Partitions(refused.Topic), int32(len(all[refused.Topic].Partitions))
	if err == nil && errors.Is(all[refused.Topic].Err, kerr.UnknownTopicOrPartition) && slices.Contains(internal, refused.Topic) {
		return fmt.Errorf("internal topic %q was deleted while the application ran: start again, which says what can be done: %w", refused.Topic, reason)
	}
	if err != nil || all[refused.Topic].Err != nil || is == 0 || is == was {
		return nil // it is told and tried again
	}
	return fmt.Errorf("topic %q has %d partitions, and had %d when the worker began: start again, which goes by the new number or says why it cannot: %w", refused.Topic, is, was, reason)
}

// revert throws away everything the tasks of failed commits have done since, and
// returns their leases.
func (w *Worker) revert(failed []*commit.WorkerCommit) (leases []*lease, err error) {
	for _, b := range failed {
		for i := range b.Parts {
			l := w.leases.of(&b.Parts[i])
			if l == nil {
				continue // was in a commit before, or is being restored
			}
			w.routes.leave(l, w.fetcher)
			if err := l.drop(planted.On && w.cfg.Faults.KeepOverlay); err != nil {
				return nil, err
			}
			leases = append(leases, l)
		}
	}
	return leases, nil
}

// lastWord ends commits that failed where nothing is tried again: no transaction
// is left open.
func lastWord(failed []*commit.WorkerCommit, warn func(error)) {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := commit.Reopen(ctx, failed, nil); err != nil {
		warn(fmt.Errorf("a transaction may be open until it times out: %w", err))
	}
}

// surrender returns the error that ends the worker, if no repetition can succeed.
// It reports whether the repetition is part of a search for one record.
func (w *Worker) surrender(ctx context.Context, failed []*commit.WorkerCommit) (searching bool, err error) {
	first := failed[0]
	reason := first.Verdict.Err
	if err := first.Fenced(reason); err != nil {
		return false, err
	}
	searching, err = w.search.narrow(ctx, first, reason)
	if err == nil && (searching || !broker.Permanent(reason)) {
		return searching, nil
	}
	lastWord(failed, w.cfg.Events.warning)
	return false, cmp.Or(err, reason)
}

// broughtUp lets a task go on whose stores are all there now, or brings up the next
// of them.
func (w *Worker) broughtUp(l *lease) error {
	w.routes.leave(l, w.fetcher)
	if err := l.drop(false); err != nil {
		return err
	}
	return w.restores.put(l)
}
