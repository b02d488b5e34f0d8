//go:build synctests

package sim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

// opened makes stores a state.Opener.
type opened struct{ stores *state.Stores }

func (o opened) Stores() *state.Stores { return o.stores }

// eachStores opens the state of every task the host has ever had. No process
// may run on it.
func (h *host) eachStores(f func(id task.ID, sub *graph.Subtopology, stores *state.Stores)) {
	for _, sub := range h.s.topology.Subtopologies() {
		if len(sub.Stores) == 0 {
			continue
		}
		for p := range int32(max(h.s.opt.Partitions, h.s.opt.Down)) {
			id := task.ID{Subtopology: sub.ID, Partition: p}
			if !h.has(id) {
				continue
			}
			stores, err := h.disk.Open(id.String(), state.Identity{ApplicationID: application, Task: id.String()}, sub.Stores)
			if err != nil {
				h.s.bad("host %d: open task %s: %v", h.id, id, err)
				continue
			}
			f(id, sub, stores)
			if err := stores.Close(false); err != nil {
				h.s.bad("host %d: close task %s: %v", h.id, id, err)
			}
		}
	}
}

// checkDisk is I4, looked at between two processes: what is on disk is never
// ahead of what the group has committed.
func (h *host) checkDisk() {
	h.eachStores(func(id task.ID, sub *graph.Subtopology, stores *state.Stores) {
		for _, spec := range sub.Stores {
			p, _ := stores.Position(spec.Name)
			h.checkPosition(id, p)
		}
	})
}

func (h *host) checkPosition(id task.ID, p state.Position) {
	h.s.finite(fmt.Sprintf("the disk of task %s on host %d", id, h.id), p)
	info := h.s.cluster.GroupInfo(application)
	if info == nil {
		return
	}
	for _, in := range p.Inputs {
		c, ok := info.Commits[in.Topic][in.Partition]
		if !ok || in.Offset > c.Offset {
			h.s.bad("I4: host %d: the disk of task %s is at offset %d of %s/%d, committed is %d", h.id, id, in.Offset, in.Topic, in.Partition, c.Offset)
		}
	}
}

// checkStores is I1 and I7: the state of every task equals the fold of its
// committed changelogs up to the position it claims.
func (h *host) checkStores(log map[place][]*kgo.Record) {
	h.eachStores(func(id task.ID, sub *graph.Subtopology, stores *state.Stores) {
		for _, spec := range sub.Stores {
			position, ok := stores.Position(spec.Name)
			below := int64(math.MinInt64)
			if ok {
				below = position.Closing.Below
			}
			h.checkPosition(id, position)
			topic := spec.ChangelogTopic(application)
			next := stores.ChangelogNext(spec.Name)
			if info := h.s.cluster.PartitionInfo(topic, id.Partition); next > 0 && (info == nil || next > info.HighWatermark) {
				h.s.bad("I7: host %d: task %s is at offset %d of %s, which ends before", h.id, id, next, topic)
			}
			want := fold(log[place{topic, id.Partition}], next, below)
			got, err := content(stores, spec, below)
			if err != nil {
				h.s.bad("I1: host %d: read store %s of task %s: %v", h.id, spec.Name, id, err)
				continue
			}
			h.compare(id, spec.Name, next, got, want)
		}
	})
}

// Tags of changelog keys, as state/FORMAT.md has them.
const (
	tagPosition = 0x00
	tagWindow   = 0x02
)

// fold is the last value of each changelog key before offset next, without the
// positions and without windows that are closed.
func fold(records []*kgo.Record, next, below int64) map[string][]byte {
	out := map[string][]byte{}
	for _, r := range records {
		switch {
		case r.Offset >= next || r.Key[0] == tagPosition:
		case r.Key[0] == tagWindow && int64(binary.BigEndian.Uint64(r.Key[1:])^1<<63) < below:
		case r.Value == nil:
			delete(out, string(r.Key))
		default:
			out[string(r.Key)] = r.Value
		}
	}
	return out
}

// content is everything in a store by changelog key.
func content(stores *state.Stores, spec state.Spec, below int64) (map[string][]byte, error) {
	out := map[string][]byte{}
	if spec.Kind == state.KeyValue {
		kv, err := state.KV[[]byte, []byte]{Name: spec.Name, Key: serde.Bytes, Value: serde.Bytes}.Open(opened{stores})
		if err != nil {
			return nil, err
		}
		for k, v := range kv.All() {
			out["\x01"+string(k)] = bytes.Clone(v)
		}
		return out, kv.Err()
	}
	windows, err := state.Windowed[[]byte]{Name: spec.Name, Value: serde.Bytes}.Open(opened{stores})
	if err != nil {
		return nil, err
	}
	for _, start := range windows.Starts() {
		if start < below {
			continue
		}
		prefix := string(binary.BigEndian.AppendUint64([]byte{tagWindow}, uint64(start)^1<<63))
		err := windows.Each(start, func(key []byte, v *[]byte) error {
			out[prefix+string(key)] = bytes.Clone(*v)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (h *host) compare(id task.ID, store string, next int64, got, want map[string][]byte) {
	for k, v := range want {
		if g, ok := got[k]; !ok || !bytes.Equal(g, v) {
			h.s.bad("I1: host %d: store %s of task %s at changelog offset %d: key %q is %q, its changelog says %q", h.id, store, id, next, k, g, v)
			return
		}
	}
	for k, g := range got {
		if _, ok := want[k]; !ok {
			h.s.bad("I1: host %d: store %s of task %s at changelog offset %d: key %q is %q, its changelog has none", h.id, store, id, next, k, g)
			return
		}
	}
	h.s.stats.checked.Add(int64(len(want)))
}
