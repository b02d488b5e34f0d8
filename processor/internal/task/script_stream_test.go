package task_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace/millrace/processor/internal/scripttest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// A piped is a stream of a script, by its name. What windows give has their keys
// until it is made plain.
type piped struct {
	plain    stream.Stream[string, string]
	windowed *stream.Windowed[string, string, string]
}

// A piping builds the topology of a script. Everything in it is text: keys, values,
// and what is gathered, which is the values in their order. So a result shows what
// it was made of.
type piping struct {
	b       *stream.Builder
	streams map[string]piped
}

func newPiping() *piping { return &piping{stream.New("script"), map[string]piped{}} }

// language is how a script says what a topology is: one operator a line, the name
// of the stream it makes first.
func (p *piping) language() scripttest.Language {
	return scripttest.Language{
		{Usage: "errors WHAT [late] [future] [null_key]", Run: p.errors},
		{Usage: "from TOPIC [bound=] [marked] [idle=] [follow=] [drift=] [ahead=]", Run: p.from},
		{Usage: "merge NAME A B", Run: p.merge},
		{Usage: "check NAME FROM", Run: p.check},
		{Usage: "last NAME FROM [emit=]", Run: p.last},
		{Usage: "gather NAME FROM [emit=]", Run: p.gather},
		{Usage: "windows NAME FROM [tumbling=] [hopping=] [advance=] [session=] [grace=] [emit=] [panes]", Run: p.windows},
		{Usage: "plain NAME FROM", Run: p.toPlain},
		{Usage: "suppress NAME FROM limit= records=", Run: p.suppress},
		{Usage: "repartition NAME FROM", Run: p.repartition},
		{Usage: "to TOPIC FROM", Run: p.to},
		{Usage: "late TOPIC FROM", Run: p.late},
	}
}

// find returns a stream that was made before.
func (p *piping) find(c *scripttest.Call, name string) piped {
	s, ok := p.streams[name]
	if !ok {
		c.Fatalf("there is no stream %q", name)
	}
	return s
}

// plainOf returns a stream of plain keys that was made before.
func (p *piping) plainOf(c *scripttest.Call, name string) stream.Stream[string, string] {
	s := p.find(c, name)
	if s.windowed != nil {
		c.Fatalf("stream %q has windows for keys: make it plain first", name)
	}
	return s.plain
}

func (p *piping) set(c *scripttest.Call, s stream.Stream[string, string]) string {
	p.streams[c.Operand(0)] = piped{plain: s}
	return ""
}

// errors says what becomes of records that fail: "skip", or the name of the topic
// for dead letters, with the reasons of drops that go there too.
func (p *piping) errors(c *scripttest.Call) string {
	if c.Operand(0) == "skip" {
		p.b.SkipErrors()
		return ""
	}
	var also []stream.Reason
	for name, reason := range map[string]stream.Reason{"late": stream.Late, "future": stream.Future, "null_key": stream.NullKey} {
		if c.Has(name) {
			also = append(also, reason)
		}
	}
	p.b.DeadLetter(c.Operand(0), also...)
	return ""
}

func (p *piping) from(c *scripttest.Call) string {
	topic := stream.Topic[string, string]{Name: c.Operand(0), Key: serde.String, Value: serde.String}
	rule := windowing.Bounded(c.Duration("bound"))
	if c.Has("marked") {
		rule, topic.Marker = windowing.Punctuated(), marked
	}
	if c.Has("idle") {
		rule = rule.Idle(c.Duration("idle"))
	}
	if c.Has("follow") {
		rule = rule.FollowClock(c.Duration("follow"))
	}
	if c.Has("drift") {
		rule = rule.MaxDrift(c.Duration("drift"))
	}
	if c.Has("ahead") {
		rule = rule.MaxAhead(c.Duration("ahead"))
	}
	return p.set(c, stream.From(p.b, topic, stream.Watermark(rule)))
}

// marked takes the value "mark" for a marker of the record's time, and "mark+5" for one
// of 5 ms later.
func marked(r *stream.Record[string, string]) (time.Time, bool) {
	more, ok := strings.CutPrefix(r.Value, "mark")
	if !ok {
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(more, 10, 64)
	return (r.Time + windowing.EventTime(n)).Time(), err == nil || more == ""
}

func (p *piping) merge(c *scripttest.Call) string {
	return p.set(c, p.plainOf(c, c.Operand(1)).Merge(p.plainOf(c, c.Operand(2))))
}

// check is user code that fails over the value "bad", and panics over "panic".
func (p *piping) check(c *scripttest.Call) string {
	fussy := func(_ *stream.Context, r *stream.Record[string, string]) (string, error) {
		switch r.Value {
		case "bad":
			return "", errors.New("it is bad")
		case "panic":
			panic("it panics")
		}
		return r.Value, nil
	}
	return p.set(c, stream.TryMapValues(p.plainOf(c, c.Operand(1)), fussy, stream.Name(c.Operand(0))))
}

func (p *piping) last(c *scripttest.Call) string {
	keep := func(_, v string) string { return v }
	table := stream.Reduce(c.Operand(0), stream.GroupByKey(p.plainOf(c, c.Operand(1))), keep, serde.String, stream.Emit(p.emission(c)))
	return p.set(c, table.Changes())
}

func (p *piping) gather(c *scripttest.Call) string {
	table := stream.Aggregate(c.Operand(0), stream.GroupByKey(p.plainOf(c, c.Operand(1))), gathering, stream.Emit(p.emission(c)))
	return p.set(c, table.Changes())
}

// gathering has the values together in their order; where sessions become one, those
// of the earlier first.
var gathering = stream.Aggregator[string, string, string]{
	State: serde.String,
	Add:   func(_, v, acc string) string { return join(acc, v) },
	Merge: func(_, a, b string) string { return join(a, b) },
}

func join(a, b string) string { return strings.TrimSpace(a + " " + b) }

// inOrder sorts values: what is combined must not depend on the order in which it is.
func inOrder(values string) string {
	fields := strings.Fields(values)
	slices.Sort(fields)
	return strings.Join(fields, " ")
}

func (p *piping) windows(c *scripttest.Call) string {
	name, in := c.Operand(0), stream.GroupByKey(p.plainOf(c, c.Operand(1)))
	var w stream.TimeWindowed[string, string]
	if c.Has("session") {
		w = stream.Window(in, windowing.Session(c.Duration("session")).Grace(c.Duration("grace")).Emit(p.emission(c)))
	} else {
		w = stream.Window(in, p.aligned(c).Grace(c.Duration("grace")).Emit(p.emission(c)))
	}
	gather := gathering
	if c.Has("panes") {
		gather.Combine = func(acc, other string) string { return inOrder(join(acc, other)) }
	}
	results := stream.AggregateWindows(name, w, gather)
	p.streams[name] = piped{windowed: &results}
	return ""
}

func (p *piping) aligned(c *scripttest.Call) windowing.Windows {
	switch {
	case c.Has("tumbling"):
		return windowing.Tumbling(c.Duration("tumbling"))
	case c.Has("hopping") && c.Has("advance"):
		return windowing.Hopping(c.Duration("hopping"), c.Duration("advance"))
	}
	c.Fatalf("no windows: say tumbling=, hopping= with advance=, or session=")
	return windowing.Windows{}
}

// emission is by itself that which follows from the log alone.
func (p *piping) emission(c *scripttest.Call) windowing.Emit {
	for _, e := range []windowing.Emit{windowing.OnCommit, windowing.OnUpdate, windowing.OnClose} {
		if c.Has("emit") && "on-"+c.Text("emit") == e.String() {
			return e
		}
	}
	if c.Has("emit") {
		c.Fatalf("emit= is commit, update or close")
	}
	return windowing.OnUpdate
}

// toPlain forgets the window of each key, and puts it before the value.
func (p *piping) toPlain(c *scripttest.Call) string {
	from := p.find(c, c.Operand(1))
	if from.windowed == nil {
		c.Fatalf("stream %q is plain", c.Operand(1))
	}
	return p.set(c, stream.Map(from.windowed.Results, func(k windowing.Key[string], v string) (string, string) {
		return k.Key, strings.ReplaceAll(fmt.Sprintf("%d:%s", int64(k.Window.Start), v), " ", "+")
	}))
}

func (p *piping) suppress(c *scripttest.Call) string {
	w := windowing.UntilTimeLimit(c.Duration("limit"), windowing.EmitEarly).MaxRecords(int(c.Int("records", 0)))
	return p.set(c, stream.Suppress(c.Operand(0), p.plainOf(c, c.Operand(1)), w, serde.String))
}

func (p *piping) repartition(c *scripttest.Call) string {
	return p.set(c, stream.Repartition(c.Operand(0), p.plainOf(c, c.Operand(1)), serde.String, serde.String))
}

func (p *piping) to(c *scripttest.Call) string {
	from := p.find(c, c.Operand(1))
	if from.windowed == nil {
		stream.To(from.plain, stream.Topic[string, string]{Name: c.Operand(0), Key: serde.String, Value: serde.String})
		return ""
	}
	stream.To(from.windowed.Results, stream.Topic[windowing.Key[string], string]{Name: c.Operand(0), Key: serde.Of(windowText{}), Value: serde.String})
	return ""
}

func (p *piping) late(c *scripttest.Call) string {
	from := p.find(c, c.Operand(1))
	if from.windowed == nil {
		c.Fatalf("stream %q has no windows, so nothing is late there", c.Operand(1))
	}
	stream.To(from.windowed.Late, stream.Topic[string, string]{Name: c.Operand(0), Key: serde.String, Value: serde.String})
	return ""
}

// windowText writes the key of a windowed result as a script shows it.
type windowText struct{}

func (windowText) Append(dst []byte, k windowing.Key[string]) ([]byte, error) {
	return fmt.Appendf(dst, "%s[%d:%d]", k.Key, int64(k.Window.Start), int64(k.Window.End)), nil
}

func (windowText) Decode([]byte) (windowing.Key[string], error) {
	return windowing.Key[string]{}, errors.New("a script reads no windowed topic")
}
