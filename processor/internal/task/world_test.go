package task_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/partitioner"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// worldPartitions is how many partitions each source and the repartition topic
// have, and so how many tasks each stage.
const worldPartitions = 2

// A plan is what a seed decides for a whole world.
type plan struct {
	mode    mode
	windows bool  // in front of the repartition
	drift   bool  // the sources are aligned
	marked  bool  // each record is a marker of its time less the bound
	bound   int64 // of disorder, ms
	maxIdle int64
}

// A mode is what makes time pass where nothing comes.
type mode int

const (
	waiting   mode = iota // nothing does
	idling                // a quiet partition is left out
	following             // the clock does
	bounded               // the input ends
	modes
)

const (
	worldIdle   = 500 * time.Millisecond
	worldBehind = 1000 // ms, of a partition that follows the clock
	worldDrift  = 300 * time.Millisecond
)

func drawPlan(r *rand.Rand) plan {
	return plan{
		mode: mode(r.IntN(int(modes))), windows: r.IntN(2) == 0, drift: r.IntN(2) == 0, marked: r.IntN(3) == 0,
		bound: int64(r.IntN(200)), maxIdle: int64(r.IntN(2) - 1),
	}
}

func (p *plan) rule() windowing.Watermarks {
	rule := windowing.Bounded(time.Duration(p.bound) * time.Millisecond)
	if p.marked {
		rule = windowing.Punctuated()
	}
	if p.mode == idling || p.mode == following {
		rule = rule.Idle(worldIdle)
	}
	if p.mode == following {
		rule = rule.FollowClock(worldBehind * time.Millisecond)
	}
	if p.drift {
		rule = rule.MaxDrift(worldDrift)
	}
	return rule
}

// source reads a topic by the rule.
func (p *plan) source(b *stream.Builder, topic stream.Topic[string, string]) stream.Stream[string, string] {
	if p.marked {
		topic.Marker = func(r *stream.Record[string, string]) (time.Time, bool) {
			if r.Value[0] == 'm' {
				return (r.Time + century).Time(), true
			}
			return (r.Time - windowing.EventTime(p.bound)).Time(), true
		}
	}
	return stream.From(b, topic, stream.Watermark(p.rule()))
}

// gathered has the values of each window together.
var gathered = stream.Aggregator[string, string, string]{
	State: serde.String, Add: func(_, v, acc string) string { return acc + v + " " },
}

// build is two sources in one task, perhaps windows, a repartition, windows.
func (p *plan) build(b *stream.Builder) {
	s := p.source(b, left).Merge(p.source(b, right))
	final := func(size time.Duration) windowing.Windows { return windowing.Tumbling(size).Emit(windowing.OnClose) }
	if p.windows {
		first := stream.AggregateWindows("first", stream.Window(stream.GroupByKey(s), final(100*time.Millisecond)), gathered)
		stream.To(first.Late, stream.Topic[string, string]{Name: "late", Key: serde.String, Value: serde.String})
		s = stream.Map(first.Results, func(k windowing.Key[string], v string) (string, string) { return k.Key, v })
	}
	by := stream.Repartition("by", stream.Map(s, func(k, v string) (string, string) { return k + "'", v }), serde.String, serde.String)
	second := stream.AggregateWindows("second", stream.Window(stream.GroupByKey(by), final(time.Second)), gathered)
	stream.To(second.Late, stream.Topic[string, string]{Name: "late2", Key: serde.String, Value: serde.String})
	stream.To(second.Results, stream.Topic[windowing.Key[string], string]{Name: "results", Key: windowing.KeySerde(serde.String, time.Second), Value: serde.String})
}

// A world is the tasks of two stages in one worker, their logs, and the clocks. A
// seed decides what happens in it, and in which order.
type world struct {
	plan       plan
	r          *rand.Rand
	planted    task.Planted
	log        map[string][][]graph.Message // by topic and partition
	actors     []*actor
	elapsed    int64 // ms
	set        int64 // by how much the wall clock is wrong, ms
	quiet      map[string]int64
	ids        int
	wasIdle    bool
	told       map[string]windowing.EventTime // by upstream task and partition
	violations []string
}

// worldBegan is the time at which a world begins, ms since epoch.
const worldBegan = 1_000_000_000_000

func newWorld(seed uint64, planted task.Planted) *world {
	r := rand.New(rand.NewPCG(seed, 7))
	w := &world{plan: drawPlan(r), r: r, planted: planted, quiet: map[string]int64{}, told: map[string]windowing.EventTime{}}
	w.log = map[string][][]graph.Message{"results": {nil}, "late": {nil}, "late2": {nil}}
	for _, topic := range []string{"left", "right", "app-by-repartition"} {
		w.log[topic] = make([][]graph.Message, worldPartitions)
	}
	return w
}

func (w *world) violate(format string, args ...any) {
	w.violations = append(w.violations, fmt.Sprintf(format, args...))
}

func (w *world) must(err error, doing string, args ...any) {
	if err != nil {
		w.violate("%s: %v", fmt.Sprintf(doing, args...), err)
	}
}

// now is the true time, and wall what the wall clock shows.
func (w *world) now() int64  { return worldBegan + w.elapsed }
func (w *world) wall() int64 { return w.now() + w.set }

// begin makes the tasks, over what the logs have by then if the run is bounded.
func (w *world) begin() {
	b := stream.New("test")
	w.plan.build(b)
	topology, err := b.Build()
	w.must(err, "build")
	if err != nil {
		return
	}
	for _, sub := range topology.Bind("app").Subtopologies() {
		for p := range int32(worldPartitions) {
			a := &actor{w: w, storage: state.NewMemory(), changelog: make([][]state.ChangelogRecord, len(sub.Stores))}
			a.cfg = task.Config{
				ApplicationID: "app", ID: task.ID{Subtopology: sub.ID, Partition: p}, Tasks: worldPartitions, Subtopology: sub,
				Partition: partitioner.New(), MaxIdle: w.plan.maxIdle, Planted: w.planted,
				Partitions: map[string]int32{"results": 1, "late": 1, "late2": 1, "app-by-repartition": worldPartitions},
			}
			if w.plan.mode == bounded {
				a.cfg.Run, a.cfg.LogicalNow = "r", w.now()
			}
			for _, topic := range sub.Sources {
				in := task.Input{Topic: topic, Partition: p, Watermark: math.MinInt64, End: math.MaxInt64}
				if w.plan.mode == bounded {
					in.End = int64(len(w.log[topic][p]))
				}
				a.cfg.Inputs = append(a.cfg.Inputs, in)
			}
			a.blind = make([]int64, len(a.cfg.Inputs))
			a.start()
			w.actors = append(w.actors, a)
		}
	}
}

// produce lets some time pass and gives the sources what comes meanwhile. What an
// id begins with says what it is: o is on time, l is late perhaps, f of the
// future, m a marker of the future; x is only there to move the time.
func (w *world) produce() {
	w.elapsed += int64(20 + w.r.IntN(60))
	if w.r.IntN(40) == 0 {
		w.elapsed += int64(w.r.IntN(3000))
	}
	for _, topic := range []string{"left", "right"} {
		for p := range worldPartitions {
			name := fmt.Sprint(topic, p)
			if w.r.IntN(40) == 0 {
				w.quiet[name] = w.elapsed + int64(w.r.IntN(5000))
			}
			if w.elapsed < w.quiet[name] || w.r.IntN(3) == 0 {
				continue
			}
			switch at := w.now(); w.r.IntN(40) {
			case 0:
				w.put(topic, p, "f", at+century)
			case 1:
				w.put(topic, p, "l", at-60_000)
			case 2:
				w.mark(topic, p, at)
			default:
				w.put(topic, p, "o", at-w.r.Int64N(w.plan.bound+1))
			}
		}
	}
}

func (w *world) put(topic string, partition int, kind string, at int64) {
	w.ids++
	id := fmt.Sprint(kind, w.ids)
	w.write(topic, partition, graph.Message{Key: fmt.Append(nil, "k", w.ids%5), Value: []byte(id), Timestamp: at})
}

// mark puts a marker that is not to be believed.
func (w *world) mark(topic string, partition int, at int64) {
	if w.plan.marked {
		w.put(topic, partition, "m", at)
	}
}

func (w *world) write(topic string, partition int, m graph.Message) {
	m.Offset = int64(len(w.log[topic][partition]))
	w.log[topic][partition] = append(w.log[topic][partition], m)
}

// turn is one of the worker; hazards are what may go wrong in it.
func (w *world) turn(hazards bool) {
	if hazards && w.r.IntN(60) == 0 {
		w.setClock()
	}
	lowest := int64(math.MaxInt64)
	for _, a := range w.actors {
		a.fetch(hazards)
		a.x.Elapse(w.elapsed)
		lowest = min(lowest, a.x.Lowest(w.wall()))
	}
	for _, a := range w.actors {
		a.x.Align(lowest)
	}
	for _, i := range w.r.Perm(len(w.actors)) {
		a := w.actors[i]
		_, err := a.x.Step(w.wall(), 1+w.r.IntN(20))
		w.must(err, "step of task %s", a.x.ID())
		w.must(a.x.Tick(w.elapsed), "tick of task %s", a.x.ID())
		a.hear()
		a.watch()
		if w.r.IntN(4) == 0 && a.x.Dirty() {
			a.commit()
		}
		if hazards && w.r.IntN(60) == 0 {
			a.fall()
		}
	}
}

// setClock sets the wall clock, back or right again; forward only where time does
// not follow it, for that is what it would do.
func (w *world) setClock() {
	w.set = []int64{0, -hour, hour}[w.r.IntN(3)]
	if w.plan.mode == following {
		w.set = min(w.set, 0)
	}
}

// close has the input come to its end, so that everything is due: by records of
// later, by time, or because the run is bounded.
func (w *world) close() {
	w.quiet = map[string]int64{}
	for range 4 { // what has come is read, and it is known that there is no more
		w.turn(false)
	}
	w.elapsed += 10_000
	for p := range worldPartitions {
		switch w.plan.mode {
		case waiting:
			w.put("right", p, "x", w.now())
			w.put("left", p, "x", w.now())
		case idling: // the other one is quiet, and the clock is set while it is
			w.put("left", p, "x", w.now())
			w.set = -hour
		case following:
			w.set = 0
		}
	}
	for n := 0; n < 300 && len(w.missing()) > 0 && len(w.violations) == 0; n++ {
		w.elapsed += 100
		w.turn(false)
	}
}

// missing lists what should be there by the end and is in no result.
func (w *world) missing() []string {
	seen := map[string]bool{}
	for _, topic := range []string{"results", "late", "late2"} {
		for _, m := range w.log[topic][0] {
			for _, id := range strings.Fields(string(m.Value)) {
				seen[id] = true
			}
		}
	}
	var missing []string
	for _, topic := range []string{"left", "right"} {
		for _, m := range slices.Concat(w.log[topic]...) {
			if id := string(m.Value); (id[0] == 'o' || id[0] == 'l') && !seen[id] {
				missing = append(missing, id)
			}
		}
	}
	return missing
}

// judge looks at everything that was written.
func (w *world) judge() {
	if missing := w.missing(); len(missing) > 0 {
		w.violate("%d records are in no result at the end: %v", len(missing), missing[:min(len(missing), 5)])
	}
	fired, times := map[string]bool{}, map[string]int{}
	for _, topic := range []string{"results", "late", "late2"} {
		for _, m := range w.log[topic][0] {
			if topic == "results" && fired[string(m.Key)] {
				w.violate("the window %q has fired twice", m.Key)
			}
			fired[string(m.Key)] = topic == "results" || fired[string(m.Key)]
			for _, id := range strings.Fields(string(m.Value)) {
				if times[id]++; times[id] > 1 {
					w.violate("record %s is in %d results", id, times[id])
				}
				switch {
				case id[0] == 'f' || id[0] == 'm':
					w.violate("record %s of the future is in %q", id, topic)
				case id[0] == 'o' && topic != "results" && !w.wasIdle:
					w.violate("record %s is in %q although it was on time", id, topic)
				}
			}
		}
	}
	for _, a := range w.actors {
		if w.plan.mode == bounded && !a.x.Finished() {
			w.violate("task %s has not finished", a.x.ID())
		}
	}
}
