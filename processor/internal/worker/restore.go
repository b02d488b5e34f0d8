package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

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

// errUnusable says that a state cannot be brought up to date and has to be built
// anew.
var errUnusable = errors.New("the local state cannot be used")

func unusable(err error) bool {
	return errors.Is(err, errUnusable) || errors.Is(err, state.ErrCorrupt)
}

// readChangelogs reads the changelogs of a lease from where its state is to their ends.
func (r *restorer) readChangelogs(ctx context.Context, l *lease, offsets map[topicPartition]committed) error {
	if l.stores == nil || r.cfg.Faults.NoRestore {
		return nil
	}
	began := r.cfg.Now().UnixMilli()
	var parts []topicPartition
	for _, topic := range l.changelogs(r.cfg.ApplicationID) {
		parts = append(parts, topicPartition{topic, l.id.Partition})
	}
	end := logEnd
	if r.cfg.Faults.RestoreToLSO {
		end = stableEnd
	}
	ends, err := end.offsets(ctx, r.client, parts) // R3: after the offsets of the sources
	if err != nil {
		return err
	}
	starts, err := logStart.offsets(ctx, r.client, parts)
	if err != nil {
		return err
	}
	for i, tp := range parts {
		if err := r.usable(l, l.sub.Stores[i].Name, tp.topic, starts[tp], ends[tp], offsets); err != nil { // R4
			return err
		}
	}
	if l.fresh() {
		l.stores.SetLastApplied(began)
	}
	for i, tp := range parts {
		name := l.sub.Stores[i].Name
		l.stores.SetChangelogID(name, r.catalog.topicID(tp.topic))
		if err := r.replay(ctx, l, name, tp, max(starts[tp], l.stores.ChangelogNext(name)), ends[tp]); err != nil { // R5, R6
			return err
		}
	}
	l.stores.SetLastApplied(r.cfg.Now().UnixMilli())
	if err := l.stores.FinishRestore(); err != nil {
		return storeFailed(l, err)
	}
	return nil
}

// storeFailed sorts errors of the state: what a new attempt on reopened stores
// can heal, what building anew heals, and what nothing heals.
func storeFailed(l *lease, err error) error {
	switch {
	case unusable(err):
		return err
	case errors.Is(err, state.ErrMeaning):
		return changedMeaning(l, err)
	case errors.Is(err, state.ErrForeign), errors.Is(err, state.ErrNewerFormat):
		return fmt.Errorf("%w: %w", err, errPermanent)
	}
	return errors.Join(err, l.close(false))
}

// fresh says that nothing was ever applied to the lease's stores.
func (l *lease) fresh() bool {
	for _, s := range l.sub.Stores {
		if l.stores.ChangelogNext(s.Name) > 0 {
			return false
		}
	}
	return true
}

// usable is the rule for volumes that were away: what was not followed long
// enough to miss a deletion, or belongs to another changelog, comes back to
// life if it is used.
func (r *restorer) usable(l *lease, store, topic string, start, end int64, offsets map[topicPartition]committed) error {
	next := l.stores.ChangelogNext(store)
	if next == 0 {
		return nil
	}
	if id := l.stores.ChangelogID(store); r.catalog.another(topic, id) {
		if l.good(store, offsets) && !r.cfg.accepts(topic) {
			return r.remade(topic)
		}
		return fmt.Errorf("store %q: it follows topic %q of id %s, which is now of id %s: the topic was made anew: %w", store, topic, id, r.catalog.topicID(topic), errUnusable)
	}
	if next < start {
		return fmt.Errorf("store %q: it has read topic %q up to offset %d, and the log begins at %d: %w", store, topic, next, start, errUnusable)
	}
	if next > end {
		return fmt.Errorf("store %q: it has read topic %q up to offset %d, and the log ends at %d: %w", store, topic, next, end, errUnusable)
	}
	keep := r.catalog.deleteRetention[topic]
	age := time.Duration(r.cfg.Now().UnixMilli()-l.stores.LastApplied()) * time.Millisecond
	if l.stores.LastApplied() > 0 && age > keep-keep/retentionMargin {
		return fmt.Errorf("store %q: it is %v old, and topic %q keeps deletions for %v only: %w", store, age.Round(time.Second), topic, keep, errUnusable)
	}
	return nil
}

// good says that the local state of a store is where the offsets are that were
// committed by a version that did not note the ids of its topics. With notes,
// refuseRemade has looked already, and what follows another topic is a state from
// before the application was started over.
func (l *lease) good(store string, offsets map[topicPartition]committed) bool {
	p, ok := l.stores.Position(store)
	for _, in := range l.inputs {
		c := offsets[in.topicPartition]
		at, read := inputOf(p, in.topicPartition)
		ok = ok && c.offset >= 0 && !c.meta.Noted && read && at.Offset == c.offset
	}
	return ok
}

// replay restores one store from the records [from, to) of its changelog that
// are committed. Markers and aborted records move the position like any other.
func (r *restorer) replay(ctx context.Context, l *lease, store string, tp topicPartition, from, to int64) error {
	if from >= to {
		return nil
	}
	if err := r.openReader(); err != nil {
		return err
	}
	r.reader.AddConsumePartitions(map[string]map[int32]kgo.Offset{tp.topic: {tp.partition: kgo.NewOffset().At(from)}})
	defer r.reader.RemoveConsumePartitions(map[string][]int32{tp.topic: {tp.partition}})
	var batch []state.ChangelogRecord
	for at := from; at < to; {
		records, err := r.read(ctx, tp)
		if errors.Is(err, kerr.OffsetOutOfRange) {
			return fmt.Errorf("changelog %q partition %d is cut off: %w: %w", tp.topic, tp.partition, err, errUnusable)
		}
		if err != nil {
			return err
		}
		if len(records) == 0 {
			if at, err = r.stalled(ctx, tp, r.catalog.ids[tp.topic], at, to); err != nil {
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
		if err := l.stores.Restore(store, batch, at); err != nil {
			return storeFailed(l, err)
		}
		r.current.restored.Records += int64(len(batch))
	}
	return nil
}

func (r *restorer) openReader() (err error) {
	if r.reader != nil {
		return nil
	}
	r.reader, err = kgo.NewClient(append(r.cfg.Client[:len(r.cfg.Client):len(r.cfg.Client)],
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(fetchWait),
	)...)
	if err != nil {
		return fmt.Errorf("open the client that reads changelogs: %w: %w", err, errPermanent)
	}
	return nil
}

// read returns the next records, none if there are none for a while.
func (r *restorer) read(ctx context.Context, tp topicPartition) ([]*kgo.Record, error) {
	wait, cancel := context.WithTimeout(ctx, stallWait)
	defer cancel()
	var records []*kgo.Record
	var failed error
	r.reader.PollRecords(wait, restoreRecords).EachPartition(func(p kgo.FetchTopicPartition) {
		if (topicPartition{p.Topic, p.Partition}) == tp {
			records = append(records, p.Records...)
		}
		if p.Err != nil && failed == nil && !errors.Is(p.Err, context.DeadlineExceeded) {
			failed = fmt.Errorf("read topic %q partition %d: %w", tp.topic, tp.partition, p.Err)
		}
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return records, failed
}
