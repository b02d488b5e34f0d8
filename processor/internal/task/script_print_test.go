package task_test

import (
	"fmt"
	"strings"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/scripttest"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

// inputs prints where the inputs stand.
func (t *rigTask) inputs() string {
	var all []string
	for i, in := range t.x.Time().Inputs {
		text := fmt.Sprintf("%s[%d] at %d, time %s", in.Topic, in.Partition, t.x.Position(i), timeText(in.Time))
		if in.Runs {
			text += " by the clock"
		}
		if in.Queued > 0 {
			text += fmt.Sprintf(", %d wait", in.Queued)
		}
		if in.Aligned {
			text += ", held"
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

func timeText(t graph.Time) string {
	text := ms(t.Watermark)
	if t.Idle {
		text += " idle"
	}
	if t.Ended {
		text += " ended"
	}
	return text
}

// time prints the time of the operators: what has arrived, what holds behind, when
// something is due, and the channel that would have to move on first.
func (t *rigTask) time(*scripttest.Call) string {
	info := t.x.Time()
	lines := []string{t.inputs()}
	for _, in := range info.Inputs {
		for n, u := range in.Upstream {
			text := "not heard"
			if u.Heard {
				text = timeText(u.Time)
			}
			lines = append(lines, fmt.Sprintf("  upstream %d of %s[%d]: %s", n, in.Topic, in.Partition, text))
		}
	}
	for _, o := range info.Operators {
		in := info.Inputs[o.Hold.Input]
		hold := fmt.Sprintf("%s[%d]", in.Topic, in.Partition)
		if o.Hold.Upstream >= 0 {
			hold += fmt.Sprintf(" upstream %d", o.Hold.Upstream)
		}
		if o.Hold.Behind != "" {
			hold += " behind " + o.Hold.Behind
		}
		lines = append(lines, fmt.Sprintf("  %s: arrived %s, passed %s, due %s, waits for %s", o.Name, timeText(o.Arrived), ms(o.Passed), ms(o.Due), hold))
	}
	return strings.Join(lines, "\n")
}

// show prints a commit: outputs in their order, changelogs, offsets, and what the
// nodes have counted. In has to be what became of it.
func (t *rigTask) show(c *scripttest.Call, commit *task.Commit) string {
	lines := []string{fmt.Sprintf("%d records", commit.Records)}
	for i := range commit.Outputs {
		lines = append(lines, "  "+outText(c, &commit.Outputs[i]))
	}
	for i, s := range t.sub.Stores {
		n := 0
		for _, e := range commit.Entries {
			if e.Store == i && len(e.Key) != 1 { // that is the position
				n++
			}
		}
		if n > 0 {
			lines = append(lines, fmt.Sprintf("  changelog of %s: %d entries", s.Name, n))
		}
	}
	for _, in := range commit.Offsets {
		lines = append(lines, fmt.Sprintf("  %s[%d] is at %d, time %s", in.Topic, in.Partition, in.Offset, ms(windowing.EventTime(in.Watermark))))
	}
	for _, n := range t.sub.Nodes {
		if text := countersText(c, n, &commit.Counters[n.ID]); text != "" {
			lines = append(lines, "  "+text)
		}
	}
	return strings.Join(lines, "\n")
}

func countersText(c *scripttest.Call, n *graph.Node, counted *graph.Counters) string {
	if counted.In == 0 {
		return ""
	}
	text, sum := fmt.Sprintf("%s: %d in, %d processed", n.Name, counted.In, counted.Processed), counted.Processed
	for _, reason := range graph.Reasons() {
		if dropped := counted.Dropped[reason]; dropped > 0 {
			text += fmt.Sprintf(", %d %v", dropped, reason)
			sum += dropped
		}
	}
	if sum != counted.In {
		c.Fatalf("%s: what became of the records is %d", text, sum)
	}
	return text
}

func outText(c *scripttest.Call, o *graph.Out) string {
	text := fmt.Sprintf("to %s[%d]: ", o.Topic, o.Partition)
	headers := map[string]string{}
	for _, h := range o.Headers {
		headers[h.Key] = string(h.Value)
	}
	stamp, stamped := headers[graph.HeaderStamp]
	if !stamped {
		return text + recordText(o) + lateText(headers) + deathText(headers)
	}
	s, err := graph.DecodeStamp([]byte(stamp))
	c.Check(err)
	from := fmt.Sprintf("from %d/%d at %s", s.Task, s.Tasks, timeText(s.Passed))
	if s.Control {
		if len(s.Words) > 0 {
			from += ", tells its format"
		}
		return text + "control " + from
	}
	return text + recordText(o) + fmt.Sprintf(", judged by %s, %s", ms(s.Record), from)
}

func recordText(o *graph.Out) string {
	return fmt.Sprintf("%d %s = %s", o.Timestamp, orNone(o.Key), orNone(o.Value))
}

func orNone(b []byte) string {
	if b == nil {
		return "-"
	}
	return string(b)
}

// lateText is what a late record says of its window; "" of other records.
func lateText(h map[string]string) string {
	start, late := h[stream.HeaderLateWindowStart]
	if !late {
		return ""
	}
	return fmt.Sprintf(", late for [%s:%s] at %s", start, h[stream.HeaderLateWindowEnd], h[stream.HeaderLateWatermark])
}

// deathText is what a dead letter says of its record; "" of other records.
func deathText(h map[string]string) string {
	reason, dead := h["__millrace.errors.reason"]
	if !dead {
		return ""
	}
	text := fmt.Sprintf(", %s at %s", reason, place(h["__millrace.errors.operator"]))
	if held, ok := h["__millrace.errors.held"]; ok {
		return text + ", held by " + held
	}
	return text + fmt.Sprintf(", of %s[%s]@%s", h["__streams.errors.topic"], h["__streams.errors.partition"], h["__streams.errors.offset"])
}

// place is where something failed: an operator, or a panic, whose line moves with the
// code.
func place(operator string) string {
	if strings.Contains(operator, ".go:") {
		return "a panic"
	}
	return operator
}

// metadata prints what lies with the committed offsets.
func (t *rigTask) metadata(c *scripttest.Call) string {
	var lines []string
	for _, topic := range t.sub.Sources {
		s, ok := t.rig.committed[t.at(topic)]
		if !ok {
			continue
		}
		m, err := task.DecodeMeta(s.metadata)
		c.Check(err)
		lines = append(lines, fmt.Sprintf("%s[%d] is at %d, %s", topic, t.cfg.ID.Partition, s.offset, t.metaText(&m)))
	}
	return strings.Join(lines, "\n  ")
}

func (t *rigTask) metaText(m *task.Meta) string {
	text := fmt.Sprintf("time %s, highest %s", ms(windowing.EventTime(m.Watermark)), ms(windowing.EventTime(m.Highest)))
	for i, u := range m.Upstream {
		text += fmt.Sprintf(", upstream %d %s", i, timeText(graph.Time{Watermark: windowing.EventTime(u.Watermark), Ended: u.Ended}))
	}
	for _, name := range t.known() {
		if note, ok := task.FindNote(m.Notes, name); ok && note.Stopped != task.Following {
			text += fmt.Sprintf(", %s stopped at %d", name, note.Stopped)
		}
	}
	if len(m.Failed.Offsets) > 0 {
		text += fmt.Sprintf(", failed %v", m.Failed.Offsets)
	}
	if m.Run != "" {
		text += fmt.Sprintf(", run %s to %d, finished %v", m.Run, m.End, m.Finished)
	}
	return text
}

// positions prints how far the stores have come.
func (t *rigTask) positions(*scripttest.Call) string {
	var all []string
	for _, s := range t.sub.Stores {
		p, ok := t.cfg.Stores.Position(s.Name)
		if !ok {
			all = append(all, s.Name+" is new")
			continue
		}
		all = append(all, s.Name+positionText(&p))
	}
	return strings.Join(all, "; ")
}

func positionText(p *state.Position) (text string) {
	for _, in := range p.Inputs {
		text += fmt.Sprintf(" %s[%d] %d", in.Topic, in.Partition, in.Offset)
	}
	if below := windowing.EventTime(p.Closing.Below); below != windowing.NoTime {
		text += ", closed below " + ms(below)
	}
	return text
}
