package task_test

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// An actor is one task of a world, and what a worker keeps of it.
type actor struct {
	w         *world
	cfg       task.Config
	x         *task.Task
	fed       []int64 // by input: what was handed over
	blind     []int64 // by input: until when it cannot be read
	storage   state.Storage
	changelog [][]state.ChangelogRecord // by store
	questions []question
	seen      map[string]windowing.EventTime // of this task, since it was begun
}

// A question is where an input ends, asked and not answered yet.
type question struct {
	input      int
	asked      task.Moment
	stood, end int64
}

// start begins the task where it has committed, over what it has stored, and what
// its changelogs have beyond that.
func (a *actor) start() {
	if specs := a.cfg.Subtopology.Stores; len(specs) > 0 {
		id := a.cfg.ID.String()
		stores, err := a.storage.Open(id, state.Identity{ApplicationID: "app", Task: id}, specs)
		a.w.must(err, "open the stores of %s", id)
		for i, s := range specs {
			a.w.must(stores.Restore(s.Name, a.changelog[i][stores.ChangelogNext(s.Name):], int64(len(a.changelog[i]))), "restore %s", s.Name)
		}
		a.w.must(stores.FinishRestore(), "restore %s", id)
		for _, s := range specs {
			a.stand(id, s.Name, stores)
		}
		a.cfg.Stores = stores
	}
	a.build()
}

// stand takes the inputs up where a store has them.
func (a *actor) stand(id, store string, stores *state.Stores) {
	p, _ := stores.Position(store)
	for i, in := range p.Inputs {
		if in.Offset != a.cfg.Inputs[i].Offset {
			a.w.violate("the state of %s is at %d of %q, committed is %d", id, in.Offset, in.Topic, a.cfg.Inputs[i].Offset)
		}
		a.cfg.Inputs[i].Watermark, a.cfg.Inputs[i].Highest, a.cfg.Inputs[i].Upstream = in.Watermark, in.Highest, in.Upstream
	}
}

func (a *actor) build() {
	cfg := a.cfg
	cfg.Inputs = slices.Clone(a.cfg.Inputs)
	x, err := task.New(cfg)
	a.w.must(err, "begin task %s", a.cfg.ID)
	a.x, a.fed, a.seen = x, nil, map[string]windowing.EventTime{}
	for _, in := range a.cfg.Inputs {
		a.fed = append(a.fed, in.Offset)
	}
}

// fetch hands over some of what the logs have.
func (a *actor) fetch(hazards bool) {
	w := a.w
	for i, in := range a.cfg.Inputs {
		if hazards && w.r.IntN(60) == 0 {
			a.blind[i] = w.elapsed + int64(w.r.IntN(3000))
		}
		log := w.log[in.Topic][in.Partition][a.fed[i]:]
		n := min(w.r.IntN(30), len(log))
		if n == 0 || hazards && w.elapsed < a.blind[i] || a.x.Queued(i) > 50 {
			continue
		}
		a.fed[i] += int64(n)
		w.must(a.x.Enqueue(i, slices.Clone(log[:n]), a.fed[i]), "hand over")
	}
}

// hear asks where the inputs end, and hears some of what was asked before: perhaps
// when it is no longer so.
func (a *actor) hear() {
	w := a.w
	a.questions = slices.DeleteFunc(a.questions, func(q question) bool {
		if w.r.IntN(2) == 0 {
			return false
		}
		if a.x.Position(q.input) == q.stood {
			w.must(a.x.AtEnd(q.input, q.end, q.asked), "tell the end")
		}
		return true
	})
	for i, in := range a.cfg.Inputs {
		asked := slices.ContainsFunc(a.questions, func(q question) bool { return q.input == i })
		if a.x.WantsEnd(i) && !asked {
			now := task.Moment{Wall: w.wall(), Elapsed: w.elapsed}
			a.questions = append(a.questions, question{i, now, a.x.Position(i), int64(len(w.log[in.Topic][in.Partition]))})
		}
	}
}

// watch sees that time does not go back, and notes whether somebody is left out.
func (a *actor) watch() {
	info := a.x.Time()
	for _, in := range info.Inputs {
		a.advance(in.Topic, in.Watermark)
		a.w.wasIdle = a.w.wasIdle || in.Idle
	}
	for _, o := range info.Operators {
		a.advance("behind "+o.Name, o.Passed)
	}
}

func (a *actor) advance(what string, at windowing.EventTime) {
	if before, ok := a.seen[what]; ok && at < before {
		a.w.violate("task %s: the time of %s goes back from %d to %d", a.cfg.ID, what, before, at)
	}
	a.seen[what] = at
}

// commit commits what the task has done, the outputs first.
func (a *actor) commit() {
	w := a.w
	c, err := a.x.Prepare()
	if w.must(err, "prepare %s", a.cfg.ID); err != nil {
		return
	}
	for _, o := range c.Outputs {
		m := graph.Message{Key: bytes.Clone(o.Key), Value: bytes.Clone(o.Value), Timestamp: o.Timestamp}
		for _, h := range o.Headers {
			m.Headers = append(m.Headers, graph.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
		}
		a.check(o, m.Headers)
		w.write(o.Topic, int(o.Partition), m)
	}
	next := make([]int64, len(a.changelog))
	for _, e := range c.Entries {
		a.changelog[e.Store] = append(a.changelog[e.Store], state.ChangelogRecord{Key: bytes.Clone(e.Key), Value: bytes.Clone(e.Value)})
	}
	for i := range next {
		next[i] = int64(len(a.changelog[i]))
	}
	for i, o := range c.Offsets {
		in := &a.cfg.Inputs[i]
		m, err := task.DecodeMeta(c.Metadata[i])
		w.must(err, "read metadata")
		if o.Watermark < in.Watermark || o.Watermark > int64(windowing.MaxTime)/2 || m.Watermark != o.Watermark {
			w.violate("task %s: the committed watermark of %q goes from %d to %d", a.cfg.ID, in.Topic, in.Watermark, o.Watermark)
		}
		in.Offset, in.Watermark, in.Highest, in.Upstream, in.Finished = o.Offset, m.Watermark, m.Highest, m.Upstream, m.Finished
	}
	w.must(a.x.Committed(next, w.wall()), "apply %s", a.cfg.ID)
}

// check sees that what readers are told does not go back. They take no notice if
// it does, and it may when a task has begun anew: before it knows it says NoTime,
// and it does not know yet who was idle.
func (a *actor) check(o graph.Out, headers []graph.Header) {
	if o.Topic != "app-by-repartition" {
		return
	}
	s, _, err := graph.StampOf(headers)
	a.w.must(err, "read a stamp")
	if s.Passed.Watermark == windowing.NoTime || a.w.wasIdle {
		return
	}
	from := fmt.Sprint(s.Task, "-", o.Partition)
	if before, ok := a.w.told[from]; ok && s.Passed.Watermark < before {
		a.w.violate("upstream task %s says %d after %d", from, s.Passed.Watermark, before)
	}
	a.w.told[from] = s.Passed.Watermark
}

// fall has the task begin anew from its last commit: over the same stores, over
// what the disk has, or over nothing but its changelogs.
func (a *actor) fall() {
	stores := a.x.Stores()
	if stores == nil {
		a.build()
		return
	}
	stores.Discard()
	how := a.w.r.IntN(3)
	if how == 0 {
		a.build()
		return
	}
	a.w.must(stores.Close(false), "close")
	if how == 1 {
		a.storage = state.NewMemory()
	}
	a.start()
}
