//go:build synctests

package sim

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/stream"
)

// judge compares everything that was committed with what must have been. It
// runs when all processes have stopped.
func (s *sim) judge() {
	if s.failed() {
		return // what follows would only repeat it
	}
	log, err := s.readCommitted(s.topics()...)
	if err != nil {
		s.bad("I3: %v", err)
		return
	}
	s.log = log
	v := &verdict{s: s, log: log, want: expect(s.opt, s.bounded.Load(), log)}
	v.committedToEnd()
	for _, w := range s.opt.Workloads {
		switch w {
		case countEach:
			v.counts()
		case countWindows:
			v.finals()
			v.late(w, finalsLateTopic)
		case lastWindows:
			v.latest()
			v.late(w, latestLateTopic)
		case mapEach:
			v.mapped()
		case regroup, chain:
			v.stages(w)
		}
	}
	v.times()
	if s.opt.Trouble || s.opt.Far {
		v.dead()
	}
	for _, h := range s.hosts {
		h.checkStores(log)
	}
}

// A verdict compares the committed outputs of a run with the expected ones.
type verdict struct {
	s    *sim
	log  map[place][]*kgo.Record
	want *expected
}

// committedToEnd sees that every source partition is committed to its end,
// control records included (I3: what is visible and what is committed agree).
func (v *verdict) committedToEnd() {
	v.s.watch.look()
	for _, topic := range v.s.opt.sources() {
		for _, p := range v.s.cluster.PartitionInfos(topic) {
			at := place{topic, p.Partition}
			if c, _ := v.s.watch.last(at); c.offset != p.HighWatermark {
				v.s.bad("I3: %v ends at %d, committed is %d", at, p.HighWatermark, c.offset)
			}
		}
	}
}

// each calls f for every committed record of an output topic in order.
func (v *verdict) each(topic string, f func(r *kgo.Record)) {
	for p := range int32(v.s.opt.Partitions) {
		for _, r := range v.log[place{topic, p}] {
			v.s.stats.checked.Add(1)
			f(r)
		}
	}
}

func (v *verdict) tally(r *kgo.Record) (t tally) {
	if err := json.Unmarshal(r.Value, &t); err != nil {
		v.s.bad("%s/%d@%d: %v", r.Topic, r.Partition, r.Offset, err)
	}
	return t
}

// counts is the fold checker: every source offset once, in order, per key.
func (v *verdict) counts() {
	got := map[string]int{}
	v.each(countsTopic, func(r *kgo.Record) {
		key, have := string(r.Key), v.tally(r)
		n := got[key]
		got[key]++
		if all := v.want.counts[key]; n >= len(all) || all[n] != have {
			v.s.bad("count of %q: output %d is %+v, want %s (at %s/%d@%d)", key, n+1, have, nth(all, n), r.Topic, r.Partition, r.Offset)
		}
	})
	for key, all := range v.want.counts {
		if got[key] != len(all) {
			v.s.bad("count of %q: %d outputs, want %d", key, got[key], len(all))
		}
	}
}

func nth[T any](all []T, n int) string {
	if n >= len(all) {
		return "none"
	}
	return fmt.Sprintf("%+v", all[n])
}

// windowed takes a result's key apart.
func (v *verdict) windowed(r *kgo.Record) cell {
	n := len(r.Key) - 8
	if n < 0 {
		v.s.bad("%s/%d@%d: key %x is none of a window", r.Topic, r.Partition, r.Offset, r.Key)
		return cell{}
	}
	return cell{string(r.Key[:n]), int64(binary.BigEndian.Uint64(r.Key[n:]))}
}

// finals sees that every closed window came once, with all its records.
func (v *verdict) finals() {
	got := map[cell]bool{}
	v.each(finalsTopic, func(r *kgo.Record) {
		c, have := v.windowed(r), v.tally(r)
		all := v.want.cells[countWindows][c]
		switch {
		case got[c]:
			v.s.bad("window %v came twice (at %s/%d@%d)", c, r.Topic, r.Partition, r.Offset)
		case !v.want.closed[countWindows][c]:
			v.s.bad("window %v came and is not closed: %+v of %s", c, have, nth(all, len(all)-1))
		case have != all[len(all)-1]:
			v.s.bad("window %v is %+v, want %+v (at %s/%d@%d)", c, have, all[len(all)-1], r.Topic, r.Partition, r.Offset)
		case r.Timestamp.UnixMilli() != c.start+v.s.opt.Size.Milliseconds()-1:
			v.s.bad("window %v has time %d", c, r.Timestamp.UnixMilli())
		}
		got[c] = true
	})
	for c, closed := range v.want.closed[countWindows] {
		if closed && !got[c] {
			all := v.want.cells[countWindows][c]
			v.s.bad("window %v never came, want %s", c, nth(all, len(all)-1))
		}
	}
}

// latest sees that the updates of a window are true values of it that grow, and
// that the last one has all its records.
func (v *verdict) latest() {
	got := map[cell]int64{}
	v.each(latestTopic, func(r *kgo.Record) {
		c, have := v.windowed(r), v.tally(r)
		all := v.want.cells[lastWindows][c]
		switch {
		case have.N < 1 || have.N > int64(len(all)) || all[have.N-1] != have:
			v.s.bad("update of window %v is %+v, want %s (at %s/%d@%d)", c, have, nth(all, int(have.N)-1), r.Topic, r.Partition, r.Offset)
		case have.N <= got[c]:
			v.s.bad("update of window %v goes from %d records to %d (at %s/%d@%d)", c, got[c], have.N, r.Topic, r.Partition, r.Offset)
		}
		got[c] = have.N
	})
	for c, all := range v.want.cells[lastWindows] {
		if got[c] != int64(len(all)) {
			v.s.bad("the last update of window %v has %d records, want %d", c, got[c], len(all))
		}
	}
}

// late sees that the late records are there, once, in the order of the input.
func (v *verdict) late(workload, topic string) {
	for p := range int32(v.s.opt.Partitions) {
		var got []lateRecord
		for _, r := range v.log[place{topic, p}] {
			v.s.stats.checked.Add(1)
			got = append(got, lateRecord{
				string(r.Value), number(r, stream.HeaderLateWindowStart), number(r, stream.HeaderLateWindowEnd), number(r, stream.HeaderLateWatermark),
			})
		}
		v.same(place{topic, p}, fmt.Sprint, anys(got), anys(v.want.late[workload][p]))
	}
}

func number(r *kgo.Record, key string) int64 {
	n, err := strconv.ParseInt(header(r, key), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func anys[T any](all []T) []any {
	out := make([]any, len(all))
	for i, x := range all {
		out[i] = x
	}
	return out
}

// same compares two sequences and reports the first difference.
func (v *verdict) same(at place, show func(...any) string, got, want []any) {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			v.s.bad("%v: record %d of %d is %s, want %s of %d", at, i, len(got), nth(got, i), nth(want, i), len(want))
			return
		}
	}
}

func (v *verdict) mapped() {
	keyless := map[string]int{}
	for p := range int32(v.s.opt.Partitions) {
		var got []string
		for _, r := range v.log[place{mappedTopic, p}] {
			v.s.stats.checked.Add(1)
			if r.Key == nil {
				keyless[string(r.Value)]++
			} else {
				got = append(got, string(r.Value))
			}
		}
		v.same(place{mappedTopic, p}, fmt.Sprint, anys(got), anys(v.want.mapped[p]))
	}
	v.sameCounts("mapped record without key", keyless, v.want.keyless)
}

func (v *verdict) dead() {
	got := map[string]int{}
	v.each(deadTopic, func(r *kgo.Record) {
		partition, _ := strconv.Atoi(header(r, "__streams.errors.partition"))
		offset, _ := strconv.ParseInt(header(r, "__streams.errors.offset"), 10, 64)
		got[letter(header(r, "__millrace.errors.reason"), header(r, "__streams.errors.topic"), int32(partition), offset, header(r, "__millrace.errors.operator"))]++
	})
	v.sameCounts("dead letter", got, v.want.dead)
}

func (v *verdict) sameCounts(what string, got, want map[string]int) {
	var all []string
	for k := range got {
		all = append(all, k)
	}
	for k := range want {
		if _, ok := got[k]; !ok {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	for _, k := range all {
		if got[k] != want[k] {
			v.s.bad("%s %q came %d times, want %d", what, k, got[k], want[k])
		}
	}
}
