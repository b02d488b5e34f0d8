//go:build synctests

package sim

import (
	"fmt"
	"math"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A cell is one key in one window.
type cell struct {
	key   string
	start int64
}

// A lateRecord is what must be in a late topic.
type lateRecord struct {
	value           string
	from, to, until int64 // the last window and the watermark
}

// expected is what a run must have committed, computed from the input log alone
// by code that shares nothing with the runtime.
type expected struct {
	o       *Options
	counts  map[string][]tally          // by topic-independent key: every value in order
	cells   map[string]map[cell][]tally // by workload: every value of each window in order
	closed  map[string]map[cell]bool    // by workload: the windows that are final
	late    map[string]map[int32][]lateRecord
	mapped  map[int32][]string
	keyless map[string]int // mapped records without a key
	dead    map[string]int
	inputs  int
	staged  *staged
}

func newExpected(o *Options) *expected {
	e := &expected{
		o: o, staged: newStaged(), counts: map[string][]tally{}, cells: map[string]map[cell][]tally{}, closed: map[string]map[cell]bool{},
		late: map[string]map[int32][]lateRecord{}, mapped: map[int32][]string{}, keyless: map[string]int{}, dead: map[string]int{},
	}
	for _, w := range o.Workloads {
		e.cells[w], e.closed[w], e.late[w] = map[cell][]tally{}, map[cell]bool{}, map[int32][]lateRecord{}
	}
	return e
}

// expect computes it from the source topics' committed records.
func expect(o Options, bounded bool, log map[place][]*kgo.Record) *expected {
	o.Bounded = bounded
	e := newExpected(&o)
	for _, topic := range o.sources() {
		for p := range int32(o.Partitions) {
			e.partition(topic, p, log[place{topic, p}])
		}
	}
	e.final()
	return e
}

// readers are the workloads that read a topic.
func (e *expected) readers(topic string) (all []string) {
	for _, w := range e.o.Workloads {
		if e.o.source(w) == topic {
			all = append(all, w)
		}
	}
	return all
}

func (e *expected) partition(topic string, p int32, records []*kgo.Record) {
	readers := e.readers(topic)
	poisoned := false
	for _, w := range readers {
		poisoned = poisoned || w == mapEach
	}
	newest := int64(math.MinInt64)
	for _, r := range records {
		e.inputs++
		if r.Timestamp.Equal(farFuture) {
			e.bury(r, "future", "source:"+topic)
			continue
		}
		newest = max(newest, r.Timestamp.UnixMilli())
		switch {
		case r.Value == nil:
			e.bury(r, "null_value", "source:"+topic)
		case strings.HasPrefix(string(r.Value), garbled):
			e.bury(r, "decode", "source:"+topic)
		case poisoned && strings.HasPrefix(string(r.Value), poison):
			e.bury(r, "process", "map")
		default:
			for _, w := range readers {
				e.record(w, r, newest-e.o.Bound.Milliseconds())
			}
		}
	}
	for _, w := range readers {
		if w == regroup || w == chain {
			e.staged.ends[w][p] = max(newest, math.MinInt64+e.o.Bound.Milliseconds()) - e.o.Bound.Milliseconds()
			continue
		}
		e.close(w, p, newest-e.o.Bound.Milliseconds())
	}
}

func letter(reason, topic string, partition int32, offset int64, operator string) string {
	return fmt.Sprintf("%s %s/%d@%d %s", reason, topic, partition, offset, operator)
}

func (e *expected) bury(r *kgo.Record, reason, operator string) {
	e.dead[letter(reason, r.Topic, r.Partition, r.Offset, operator)]++
}

func (e *expected) record(workload string, r *kgo.Record, watermark int64) {
	if workload == mapEach {
		m := mapped(string(r.Value), r.Partition, r.Offset)
		if r.Key == nil {
			e.keyless[m]++
		} else {
			e.mapped[r.Partition] = append(e.mapped[r.Partition], m)
		}
		return
	}
	if r.Key == nil && workload != regroup {
		e.bury(r, "null_key", map[string]string{countEach: "count", countWindows: "windows", lastWindows: "latest", chain: "chain-one"}[workload])
		return
	}
	if workload == regroup || workload == chain {
		e.stage(workload, r, watermark)
		return
	}
	key := string(r.Key)
	if workload == countEach {
		e.counts[key] = appendTally(e.counts[key], r.Offset)
		return
	}
	e.window(workload, key, r, watermark)
}

func appendTally(all []tally, offset int64) []tally {
	var last tally
	if len(all) > 0 {
		last = all[len(all)-1]
	}
	return append(all, last.add(offset))
}

// window puts a record into every window that is open, by the watermark of its
// own partition. It is late if there is none.
func (e *expected) window(workload, key string, r *kgo.Record, watermark int64) {
	at, size, advance := r.Timestamp.UnixMilli(), e.o.Size.Milliseconds(), e.o.Advance.Milliseconds()
	late, last := true, at-at%advance
	for start := last; start > at-size; start -= advance {
		if e.isClosed(start, watermark) {
			continue
		}
		late = false
		c := cell{key, start}
		e.cells[workload][c] = appendTally(e.cells[workload][c], r.Offset)
	}
	if late {
		e.late[workload][r.Partition] = append(e.late[workload][r.Partition], lateRecord{string(r.Value), last, last + size, watermark})
	}
}

func (e *expected) isClosed(start, watermark int64) bool {
	return watermark >= start+e.o.Size.Milliseconds()+e.o.Grace.Milliseconds()
}

// close notes which windows of a partition's keys are final: all of a bounded
// run, otherwise those the last watermark has closed.
func (e *expected) close(workload string, p int32, watermark int64) {
	mine := map[string]bool{}
	for _, key := range keysOf(e.o)[p] {
		mine[key] = true
	}
	for c := range e.cells[workload] {
		if mine[c.key] {
			e.closed[workload][c] = e.o.Bounded || e.isClosed(c.start, watermark)
		}
	}
}
