package workload

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// event is what a join needs to know of a record.
type event struct{ ts, amount int64 }

// addJoined adds the output row of one pair.
func (h *rowHashes) addJoined(id uint64, left, right int64) {
	var key [KeySize]byte
	PutKey(&key, id)
	var value [joinedSize]byte
	binary.BigEndian.PutUint64(value[:], uint64(left))
	binary.BigEndian.PutUint64(value[8:], uint64(right))
	h.add(key[:], value[:])
}

// readEvents reads a topic's events by key id, in the order of their times.
func (c *Check) readEvents(ctx context.Context, v *Verdict, topic string) (map[uint64][]event, error) {
	m := make(map[uint64][]event)
	err := c.readInput(ctx, v, topic, func(r *kgo.Record, id uint64) {
		m[id] = append(m[id], event{r.Timestamp.UnixMilli(), be64(r.Value)})
	}, nil)
	for _, events := range m {
		slices.SortFunc(events, func(a, b event) int { return cmp.Compare(a.ts, b.ts) })
	}
	return m, err
}

func checkStreamJoin(ctx context.Context, c *Check, v *Verdict) error {
	left, err := c.readEvents(ctx, v, c.Inputs[0])
	if err != nil {
		return err
	}
	right, err := c.readEvents(ctx, v, c.Inputs[1])
	if err != nil {
		return err
	}
	return c.compareSink(ctx, v, joinStreams(left, right))
}

// joinStreams is the inner join of two sets of events sorted by time.
func joinStreams(left, right map[uint64][]event) (truth rowHashes) {
	for id, ls := range left {
		rs := right[id]
		from := 0
		for _, l := range ls {
			for from < len(rs) && rs[from].ts < l.ts-joinWindow {
				from++
			}
			for _, r := range rs[from:] {
				if r.ts > l.ts+joinWindow {
					break
				}
				truth.addJoined(id, l.amount, r.amount)
			}
		}
	}
	return truth
}

func checkTableJoin(ctx context.Context, c *Check, v *Verdict) error {
	rows := make(map[uint64]int64)
	err := c.readInput(ctx, v, c.Inputs[1], func(r *kgo.Record, id uint64) { rows[id] = be64(r.Value) }, nil)
	if err != nil {
		return err
	}
	var truth rowHashes
	err = c.readInput(ctx, v, c.Inputs[0], func(r *kgo.Record, id uint64) {
		if amount, ok := rows[id]; ok {
			truth.addJoined(id, be64(r.Value), amount)
		}
	}, nil)
	if err != nil {
		return err
	}
	return c.compareSink(ctx, v, truth)
}
