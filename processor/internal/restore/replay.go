package restore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/planted"
	"github.com/millrace/millrace/state"
)

const (
	// restoreRecords bounds one batch that is restored.
	restoreRecords = 5000
	// stallWait is how long a restore waits for records before it looks why
	// there are none.
	stallWait = 5 * time.Second
	// retentionMargin is the part of delete.retention.ms that is not relied
	// on: clocks differ, and a restore takes time.
	retentionMargin = 10
)

// readChangelogs reads the changelogs of a task from where its state is to their ends.
func (r *Restorer) readChangelogs(ctx context.Context, t *TaskState, offsets map[broker.TopicPartition]group.Committed) error {
	if t.Stores == nil || planted.On && r.cfg.Faults.NoRestore {
		return nil
	}
	began := r.cfg.Now().UnixMilli()
	var parts []broker.TopicPartition
	for _, topic := range t.Changelogs(r.cfg.ApplicationID) {
		parts = append(parts, broker.TopicPartition{Topic: topic, Partition: t.ID.Partition})
	}
	end := broker.LogEnd
	if planted.On && r.cfg.Faults.RestoreToLSO {
		end = broker.StableEnd
	}
	ends, err := end.Ask(ctx, r.cfg.Requests, parts) // R3: after the offsets of the sources
	if err != nil {
		return err
	}
	starts, err := broker.LogStart.Ask(ctx, r.cfg.Requests, parts)
	if err != nil {
		return err
	}
	for i, tp := range parts {
		if err := r.usable(t, t.Sub.Stores[i].Name, tp.Topic, starts[tp], ends[tp], offsets); err != nil { // R4
			return err
		}
	}
	if t.fresh() {
		t.Stores.SetLastApplied(began)
	}
	for i, tp := range parts {
		name := t.Sub.Stores[i].Name
		t.Stores.SetChangelogID(name, r.cfg.Topics.TopicID(tp.Topic))
		if err := r.replay(ctx, t, name, tp, max(starts[tp], t.Stores.ChangelogNext(name)), ends[tp]); err != nil { // R5, R6
			return err
		}
	}
	t.Stores.SetLastApplied(r.cfg.Now().UnixMilli())
	if err := t.Stores.FinishRestore(); err != nil {
		return storeFailed(t, err)
	}
	return nil
}

// fresh reports whether nothing was ever applied to the stores.
func (t *TaskState) fresh() bool {
	for _, s := range t.Sub.Stores {
		if t.Stores.ChangelogNext(s.Name) > 0 {
			return false
		}
	}
	return true
}

// usable is the rule for volumes that were away: what was not followed long
// enough to miss a deletion, or belongs to another changelog, comes back to
// life if it is used.
func (r *Restorer) usable(t *TaskState, store, topic string, start, end int64, offsets map[broker.TopicPartition]group.Committed) error {
	next := t.Stores.ChangelogNext(store)
	if next == 0 {
		return nil
	}
	if id := t.Stores.ChangelogID(store); r.cfg.Topics.Another(topic, id) {
		if t.good(store, offsets) && !r.cfg.accepts(topic) {
			return r.remade(topic)
		}
		return fmt.Errorf("store %q: it follows topic %q of id %s, which is now of id %s: the topic was made anew: %w", store, topic, id, r.cfg.Topics.TopicID(topic), errUnusable)
	}
	if next < start {
		return fmt.Errorf("store %q: it has read topic %q up to offset %d, and the log begins at %d: %w", store, topic, next, start, errUnusable)
	}
	if next > end {
		return fmt.Errorf("store %q: it has read topic %q up to offset %d, and the log ends at %d: %w", store, topic, next, end, errUnusable)
	}
	keep := r.cfg.Topics.KeepsDeletions(topic)
	age := time.Duration(r.cfg.Now().UnixMilli()-t.Stores.LastApplied()) * time.Millisecond
	if t.Stores.LastApplied() > 0 && age > keep-keep/retentionMargin {
		return fmt.Errorf("store %q: it is %v old, and topic %q keeps deletions for %v only: %w", store, age.Round(time.Second), topic, keep, errUnusable)
	}
	return nil
}

// good reports whether the local state of a store is where the offsets are that were
// committed by a version that did not note the ids of its topics. With notes,
// refuseRemade has looked already, and what follows another topic is a state from
// before the application was started over.
func (t *TaskState) good(store string, offsets map[broker.TopicPartition]group.Committed) bool {
	p, ok := t.Stores.Position(store)
	for _, in := range t.Inputs {
		c := offsets[in.TopicPartition]
		at, read := inputOf(p, in.TopicPartition)
		ok = ok && c.Offset >= 0 && !c.Meta.Noted && read && at.Offset == c.Offset
	}
	return ok
}

// replay restores one store from the records [from, to) of its changelog that
// are committed. Markers and aborted records move the position like any other.
func (r *Restorer) replay(ctx context.Context, t *TaskState, store string, tp broker.TopicPartition, from, to int64) error {
	if from >= to {
		return nil
	}
	if err := r.openReader(); err != nil {
		return err
	}
	r.reader.AddConsumePartitions(map[string]map[int32]kgo.Offset{tp.Topic: {tp.Partition: kgo.NewOffset().At(from)}})
	defer r.reader.RemoveConsumePartitions(map[string][]int32{tp.Topic: {tp.Partition}})
	var batch []state.ChangelogRecord
	for at := from; at < to; {
		records, err := r.read(ctx, tp)
		if errors.Is(err, kerr.OffsetOutOfRange) {
			return fmt.Errorf("changelog %q partition %d is cut off: %w: %w", tp.Topic, tp.Partition, err, errUnusable)
		}
		if err != nil {
			return err
		}
		if len(records) == 0 {
			if at, err = r.stalled(ctx, tp, r.cfg.Topics.IDs[tp.Topic], at, to); err != nil {
				return err
			}
		}
		batch = batch[:0]
		for _, rec := range records {
			if rec.Offset >= at && rec.Offset < to {
				at = rec.Offset + 1
				if !rec.Attrs.IsControl() {
					batch = append(batch, state.ChangelogRecord{Key: rec.Key, Value: rec.Value})
				}
			} else if rec.Offset >= to {
				at = to
			}
		}
		if err := t.Stores.Restore(store, batch, at); err != nil {
			return storeFailed(t, err)
		}
		r.current.Restored.Records += int64(len(batch))
	}
	return nil
}

func (r *Restorer) openReader() (err error) {
	if r.reader != nil {
		return nil
	}
	r.reader, err = kgo.NewClient(append(r.cfg.Client[:len(r.cfg.Client):len(r.cfg.Client)],
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(broker.FetchWait),
	)...)
	if err != nil {
		return fmt.Errorf("open the client that reads changelogs: %w: %w", err, broker.ErrPermanent)
	}
	return nil
}

// read returns the next records, none if there are none for a while.
func (r *Restorer) read(ctx context.Context, tp broker.TopicPartition) ([]*kgo.Record, error) {
	wait, cancel := context.WithTimeout(ctx, stallWait)
	defer cancel()
	var records []*kgo.Record
	var failed error
	r.reader.PollRecords(wait, restoreRecords).EachPartition(func(p kgo.FetchTopicPartition) {
		if (broker.TopicPartition{Topic: p.Topic, Partition: p.Partition}) == tp {
			records = append(records, p.Records...)
		}
		if p.Err != nil && failed == nil && !errors.Is(p.Err, context.DeadlineExceeded) {
			failed = fmt.Errorf("read topic %q partition %d: %w", tp.Topic, tp.Partition, p.Err)
		}
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return records, failed
}
