package task_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/partitioner"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// The second stage of a relay: what it counted, and what was late there.
var (
	relayed = stream.Topic[windowing.Key[string], int64]{Name: "relayed", Key: windowing.KeySerde(serde.String, time.Second), Value: serde.Int64}
	relLate = stream.Topic[string, string]{Name: "late", Key: serde.String, Value: serde.String}
)

// second counts what comes by a repartition topic in windows of a second.
func second(s stream.Stream[string, string]) {
	w := stream.CountWindows("second", stream.Window(stream.GroupByKey(stream.Repartition("by", s, serde.String, serde.String)), windowing.Tumbling(time.Second).Emit(windowing.OnClose)))
	stream.To(w.Results, relayed)
	stream.To(w.Late, relLate)
}

// windowsFirst has windows in front of the repartition, tableFirst a table that
// is sent at commits, nothingFirst nothing.
func windowsFirst(rule windowing.Watermarks) func(*stream.Builder) {
	return func(b *stream.Builder) {
		w := stream.CountWindows("first", stream.Window(stream.GroupByKey(stream.From(b, left, stream.Watermark(rule))), windowing.Tumbling(100*time.Millisecond).Emit(windowing.OnClose)))
		second(stream.Map(w.Results, func(k windowing.Key[string], n int64) (string, string) { return k.Key, fmt.Sprint(n) }))
	}
}

func tableFirst(rule windowing.Watermarks) func(*stream.Builder) {
	return func(b *stream.Builder) {
		counted := stream.Count("first", stream.GroupByKey(stream.From(b, left, stream.Watermark(rule))))
		second(stream.MapValues(stream.EachUpdate(counted.Changes()), func(n int64) string { return fmt.Sprint(n) }))
	}
}

func nothingFirst(rule windowing.Watermarks) func(*stream.Builder) {
	return func(b *stream.Builder) { second(stream.From(b, left, stream.Watermark(rule))) }
}

// A relay is two tasks of a first stage and the one behind them.
type relay struct {
	t       *testing.T
	first   [2]*task.Task
	fed     [2]int64
	reader  *task.Task
	written int64             // records of the repartition topic
	got     map[string]string // what the second stage wrote, by topic
}

func newRelay(t *testing.T, build func(*stream.Builder)) *relay {
	t.Helper()
	b := stream.New("test")
	build(b)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	subs := topology.Bind("app").Subtopologies()
	r := &relay{t: t, got: map[string]string{}}
	for p := range r.first {
		r.first[p] = relayTask(t, subs[0], int32(p))
	}
	r.reader = relayTask(t, subs[1], 0)
	return r
}

func relayTask(t *testing.T, sub *graph.Subtopology, partition int32) *task.Task {
	t.Helper()
	id := task.ID{Subtopology: sub.ID, Partition: partition}
	cfg := task.Config{
		ApplicationID: "app", ID: id, Tasks: 2, Subtopology: sub, Partition: partitioner.New(), MaxIdle: -1,
		Partitions: map[string]int32{"relayed": 1, "late": 1, "app-by-repartition": 1},
		Inputs:     []task.Input{{Topic: sub.Sources[0], Partition: partition, Watermark: math.MinInt64, End: math.MaxInt64}},
	}
	if len(sub.Stores) > 0 {
		var err error
		if cfg.Stores, err = state.NewMemory().Open(id.String(), state.Identity{ApplicationID: "app", Task: id.String()}, sub.Stores); err != nil {
			t.Fatal(err)
		}
	}
	return newTask(t, cfg)
}

// put gives the first stage a record on one partition, by the wall clock now.
func (r *relay) put(partition int, key string, at, now int64) {
	r.t.Helper()
	x := r.first[partition]
	feed(r.t, x, 0, []graph.Message{{Key: []byte(key), Value: []byte("v"), Offset: r.fed[partition], Timestamp: at}})
	r.fed[partition]++
	x.Elapse(now)
	if _, err := x.Step(now, 1); err != nil {
		r.t.Fatal(err)
	}
}

// clock tells all tasks the wall clock, and those of the first stage that
// nothing has come.
func (r *relay) clock(now int64) {
	r.t.Helper()
	for p, x := range r.first {
		if x.WantsEnd(0) {
			if err := x.AtEnd(0, r.fed[p], moment(now)); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	for _, x := range append(r.first[:], r.reader) {
		if err := x.Tick(now); err != nil {
			r.t.Fatal(err)
		}
	}
}

// commit commits a task of the first stage, if it has anything to commit, and
// has the second stage take what it sent; the second stage commits too.
func (r *relay) commit(partition int, now int64) {
	r.t.Helper()
	x := r.first[partition]
	if !x.Dirty() {
		return
	}
	for _, o := range r.committed(x) {
		feed(r.t, r.reader, 0, []graph.Message{{Key: o.Key, Value: o.Value, Headers: o.Headers, Timestamp: o.Timestamp, Offset: r.written}})
		r.written++
		r.reader.Elapse(now)
		if _, err := r.reader.Step(now, 1); err != nil {
			r.t.Fatal(err)
		}
	}
	for _, o := range r.committed(r.reader) {
		r.got[o.Topic] += fmt.Sprintf("%q@%d ", o.Key, o.Timestamp)
	}
}

func (r *relay) committed(x *task.Task) []graph.Out {
	r.t.Helper()
	c := prepare(r.t, x)
	outs := append([]graph.Out(nil), c.Outputs...)
	for i := range outs { // the outbox is used again
		outs[i].Key, outs[i].Value = append([]byte(nil), outs[i].Key...), append([]byte(nil), outs[i].Value...)
		for h := range outs[i].Headers {
			outs[i].Headers[h].Value = append([]byte(nil), outs[i].Headers[h].Value...)
		}
	}
	var next []int64
	if s := x.Stores(); s != nil {
		for _, spec := range x.Config().Subtopology.Stores {
			next = append(next, s.ChangelogNext(spec.Name))
		}
	}
	for _, e := range c.Entries {
		next[e.Store]++
	}
	if err := x.Committed(next, 0); err != nil {
		r.t.Fatal(err)
	}
	return outs
}

// TestNothingOnTimeComesFromBehindTheClock: where idle partitions follow the
// clock, nothing is late behind a repartition that came within what was declared,
// neither a window that the clock closes nor a record that ends the silence.
func TestNothingOnTimeComesFromBehindTheClock(t *testing.T) {
	const began, behind = 1_000_000, 2_000
	rule := windowing.Ascending().Idle(500 * time.Millisecond).FollowClock(behind * time.Millisecond)
	for name, build := range map[string]func(*stream.Builder){"windows": windowsFirst(rule), "table": tableFirst(rule), "nothing": nothingFirst(rule)} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t, build)
			now := int64(began)
			r.put(0, "quiet", now, now)
			r.put(1, "busy", now, now)
			for range 60 { // one partition is busy, the other is not
				now += 100
				r.put(1, "busy", now, now)
				r.clock(now)
				r.commit(0, now)
				r.commit(1, now)
			}
			if !strings.Contains(r.got["relayed"], "busy") {
				t.Error("the quiet partition holds the windows open although its time follows the clock")
			}
			r.put(0, "awake", now-behind+1, now) // as late as a record may be
			for range 60 {
				now += 100
				r.clock(now)
				r.commit(0, now)
				r.commit(1, now)
			}
			if late := r.got["late"]; late != "" {
				t.Errorf("late in the second stage: %s", late)
			}
			for _, key := range []string{"quiet", "awake"} {
				if !strings.Contains(r.got["relayed"], key) {
					t.Errorf("%q is in no result: %s", key, r.got["relayed"])
				}
			}
		})
	}
}

// TestIdleIsToldBehindWhatWaitsForTheCommit: a partition becomes idle while a
// table still holds back what came from it. The readers hear of that only
// behind it.
func TestIdleIsToldBehindWhatWaitsForTheCommit(t *testing.T) {
	const now = 1_000_000
	r := newRelay(t, tableFirst(windowing.Ascending().Idle(500*time.Millisecond)))
	r.put(1, "busy", 9000, now)
	r.commit(1, now)
	for i := range 10 { // in one interval, so that a stamp follows on a stamp
		r.put(0, fmt.Sprint("quiet", i), 1000, now)
	}
	r.clock(now)
	r.clock(now + 500)
	r.put(1, "busy", 9500, now+500) // the other one is not idle
	r.commit(0, now+500)
	r.commit(1, now+500)
	if late := r.got["late"]; late != "" {
		t.Errorf("late in the second stage: %s", late)
	}
	r.put(1, "busy", 10_000, now+600)
	r.commit(1, now+600)
	if got := strings.Count(r.got["relayed"], "quiet"); got != 10 {
		t.Errorf("%d of 10 keys in results, although the quiet partition is idle: %s", got, r.got["relayed"])
	}
}

// TestIdleWithoutTheClock: what came on a partition that is idle is not waited
// for; its open windows neither fire nor hold the second stage.
func TestIdleWithoutTheClock(t *testing.T) {
	const now = 1_000_000
	r := newRelay(t, windowsFirst(windowing.Ascending().Idle(500*time.Millisecond)))
	r.put(0, "quiet", 1000, now)
	r.put(1, "busy", 1000, now)
	r.put(1, "busy", 5000, now)
	r.commit(0, now)
	r.commit(1, now)
	if got := r.got["relayed"]; got != "" {
		t.Fatalf("the quiet partition was not waited for: %s", got)
	}
	r.clock(now)
	r.put(1, "busy", 6000, now+500)
	r.clock(now + 500)
	r.commit(0, now+500)
	r.commit(1, now+500)
	if got := r.got["relayed"]; !strings.Contains(got, "busy") || strings.Contains(got, "quiet") {
		t.Errorf("got %s", got)
	}
	r.put(0, "quiet", 7000, now+600)
	r.commit(0, now+600)
	if got := r.got["late"]; !strings.Contains(got, "quiet") {
		t.Errorf("the window of the partition that was idle is not late but: %s, late %s", r.got["relayed"], got)
	}
}

// TestIdleIsToldAtOnce: also when it was told a moment ago, and the operator in
// front of the readers waits for a commit.
func TestIdleIsToldAtOnce(t *testing.T) {
	r := newRelay(t, tableFirst(windowing.Ascending().Idle(500*time.Millisecond)))
	now := int64(1_000_000)
	for round := range 2 {
		r.put(0, "k", 1000, now)
		r.commit(0, now)
		r.clock(now)
		if r.first[0].Dirty() {
			t.Fatalf("round %d: there is something to commit before the partition is idle", round)
		}
		r.clock(now + 500)
		if !r.first[0].Dirty() {
			t.Errorf("round %d: nobody is told that the partition is idle", round)
		}
		r.commit(0, now+500)
		now += 600
	}
}
