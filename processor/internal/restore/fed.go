package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/topics"
	"github.com/millrace/millrace/state"
)

// A later version may feed a store by other topics: a GroupBy has got another name,
// was added, or left out. What a store has counted is then known of the former
// topics only. Two things would be wrong in silence: records that are still in a
// repartition topic which nobody reads any more, and records that come once more by
// one which is written again. Both are refused. Source topics are the user's, who
// may rename them.

// fedByOthers compares the topics that have fed a store with those that feed it now.
func (r *Restorer) fedByOthers(ctx context.Context, t *TaskState, f *fitting) error {
	if t.Stores == nil {
		return nil
	}
	fed := Feeding{ApplicationID: r.cfg.ApplicationID, Offsets: f.offsets}
	for _, s := range t.Sub.Stores {
		p, ok := t.Stores.Position(s.Name)
		if !ok || len(p.Inputs) == 0 {
			continue
		}
		if err := r.fedBefore(ctx, t, s.Name, p); err != nil {
			return err
		}
		last := LastPosition{Position: p, Spec: s, Sub: t.Sub, Partition: t.ID.Partition}
		if err := fed.Admit(last); err != nil {
			return fmt.Errorf("task %s: %w", t.ID, err)
		}
	}
	return nil
}

// fedBefore refuses a store whose former repartition topic has records that it never
// saw.
func (r *Restorer) fedBefore(ctx context.Context, t *TaskState, store string, p state.Position) error {
	for _, in := range p.Inputs {
		if slices.Contains(t.Sub.Sources, in.Topic) || !r.repartition(in.Topic) {
			continue
		}
		left, err := r.holdsRecords(ctx, broker.TopicPartition{Topic: in.Topic, Partition: in.Partition}, in.Offset)
		if err != nil {
			return err
		}
		if left {
			return fmt.Errorf("task %s: store %q was fed by topic %q, which this version does not read, and partition %d of it has records from offset %d on that were not processed: go back to the version that reads it and let it process them, or: %w", t.ID, store, in.Topic, in.Partition, in.Offset, broker.ErrReset)
		}
	}
	return nil
}

// repartition reports whether a topic is a repartition topic of the application.
func (r *Restorer) repartition(topic string) bool { return isRepartition(r.cfg.ApplicationID, topic) }

func isRepartition(applicationID, topic string) bool {
	name, ok := strings.CutPrefix(topic, applicationID+"-")
	return ok && topic == graph.RepartitionTopic(applicationID, strings.TrimSuffix(name, "-repartition"))
}

// holdsRecords reports whether there are records from an offset on, other than those
// that only tell the time. A topic that is no more holds none.
func (r *Restorer) holdsRecords(ctx context.Context, tp broker.TopicPartition, from int64) (bool, error) {
	ends, err := broker.StableEnd.Ask(ctx, r.cfg.Requests, []broker.TopicPartition{tp})
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	starts, err := broker.LogStart.Ask(ctx, r.cfg.Requests, []broker.TopicPartition{tp})
	if err == nil {
		err = r.openReader()
	}
	at, end := max(from, starts[tp]), ends[tp]
	if err != nil || at >= end {
		return false, err
	}
	id, err := topics.IDOf(ctx, r.cfg.Requests, tp.Topic)
	if err != nil {
		return false, err
	}
	r.reader.AddConsumePartitions(map[string]map[int32]kgo.Offset{tp.Topic: {tp.Partition: kgo.NewOffset().At(at)}})
	defer r.reader.RemoveConsumePartitions(map[string][]int32{tp.Topic: {tp.Partition}})
	for at < end {
		records, err := r.read(ctx, tp)
		if err != nil {
			return false, err
		}
		if len(records) == 0 {
			if at, err = r.stalled(ctx, tp, id, at, end); err != nil {
				return false, err
			}
		}
		for _, rec := range records {
			if at = rec.Offset + 1; rec.Offset < end && !rec.Attrs.IsControl() && !tellsTime(rec) {
				return true, nil
			}
		}
	}
	return false, nil
}

// tellsTime reports whether a record of a repartition topic has nothing but a stamp.
func tellsTime(rec *kgo.Record) bool {
	stamp, ok := stampOf(rec)
	return ok && stamp.Control
}

// stampOf is the stamp of a record of a repartition topic, which comes behind what
// headers the user's code has set; false if it has none that can be read.
func stampOf(rec *kgo.Record) (graph.Stamp, bool) {
	for _, h := range slices.Backward(rec.Headers) {
		if h.Key == graph.HeaderStamp {
			stamp, err := graph.DecodeStamp(h.Value)
			return stamp, err == nil
		}
	}
	return graph.Stamp{}, false
}
