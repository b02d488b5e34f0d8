//go:build synctests

package sim

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// The workloads of two stages, with a repartition topic between.
const (
	regroup = "regroup" // records by another key, then windows
	chain   = "chain"   // windows, their results by another key, then windows of double size
)

// The topics that they write.
const (
	regroupTopic     = "out-regroup"
	regroupLateTopic = "out-regroup-late"
	chainTopic       = "out-chain"
	chainLateTopic   = "out-chain-late"
	chainLate2Topic  = "out-chain-late2"
)

// groups is how many keys the second stage has.
const groups = 7

// A bag is an aggregate that does not depend on the order: how many records
// went into it, and a number that depends on which.
type bag struct {
	N, Sum uint64
}

func (b bag) put(value string) bag { return bag{b.N + 1, b.Sum + digest(value)} }

func (b bag) join(o bag) bag { return bag{b.N + o.N, b.Sum + o.Sum} }

func digest(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // it never fails
	return h.Sum64() >> 12    // exact in JSON whoever reads it
}

// regrouped is the key that a record, or a result, has in the second stage.
func regrouped(from string) string { return fmt.Sprintf("g%d", digest(from)%groups) }

func (a *app) attachRegroup(s stream.Stream[string, string]) {
	g := stream.GroupBy("regroup", s, func(_, v string) string { return regrouped(v) }, serde.String, text, stream.Partitions(a.o.Down))
	w := stream.TryAggregateWindows("regrouped", stream.Window(g, a.o.windows().Emit(windowing.OnClose)), a.bags())
	a.sink(w, regroupTopic, regroupLateTopic, text)
}

func (a *app) attachChain(s stream.Stream[string, string]) {
	first := stream.TryAggregateWindows("chain-one", stream.Window(stream.GroupByKey(s), a.o.single().Emit(windowing.OnClose)), a.bags())
	stream.To(first.Late, stream.Topic[string, string]{Name: chainLateTopic, Key: serde.String, Value: text})
	g := stream.GroupBy("chain", first.Results, func(k windowing.Key[string], _ bag) string { return regrouped(k.Key) },
		serde.String, serde.JSON[bag](), stream.Partitions(a.o.Down))
	second := stream.TryAggregateWindows("chain-two", stream.Window(g, a.o.double().Emit(windowing.OnClose)), stream.TryAggregator[string, bag, bag]{
		State: serde.JSON[bag](),
		Add: func(_ *stream.Context, r *stream.Record[string, bag], acc bag) (bag, error) {
			return acc.join(r.Value), nil
		},
	})
	stream.To(second.Results, stream.Topic[windowing.Key[string], bag]{
		Name: chainTopic, Key: windowing.KeySerde(serde.String, 2*a.o.Size), Value: serde.JSON[bag](),
	})
	stream.To(second.Late, stream.Topic[string, bag]{Name: chainLate2Topic, Key: serde.String, Value: serde.JSON[bag]()})
}

// single and double are the windows of the two stages of a chain; the second
// has no grace: nothing may be late there.
func (o *Options) single() windowing.Windows { return windowing.Tumbling(o.Size).Grace(o.Grace) }
func (o *Options) double() windowing.Windows { return windowing.Tumbling(2 * o.Size) }

func (a *app) bags() stream.TryAggregator[string, string, bag] {
	return stream.TryAggregator[string, string, bag]{
		State: serde.JSON[bag](),
		Add: func(c *stream.Context, r *stream.Record[string, string], acc bag) (bag, error) {
			origin, _ := c.Origin()
			a.called(place{origin.Topic, origin.Partition})
			return acc.put(r.Value), nil
		},
	}
}

func (a *app) sink(w stream.Windowed[string, string, bag], results, late string, value serde.Serde[string]) {
	stream.To(w.Results, stream.Topic[windowing.Key[string], bag]{
		Name: results, Key: windowing.KeySerde(serde.String, a.o.Size), Value: serde.JSON[bag](),
	})
	stream.To(w.Late, stream.Topic[string, string]{Name: late, Key: serde.String, Value: value})
}

// staged is what the workloads of two stages must have committed.
type staged struct {
	cells map[string]map[cell]bag // by topic
	late  map[string]map[string]int
	ends  map[string]map[int32]int64 // by workload: the last watermark of each source partition
	fed   map[string]uint64
}

func newStaged() *staged {
	return &staged{
		cells: map[string]map[cell]bag{regroupTopic: {}, chainTopic: {}, "one": {}},
		late:  map[string]map[string]int{regroupLateTopic: {}, chainLateTopic: {}, chainLate2Topic: {}},
		ends:  map[string]map[int32]int64{regroup: {}, chain: {}}, fed: map[string]uint64{},
	}
}

// stage puts a record into the first windows that it meets.
func (e *expected) stage(workload string, r *kgo.Record, watermark int64) {
	at, size := r.Timestamp.UnixMilli(), e.o.Size.Milliseconds()
	key, advance, into, lateTopic := regrouped(string(r.Value)), e.o.Advance.Milliseconds(), regroupTopic, regroupLateTopic
	if workload == chain {
		key, advance, into, lateTopic = string(r.Key), size, "one", chainLateTopic
	}
	late, last := true, at-at%advance
	e.staged.fed[into]++
	for start := last; start > at-size; start -= advance {
		if !e.isClosed(start, watermark) {
			late = false
			c := cell{key, start}
			e.staged.cells[into][c] = e.staged.cells[into][c].put(string(r.Value))
		}
	}
	if late {
		e.staged.late[lateTopic][fmt.Sprint(key, lateRecord{string(r.Value), last, last + size, watermark})]++
	}
}

// final is what remains when the windows that are still open are left out, and
// the second stage of a chain is made of the results of the first.
func (e *expected) final() {
	if e.o.Bounded {
		e.chain(func(cell) bool { return true })
		return
	}
	for c := range e.staged.cells[regroupTopic] {
		if !e.isClosed(c.start, e.merged(regroup)) {
			delete(e.staged.cells[regroupTopic], c)
		}
	}
	for p, keys := range keysOf(e.o) {
		for c := range e.staged.cells["one"] {
			if slices.Contains(keys, c.key) && !e.isClosed(c.start, e.staged.ends[chain][int32(p)]) {
				delete(e.staged.cells["one"], c)
			}
		}
	}
	passed, double := e.merged(chain)-e.o.Grace.Milliseconds(), 2*e.o.Size.Milliseconds()
	e.chain(func(c cell) bool { return passed >= c.start+double })
}

// merged is the lowest watermark among the source partitions that hold the
// others back: not the quiet one, where that is known to be idle.
func (e *expected) merged(workload string) int64 {
	merged := int64(math.MaxInt64)
	for p, w := range e.staged.ends[workload] {
		if p != quietPartition || !e.o.Quiet || e.o.Idle == 0 {
			merged = min(merged, w)
		}
	}
	return merged
}

func (e *expected) chain(closed func(cell) bool) {
	size := e.o.Size.Milliseconds()
	for c, b := range e.staged.cells["one"] {
		at := c.start + size - 1
		into := cell{regrouped(c.key), at - at%(2*size)}
		if closed(into) {
			e.staged.cells[chainTopic][into] = e.staged.cells[chainTopic][into].join(b)
		}
	}
}

// stages compares a workload of two stages.
func (v *verdict) stages(workload string) {
	if workload == chain {
		v.bagged(chainTopic, 2*v.s.opt.Size.Milliseconds())
		v.lates(chainLateTopic)
		v.lates(chainLate2Topic)
		return
	}
	v.bagged(regroupTopic, v.s.opt.Size.Milliseconds())
	v.lates(regroupLateTopic)
	v.balance()
}

// bagged sees that every window came once, with all its records.
func (v *verdict) bagged(topic string, size int64) {
	got, want := map[cell]bool{}, v.want.staged.cells[topic]
	v.each(topic, func(r *kgo.Record) {
		c := v.windowed(r)
		var have bag
		if err := json.Unmarshal(r.Value, &have); err != nil {
			v.s.bad("%s/%d@%d: %v", r.Topic, r.Partition, r.Offset, err)
		}
		b, expected := want[c]
		switch {
		case got[c]:
			v.s.bad("%s: window %v came twice (at %s/%d@%d)", topic, c, r.Topic, r.Partition, r.Offset)
		case !expected:
			v.s.bad("%s: window %v came and is not closed: %+v", topic, c, have)
		case have != b:
			v.s.bad("%s: window %v is %+v, want %+v (at %s/%d@%d)", topic, c, have, b, r.Topic, r.Partition, r.Offset)
		case r.Timestamp.UnixMilli() != c.start+size-1:
			v.s.bad("%s: window %v has time %d", topic, c, r.Timestamp.UnixMilli())
		}
		got[c] = true
	})
	for c, b := range want {
		if !got[c] {
			v.s.bad("%s: window %v never came, want %+v", topic, c, b)
		}
	}
}

// lates compares late records as multisets: behind a repartition their order
// is not fixed.
func (v *verdict) lates(topic string) {
	got := map[string]int{}
	v.each(topic, func(r *kgo.Record) {
		if v.s.opt.Clocked || v.s.opt.Orderly && !strings.HasPrefix(string(r.Value), fmt.Sprintf("v-in-%d-", behindPartition)) {
			v.s.bad("%s: %q of a partition that is not behind is late", topic, r.Value)
		}
		got[fmt.Sprint(string(r.Key), lateRecord{
			string(r.Value), number(r, stream.HeaderLateWindowStart), number(r, stream.HeaderLateWindowEnd), number(r, stream.HeaderLateWatermark),
		})]++
	})
	v.sameCounts("late record of "+topic, got, v.want.staged.late[topic])
}

// balance is I9 across both stages: where windows do not overlap and all are
// closed, what is in them and what is late is the input.
func (v *verdict) balance() {
	if v.s.opt.Advance != v.s.opt.Size || !v.s.bounded.Load() {
		return
	}
	var out uint64
	v.each(regroupTopic, func(r *kgo.Record) {
		var b bag
		_ = json.Unmarshal(r.Value, &b) // bagged has looked at it
		out += b.N
	})
	v.each(regroupLateTopic, func(*kgo.Record) { out++ })
	if in := v.want.staged.fed[regroupTopic]; in != out {
		v.s.bad("I9: %d records in, %d in windows or late", in, out)
	}
}

// times looks at every watermark that was written: none is infinite, none in
// the position records goes back (I8). Users never see a control record.
func (v *verdict) times() {
	for _, topic := range v.s.topology.SinkTopics() {
		internal := slices.Contains(v.s.repartitions(), topic)
		for _, p := range v.s.cluster.PartitionInfos(topic) {
			for _, r := range v.log[place{topic, p.Partition}] {
				v.stamp(r, internal)
			}
		}
	}
	for _, sub := range v.s.topology.Subtopologies() {
		for _, spec := range sub.Stores {
			topic := spec.ChangelogTopic(application)
			for _, p := range v.s.cluster.PartitionInfos(topic) {
				v.positions(v.log[place{topic, p.Partition}])
			}
		}
	}
}

func (v *verdict) stamp(r *kgo.Record, internal bool) {
	text := header(r, graph.HeaderStamp)
	if !internal {
		if text != "" || r.Value == nil && r.Topic != deadTopic {
			v.s.bad("%s/%d@%d: a user can see a control record: %q", r.Topic, r.Partition, r.Offset, text)
		}
		return
	}
	stamp, err := graph.DecodeStamp([]byte(text))
	if err != nil {
		v.s.bad("%s/%d@%d: %v", r.Topic, r.Partition, r.Offset, err)
	}
	if stamp.Passed.Watermark == windowing.MaxTime || stamp.Record == windowing.MaxTime {
		v.s.bad("%s/%d@%d: an infinite watermark was sent: %+v", r.Topic, r.Partition, r.Offset, stamp)
	}
}

func (v *verdict) positions(records []*kgo.Record) {
	before := map[string]state.Input{}
	for _, r := range records {
		if r.Key[0] != tagPosition {
			continue
		}
		p, err := state.DecodePosition(r.Value)
		if err != nil {
			v.s.bad("%s/%d@%d: %v", r.Topic, r.Partition, r.Offset, err)
			return
		}
		where := fmt.Sprintf("the position at %s/%d@%d", r.Topic, r.Partition, r.Offset)
		v.s.finite(where, p)
		for _, in := range p.Inputs {
			if b, ok := before[in.Topic]; ok {
				v.s.backwards(where, b.Watermark, in.Watermark, b.Upstream, in.Upstream)
			}
			before[in.Topic] = in
		}
	}
}

// finite sees that a position holds no infinite watermark.
func (s *sim) finite(where string, p state.Position) {
	infinite := false
	for _, in := range p.Inputs {
		infinite = infinite || in.Watermark == math.MaxInt64
		for _, u := range in.Upstream {
			infinite = infinite || u.Watermark == math.MaxInt64
		}
	}
	infinite = infinite || p.Closing.Watermark == math.MaxInt64
	if infinite {
		s.bad("%s has an infinite watermark: %+v", where, p)
	}
}

// backwards is I8: the time of an input never goes back, nor does that of any
// upstream task of it.
func (s *sim) backwards(where string, was, is int64, before, after []state.Upstream) {
	if is < was {
		s.bad("I8: %s: the watermark went back from %d to %d", where, was, is)
	}
	if len(after) < len(before) {
		s.bad("I8: %s: %d upstream tasks were known, now %d", where, len(before), len(after))
		return
	}
	for i, b := range before {
		if after[i].Watermark < b.Watermark || b.Ended && !after[i].Ended {
			s.bad("I8: %s: upstream task %d went back from %+v to %+v", where, i, b, after[i])
		}
	}
}

// repartitions lists the repartition topics by their full names.
func (s *sim) repartitions() (all []string) {
	for _, r := range s.topology.Repartitions() {
		all = append(all, r.Topic)
	}
	return all
}
