package task_test

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/scripttest"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// A rigTask is one task of a script, and what a worker keeps of it.
type rigTask struct {
	rig     *rig
	name    string
	sub     *graph.Subtopology
	cfg     task.Config
	x       *task.Task
	storage state.Storage
	fed     []int64        // by input: up to where records were handed over
	failed  *task.Poison   // for which the task has to begin again
	pending []*task.Commit // prepared, not delivered
}

// open begins the task where it has committed, over what its storage has and what
// its changelogs have beyond that. A store that was away is brought up first.
func (t *rigTask) open(c *scripttest.Call) string {
	t.restore(c)
	return t.begin(c)
}

// begin makes the task where it has committed, over the stores as they are.
func (t *rigTask) begin(c *scripttest.Call) string {
	t.cfg.Subtopology, t.cfg.CatchUp, t.cfg.Inputs = t.sub, nil, nil
	for _, topic := range t.sub.Sources {
		t.cfg.Inputs = append(t.cfg.Inputs, t.stand(c, topic))
	}
	note := t.bringUp(c)
	t.build(c)
	return note + t.inputs()
}

// stand is an input where it was committed.
func (t *rigTask) stand(c *scripttest.Call, topic string) task.Input {
	in := task.Input{Topic: topic, Partition: t.cfg.ID.Partition, Watermark: math.MinInt64, Highest: math.MinInt64, End: math.MaxInt64}
	if t.cfg.Run != "" {
		in.End = t.rig.end(topic, in.Partition)
	}
	s, ok := t.rig.committed[t.at(topic)]
	if !ok {
		return in
	}
	m, err := task.DecodeMeta(s.metadata)
	c.Check(err)
	in.Offset, in.Watermark, in.Highest = s.offset, m.Watermark, m.Highest
	in.Notes, in.Failed, in.Upstream, in.Formats = t.notes(m.Notes, s, m), m.Failed, m.Upstream, m.Formats
	if t.cfg.Run != "" && m.Run == t.cfg.Run {
		in.End, in.Finished = m.End, m.Finished
	}
	return in
}

// at names something of the task: an input, or the changelog of a store.
func (t *rigTask) at(what string) string { return t.name + "/" + what }

// notes keep for the stores that this version does not have where they stopped.
func (t *rigTask) notes(before []task.Note, s standing, m task.Meta) (notes []task.Note) {
	for _, name := range t.known() {
		note, noted := task.FindNote(before, name)
		has := slices.ContainsFunc(t.sub.Stores, func(s state.Spec) bool { return s.Name == name })
		switch {
		case noted && note.Stopped != task.Following:
		case has:
			note = task.Note{Topic: task.NoteTopic(name), Stopped: task.Following}
		default:
			note = task.Note{Topic: task.NoteTopic(name), Stopped: s.offset, Watermark: m.Watermark, Highest: m.Highest}
		}
		notes = append(notes, note)
	}
	return notes
}

// known are the stores of all versions of the task.
func (t *rigTask) known() (names []string) {
	for at := range t.rig.changelogs {
		if name, ok := strings.CutPrefix(at, t.name+"/"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// restore opens the stores and reads what their changelogs have beyond them.
func (t *rigTask) restore(c *scripttest.Call) {
	t.cfg.Stores = nil
	if len(t.sub.Stores) == 0 {
		return
	}
	stores, err := t.storage.Open(t.name, state.Identity{ApplicationID: "app", Task: t.name}, t.sub.Stores)
	c.Check(err)
	for _, s := range t.sub.Stores {
		log := t.rig.changelogs[t.at(s.Name)]
		c.Check(stores.Restore(s.Name, log[stores.ChangelogNext(s.Name):], int64(len(log))))
	}
	c.Check(stores.FinishRestore())
	t.cfg.Stores = stores
}

// bringUp sets the task to where a store stopped that was away, if one was.
func (t *rigTask) bringUp(c *scripttest.Call) string {
	var away []string
	u := &task.CatchUp{}
	var from []state.Input
	for _, s := range t.sub.Stores {
		p, known := t.cfg.Stores.Position(s.Name)
		behind := known && slices.ContainsFunc(p.Inputs, func(in state.Input) bool { return in.Offset < t.rig.committed[t.at(in.Topic)].offset })
		t.cfg.Stores.SetAside(s.Name, false)
		if behind {
			away, from, u.Topics = append(away, s.Name), p.Inputs, append(u.Topics, task.NoteTopic(s.Name))
		}
	}
	if len(away) == 0 {
		return ""
	}
	var err error
	t.cfg.Subtopology, u.Before, err = t.sub.Around(away, nil, nil)
	c.Check(err)
	for _, s := range t.sub.Stores {
		t.cfg.Stores.SetAside(s.Name, !slices.Contains(away, s.Name))
	}
	for i := range t.cfg.Inputs {
		in := &t.cfg.Inputs[i]
		u.Held = append(u.Held, state.Input{Topic: in.Topic, Partition: in.Partition, Offset: in.Offset, Watermark: in.Watermark, Highest: in.Highest, Upstream: in.Upstream})
		in.Offset, in.Watermark, in.Highest, in.Upstream = from[i].Offset, from[i].Watermark, from[i].Highest, from[i].Upstream
	}
	t.cfg.CatchUp = u
	return fmt.Sprintf("brings up %q; ", away)
}

// build makes the task, and forgets what was not committed of the one before.
func (t *rigTask) build(c *scripttest.Call) {
	cfg := t.cfg
	cfg.Inputs, cfg.Wall = slices.Clone(t.cfg.Inputs), t.rig.wall()
	x, err := task.New(cfg)
	c.Check(err)
	t.x, t.fed, t.failed, t.pending = x, nil, nil, nil
	for _, in := range cfg.Inputs {
		t.fed = append(t.fed, in.Offset)
	}
	x.Elapse(t.rig.elapsed)
}

func (t *rigTask) fetch(c *scripttest.Call) string {
	for i, in := range t.cfg.Inputs {
		if topic := c.Text("topic"); topic != "" && topic != in.Topic {
			continue
		}
		log := *t.rig.log(in.Topic, in.Partition)
		first, _ := slices.BinarySearchFunc(log, t.fed[i], func(m graph.Message, at int64) int { return int(m.Offset - at) })
		batch := slices.Clone(log[first:])
		batch = batch[:min(c.Int("n", math.MaxInt64), int64(len(batch)))]
		if len(batch) == 0 {
			continue
		}
		t.fed[i] = batch[len(batch)-1].Offset + 1
		c.Check(t.x.Enqueue(i, batch, t.fed[i]))
	}
	return t.inputs()
}

func (t *rigTask) step(c *scripttest.Call) string {
	n, err := t.x.Step(t.rig.wall(), int(c.Int("n", math.MaxInt32)))
	if err == nil {
		return fmt.Sprintf("%d records; %s", n, t.inputs())
	}
	scope, poison := task.Classify(err)
	if scope != task.RecordScope {
		return "the task fails: " + err.Error()
	}
	t.failed = &poison
	o := poison.Origin
	return fmt.Sprintf("%d records; %s[%d]@%d fails at %s: the task has to begin again", n, o.Topic, o.Partition, o.Offset, place(poison.Failure.Operator))
}

func (t *rigTask) process(c *scripttest.Call) string {
	t.fetch(c)
	return t.step(c)
}

// tick tells the task what has passed and where its topics end. It prints the
// inputs if they have changed.
func (t *rigTask) tick(c *scripttest.Call) string {
	r := t.rig
	before := t.inputs()
	t.x.Elapse(r.elapsed)
	for i, in := range t.cfg.Inputs {
		if t.x.WantsEnd(i) && in.Topic != c.Text("silence") {
			c.Check(t.x.AtEnd(i, r.end(in.Topic, in.Partition), task.Moment{Wall: r.wall(), Elapsed: r.elapsed}))
		}
	}
	c.Check(t.x.Tick(r.elapsed))
	if after := t.inputs(); after != before {
		return after
	}
	return ""
}

func (t *rigTask) prepare(c *scripttest.Call) string {
	if t.failed != nil {
		c.Fatalf("task %s has to begin again: abort comes first", t.name)
	}
	if !t.x.Dirty() {
		return ""
	}
	commit, err := t.x.Prepare()
	if err != nil {
		return "the task fails: " + err.Error()
	}
	t.pending = append(t.pending, commit)
	return t.show(c, commit)
}

// deliver brings the oldest commit that is prepared into Kafka.
func (t *rigTask) deliver(c *scripttest.Call) string {
	if len(t.pending) == 0 {
		return ""
	}
	commit := t.pending[0]
	t.pending = t.pending[1:]
	for _, o := range commit.Outputs {
		t.rig.write(o.Topic, o.Partition, cloned(&o))
	}
	var next []int64
	for i, s := range t.sub.Stores {
		log := t.rig.changelogs[t.at(s.Name)]
		for _, e := range commit.Entries {
			if e.Store == i {
				log = append(log, state.ChangelogRecord{Key: slices.Clone(e.Key), Value: slices.Clone(e.Value)})
			}
		}
		t.rig.changelogs[t.at(s.Name)], next = log, append(next, int64(len(log)))
	}
	for i, in := range commit.Offsets {
		t.rig.committed[t.at(in.Topic)] = standing{in.Offset, commit.Metadata[i]}
	}
	c.Check(t.x.Committed(next, t.rig.wall()))
	return "committed" + t.over()
}

// over says what has come to its end with a commit.
func (t *rigTask) over() string {
	switch {
	case t.x.Finished():
		return ", and the run is finished"
	case t.x.CaughtUp():
		return ", and has caught up"
	}
	return ""
}

func cloned(o *graph.Out) graph.Message {
	m := graph.Message{Key: slices.Clone(o.Key), Value: slices.Clone(o.Value), Timestamp: o.Timestamp}
	for _, h := range o.Headers {
		m.Headers = append(m.Headers, graph.Header{Key: h.Key, Value: slices.Clone(h.Value)})
	}
	return m
}

func (t *rigTask) commit(c *scripttest.Call) string {
	text := t.prepare(c)
	if text == "" {
		return ""
	}
	for len(t.pending) > 0 {
		if end := strings.TrimPrefix(t.deliver(c), "committed"); end != "" {
			text += "\n  committed" + end
		}
	}
	return text
}

func (t *rigTask) abort(c *scripttest.Call) string {
	t.x.Aborted()
	if t.cfg.Stores != nil {
		t.cfg.Stores.Discard()
	}
	note := ""
	switch {
	case t.failed == nil:
	case c.Has("skip"):
		t.cfg.Skip = append(t.cfg.Skip, *t.failed)
		note = fmt.Sprintf("skips %s[%d]@%d; ", t.failed.Origin.Topic, t.failed.Origin.Partition, t.failed.Origin.Offset)
	default:
		t.cfg.Careful, t.cfg.Exact = task.CarefulRecords, true
		note = "is careful; "
	}
	return note + t.begin(c)
}

func (t *rigTask) restart(c *scripttest.Call) string {
	t.cfg.Skip, t.cfg.Careful, t.cfg.Exact = nil, 0, false
	if t.cfg.Stores != nil {
		t.cfg.Stores.Discard()
		c.Check(t.cfg.Stores.Close(false))
	}
	return t.open(c)
}

func (t *rigTask) move(c *scripttest.Call) string {
	if t.cfg.Stores != nil {
		t.cfg.Stores.Discard()
		c.Check(t.cfg.Stores.Close(false))
	}
	t.storage, t.cfg.Stores = state.NewMemory(), nil
	return t.restart(c)
}
