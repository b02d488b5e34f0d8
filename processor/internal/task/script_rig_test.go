package task_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/scripttest"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// A rig is what a script is about: an application, its topics, and the clocks.
type rig struct {
	partitions int32
	topology   *graph.Topology
	logs       map[string][][]graph.Message // by topic and partition
	changelogs map[string][]state.ChangelogRecord
	committed  map[string]standing // of tasks, by input
	tasks      []*rigTask
	elapsed    int64 // ms
	set        int64 // by how much the wall clock is wrong, ms
}

// A standing is what the group has of one partition.
type standing struct {
	offset   int64
	metadata string
}

func newRig() *rig {
	return &rig{logs: map[string][][]graph.Message{}, changelogs: map[string][]state.ChangelogRecord{}, committed: map[string]standing{}}
}

func (r *rig) wall() int64 { return r.elapsed + r.set }

func (r *rig) build(c *scripttest.Call) string {
	p := newPiping()
	c.Lines(p.language())
	topology, err := p.b.Build()
	if err != nil {
		return "error: " + err.Error()
	}
	r.partitions, r.tasks = int32(c.Int("partitions", 1)), nil
	r.topology = topology.Bind("app")
	var lines []string
	for _, sub := range r.topology.Subtopologies() {
		var stores []string
		for _, s := range sub.Stores {
			stores = append(stores, s.Name)
		}
		lines = append(lines, fmt.Sprintf("%d: from %q, stores %q, to %q", sub.ID, sub.Sources, stores, sub.Sinks))
	}
	if len(lines) > 1 {
		order := "restored in the order"
		for _, sub := range r.topology.ReadersFirst() {
			order += fmt.Sprintf(" %d", sub.ID)
		}
		lines = append(lines, order)
	}
	return strings.Join(lines, "\n")
}

func (r *rig) start(c *scripttest.Call) string {
	r.tasks = nil
	for _, sub := range r.topology.Subtopologies() {
		for p := range r.partitions {
			t := &rigTask{rig: r, name: task.ID{Subtopology: sub.ID, Partition: p}.String(), sub: sub, storage: state.NewMemory()}
			t.cfg = task.Config{
				ApplicationID: "app", ID: task.ID{Subtopology: sub.ID, Partition: p}, Tasks: r.partitions,
				Partition: partitionOf, Partitions: r.counts(), MaxIdle: c.Int("max-idle", -1), Run: c.Text("run"),
			}
			if t.cfg.Run != "" {
				t.cfg.LogicalNow = r.wall()
			}
			if c.Has("careful") {
				t.cfg.Careful, t.cfg.Exact = task.CarefulRecords, true
			}
			r.tasks = append(r.tasks, t)
		}
	}
	return r.each(c, (*rigTask).open)
}

// partitionOf puts a key into the partition that its last character says, so that
// a script can choose.
func partitionOf(key []byte, n int32) int32 {
	if len(key) == 0 {
		return 0
	}
	return int32(key[len(key)-1]-'0') % n
}

// counts says how many partitions each topic has: topics that the application only
// writes have one.
func (r *rig) counts() map[string]int32 {
	counts := map[string]int32{}
	for _, sub := range r.topology.Subtopologies() {
		for _, topic := range sub.Sinks {
			counts[topic] = 1
		}
		if sub.Policy.Topic != "" {
			counts[sub.Policy.Topic] = 1
		}
	}
	for _, topic := range r.topology.Repartitions() {
		counts[topic.Topic] = r.partitions
	}
	return counts
}

// log is one partition of a topic.
func (r *rig) log(topic string, partition int32) *[]graph.Message {
	for len(r.logs[topic]) <= int(partition) {
		r.logs[topic] = append(r.logs[topic], nil)
	}
	return &r.logs[topic][partition]
}

// end is the offset behind the last record of a partition.
func (r *rig) end(topic string, partition int32) int64 {
	log := *r.log(topic, partition)
	if len(log) == 0 {
		return 0
	}
	return log[len(log)-1].Offset + 1
}

func (r *rig) write(topic string, partition int32, m graph.Message) {
	m.Offset = max(m.Offset, r.end(topic, partition))
	log := r.log(topic, partition)
	*log = append(*log, m)
}

func (r *rig) put(c *scripttest.Call) string {
	topic, partition := c.Operand(0), int32(c.Int("partition", 0))
	c.Words(func(at *scripttest.Call, words []string) {
		var m graph.Message
		if text, ok := strings.CutPrefix(words[0], "@"); ok {
			m.Offset, words = number(at, text), words[1:]
			if m.Offset < r.end(topic, partition) {
				at.Fatalf("offset %d is there already", m.Offset)
			}
		}
		switch {
		case len(words) >= 3 && words[0] == "control":
			m.Headers = []graph.Header{{Key: graph.HeaderStamp, Value: stampOf(at, words[1:])}}
		case len(words) == 3:
			m.Timestamp, m.Key, m.Value = number(at, words[0]), optional(words[1]), optional(words[2])
		default:
			at.Fatalf("a record is [@OFFSET] TIME KEY VALUE, or control TASK/TASKS PASSED [idle] [ended]")
		}
		r.write(topic, partition, m)
	})
	return fmt.Sprintf("%s[%d] ends at %d", topic, partition, r.end(topic, partition))
}

// stampOf reads what a control record says.
func stampOf(at *scripttest.Call, words []string) []byte {
	s := graph.Stamp{Control: true}
	from, of, _ := strings.Cut(words[0], "/")
	s.Task, s.Tasks = int32(number(at, from)), int32(number(at, of))
	s.Passed.Watermark = windowing.EventTime(number(at, words[1]))
	for _, w := range words[2:] {
		switch w {
		case "idle":
			s.Passed.Idle = true
		case "ended":
			s.Passed.Ended = true
		default:
			at.Fatalf("unknown word %q", w)
		}
	}
	return s.Append(nil)
}

func number(at *scripttest.Call, text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	at.Check(err)
	return n
}

// optional is a key or a value, nil for "-".
func optional(text string) []byte {
	if text == "-" {
		return nil
	}
	return []byte(text)
}

// named is a command that does something with the task it names, or with each.
func (r *rig) named(do func(*rigTask, *scripttest.Call) string) func(*scripttest.Call) string {
	return func(c *scripttest.Call) string {
		name := c.Operand(0)
		if name != "" && !slices.ContainsFunc(r.tasks, func(t *rigTask) bool { return t.name == name }) {
			c.Fatalf("there is no task %s", name)
		}
		return r.each(c, func(t *rigTask, c *scripttest.Call) string {
			if name != "" && t.name != name {
				return ""
			}
			return do(t, c)
		})
	}
}

// each does something with each task and returns what that prints.
func (r *rig) each(c *scripttest.Call, do func(*rigTask, *scripttest.Call) string) string {
	if len(r.tasks) == 0 {
		c.Fatalf("no task runs: start comes first")
	}
	var lines []string
	for _, t := range r.tasks {
		if text := do(t, c); text != "" {
			lines = append(lines, t.name+": "+text)
		}
	}
	if len(lines) == 0 {
		return "nothing"
	}
	return strings.Join(lines, "\n")
}

func (r *rig) align(c *scripttest.Call) string {
	lowest := int64(math.MaxInt64)
	for _, t := range r.tasks {
		lowest = min(lowest, t.x.Lowest(r.wall()))
	}
	return fmt.Sprintf("the lowest time is %s\n", ms(windowing.EventTime(lowest))) + r.each(c, func(t *rigTask, _ *scripttest.Call) string {
		t.x.Align(lowest)
		return t.inputs()
	})
}

func (r *rig) tick(c *scripttest.Call) string {
	r.elapsed += c.ParseDuration(c.Operand(0)).Milliseconds()
	return r.each(c, (*rigTask).tick)
}

func (r *rig) setClock(c *scripttest.Call) string {
	r.set = c.Int("wall", 0) - r.elapsed
	return fmt.Sprintf("the wall clock shows %d", r.wall())
}
