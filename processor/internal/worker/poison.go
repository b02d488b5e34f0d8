package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/restore"
	"github.com/millrace/millrace/processor/internal/task"
)

// skipLimit bounds the poison records of one task between two commits.
const skipLimit = 1000

// blame takes a failed record onto the skip list. If it is not the first since
// the last commit, the replay commits after each record: otherwise every
// poison record would cost a replay of all before it.
func (l *lease) blame(p task.Poison) error {
	if err := l.skipOver(p); err != nil {
		return err
	}
	if l.failures++; l.failures == 1 {
		return nil
	}
	l.slowDown(1)
	for i := range l.Inputs {
		if l.Inputs[i].Topic == p.Origin.Topic {
			l.until[i] = max(l.until[i], p.Origin.Offset+1)
		}
	}
	return nil
}

// skipOver takes a failed record onto the skip list.
func (l *lease) skipOver(p task.Poison) error {
	for _, known := range l.skip {
		if known.Origin == p.Origin {
			return fmt.Errorf("task %s: topic %q partition %d offset %d fails although it is skipped: %w", l.ID, p.Origin.Topic, p.Origin.Partition, p.Origin.Offset, p.Failure)
		}
	}
	if len(l.skip) >= skipLimit {
		return fmt.Errorf("task %s: more than %d records failed within one commit interval, the last at topic %q partition %d offset %d: %w", l.ID, skipLimit, p.Origin.Topic, p.Origin.Partition, p.Origin.Offset, p.Failure)
	}
	l.skip = append(l.skip, p)
	return nil
}

// slowDown makes the task commit after so many records until it is where it has
// been already. An input that had nothing new since the last commit is there.
func (l *lease) slowDown(limit int) {
	l.limit = limit
	l.until = append(l.until, make([]int64, len(l.Inputs)-len(l.until))...)
	for i := range l.until {
		l.until[i] = max(l.until[i], l.task.Position(i))
	}
}

// relax forgets what the committed positions have passed.
func (l *lease) relax() {
	l.skip = slices.DeleteFunc(l.skip, func(p task.Poison) bool {
		return !slices.ContainsFunc(l.Inputs, func(in restore.Input) bool {
			return in.Topic == p.Origin.Topic && in.Offset <= p.Origin.Offset
		})
	})
	for i, until := range l.until {
		if l.Inputs[i].Offset < until {
			return
		}
	}
	l.limit, l.until = 0, nil
}

// A search finds the record that makes commits fail, where neither the task nor the
// broker says which one it is.
type search struct {
	cfg    *Config
	leases *leases
	limits *topicLimits
}

// narrow answers a commit that failed because a topic refuses a record in it. If
// the topic has other settings by now than when they were read, the replay finds
// the record by them. Otherwise it looks for the source record that it comes of,
// if the policy has an answer to it: the commit is replayed in ever smaller
// commits, until one that holds a single record fails. It reports whether the
// replay is part of such a search. An error has to end the worker.
func (s *search) narrow(ctx context.Context, b *commit.WorkerCommit, reason error) (searching bool, err error) {
	var refused *commit.ProduceError
	if !errors.As(reason, &refused) || !refused.OfRecord() {
		return false, nil
	}
	if s.limits.relearn(ctx, refused.Topic) || onlyLetters(s.cfg.Graph, refused.Topic) && s.limits.catalog.Assume(refused.Topic, refused.Err) {
		return true, nil
	}
	if s.cfg.Graph.Policy.OnError == graph.Fail {
		return false, nil
	}
	for i := range b.Parts {
		l := s.leases.of(&b.Parts[i])
		if l == nil {
			continue
		}
		failure := &graph.RecordError{Operator: l.sinkOf(refused.Topic), Phase: graph.PhaseProduce, Err: refused}
		if err := s.halve(l, b.Parts[i].Commit.Records, len(b.Parts) == 1, failure); err != nil {
			return false, err
		}
	}
	return true, nil
}

// halve makes the commits of a task smaller after one with n of its records has
// failed. If that was one record, and alone says that nothing else was in the
// commit, the record is to blame. From the size of one on nothing is processed
// after what is being committed.
func (s *search) halve(l *lease, n int, alone bool, failure *graph.RecordError) error {
	switch {
	case n > 1:
		l.slowDown(n / 2)
	case !alone, n == 1 && l.limit != 1:
		l.slowDown(1)
	case n == 0:
		return fmt.Errorf("task %s: %w; no record is to blame", l.ID, failure)
	default:
		return s.convict(l, failure)
	}
	return nil
}

// onlyLetters reports whether a topic has dead letters and nothing else.
func onlyLetters(g *graph.Topology, topic string) bool {
	for _, sub := range g.Subtopologies() {
		if slices.Contains(sub.Sinks, topic) {
			return false
		}
	}
	return topic == g.Policy.Topic
}

// convict puts the only record that the lease has processed since its last
// commit on the skip list. The search is over, and all tasks go on as fast as
// before.
func (s *search) convict(l *lease, failure *graph.RecordError) error {
	origin, ok := l.latest()
	if !ok {
		return fmt.Errorf("task %s: %w; no record is to blame", l.ID, failure)
	}
	p := task.Poison{Task: l.ID, Origin: origin, Failure: failure}
	s.cfg.Events.poisoned(p)
	if err := l.skipOver(p); err != nil {
		return err
	}
	for _, other := range s.leases.all {
		other.limit, other.until = 0, nil
	}
	return nil
}

// sinkOf names the operator of a task that writes a topic.
func (l *lease) sinkOf(topic string) string {
	for _, n := range l.Sub.Nodes {
		if n.Kind == graph.SinkNode && n.Topic == topic {
			return n.Name
		}
	}
	return topic
}

// latest finds the record that was processed last.
func (l *lease) latest() (graph.Origin, bool) {
	for i := range l.Inputs {
		in := &l.Inputs[i]
		for _, slab := range slices.Backward(l.queues[i].slabs) {
			for _, m := range slices.Backward(slab.messages) {
				if m.Offset < l.task.Position(i) && m.Offset >= in.Offset {
					return graph.Origin{Topic: in.Topic, Partition: in.Partition, Offset: m.Offset}, true
				}
			}
		}
	}
	return graph.Origin{}, false
}
