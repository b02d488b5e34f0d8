package processortest_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/windowing"
)

const (
	// goldenDirEnv names a directory of the same format to be run instead.
	goldenDirEnv = "MILLRACE_GOLDEN_DIR"
	goldenDir    = "../../testdata/golden"
	goldenCount  = 2033 // cases in goldenDir
	goldenWrong  = 4    // rows in them that contradict the definitions
)

// TestGolden builds each golden case's operator as an application would, and
// compares what it emits after each record with what Kafka Streams emitted, or
// with what Millrace has to emit where it differs on purpose.
func TestGolden(t *testing.T) {
	dir := goldenDir
	if named := os.Getenv(goldenDirEnv); named != "" {
		if dir = named; !filepath.IsAbs(dir) {
			t.Fatalf("%s=%q: the directory must be an absolute path", goldenDirEnv, dir)
		}
	}
	cases, err := loadGolden(dir)
	if err != nil {
		t.Fatal(err)
	}
	if dir == goldenDir && len(cases) != goldenCount {
		t.Errorf("%d cases, want %d", len(cases), goldenCount)
	}
	for operator := range goldenLater {
		if goldenOperators[operator] != nil {
			t.Errorf("operator %q can be built, and yet its cases would be skipped", operator)
		}
	}
	tally, wrong := goldenTally{}, 0
	for _, c := range cases {
		wrong += c.disputed()
		result := "failed"
		t.Run(c.ID, func(t *testing.T) {
			defer func() { tally.add(c.Operator, result) }()
			if reason := c.skipped(); reason != "" {
				result = "skipped: " + reason
				t.Skipf("operator %s: %s", c.Operator, reason)
			}
			for _, emit := range c.emissions(t) {
				c.run(t, emit)
			}
			if !t.Failed() && c.disputed() > 0 {
				result = "passed but for rows in dispute"
			} else if !t.Failed() {
				result = "passed"
			}
		})
	}
	if dir == goldenDir && wrong != goldenWrong {
		t.Errorf("%d rows contradict the definitions, want %d", wrong, goldenWrong)
	}
	t.Logf("golden cases by operator and result:\n%s", tally)
}

// A goldenTally counts cases by operator and result.
type goldenTally map[[2]string]int

func (y goldenTally) add(operator, result string) { y[[2]string{operator, result}]++ }

func (y goldenTally) String() string {
	var lines []string
	for k, n := range y {
		lines = append(lines, fmt.Sprintf("%-20s %4d %s", k[0], n, k[1]))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// skipped says why the case is not run; empty if it is.
func (c *goldenCase) skipped() string {
	if reason, ok := goldenLater[c.Operator]; ok {
		return reason
	}
	switch c.Params.Source {
	case "table", "table_count_by_value":
		return "tables read from a topic are not implemented"
	}
	if _, ok := c.want(); !ok {
		return "shows what Millrace must not do, without rows of its own"
	}
	return ""
}

// emissions are the ways to send results that have to give the rows of the
// case. With a commit after each record, sending at each commit is the same as
// sending at each record, where a record changes a row once.
func (c *goldenCase) emissions(t *testing.T) []windowing.Emit {
	switch c.Params.Mode {
	case "final":
		return []windowing.Emit{windowing.OnClose}
	case "update", "":
		if c.Operator == "suppress_time_limit" {
			return []windowing.Emit{windowing.OnUpdate}
		}
		return []windowing.Emit{windowing.OnUpdate, windowing.OnCommit}
	}
	t.Fatalf("the runner does not know mode %q", c.Params.Mode)
	return nil
}

func (c *goldenCase) run(t *testing.T, emit windowing.Emit) {
	operator, ok := goldenOperators[c.Operator]
	if !ok {
		t.Fatalf("the runner does not know operator %q", c.Operator)
	}
	var outlets []goldenOutlet
	d := processortest.New(t, func(b *stream.Builder) { outlets = operator(t, b, c, emit) })
	var drains []func() []goldenRow
	for _, open := range outlets {
		drains = append(drains, open(d))
	}
	inputs := map[string]*processortest.InputTopic[string, datum]{}
	now := int64(math.MinInt64)
	for i, in := range c.Inputs {
		if inputs[in.Topic] == nil {
			inputs[in.Topic] = processortest.Input(d, goldenTopic(in.Topic))
		}
		if now = max(now, in.Time); c.clocked() {
			d.AdvanceTo(time.UnixMilli(now))
		}
		inputs[in.Topic].PutRaw(in.at(), in.key(), in.Value.bytes())
		d.Commit()
		var got []goldenRow
		for _, drain := range drains {
			got = append(got, drain()...)
		}
		c.compare(t, i, got, emit)
	}
}

// clocked says that the highest time so far is set before a record is put in.
// Suppression emits what is due after the change it was given, so there the
// record has to move the clock itself.
func (c *goldenCase) clocked() bool { return c.Operator != "suppress_time_limit" }

// compare wants exactly the rows of one input, in any order; those of one key
// in their order where the operator has no state.
func (c *goldenCase) compare(t *testing.T, input int, rows []goldenRow, emit windowing.Emit) {
	t.Helper()
	all, _ := c.want()
	var want, got []string
	for _, r := range all {
		switch {
		case r.After != input:
		case c.contradicted(r):
			t.Logf("not asked for: after input %d, %s: the window is closed already; see the README of the golden cases", input, r.show(true))
		default:
			want = append(want, r.show(emit == windowing.OnClose))
		}
	}
	for _, r := range rows {
		got = append(got, r.show(emit == windowing.OnClose))
	}
	byKey := func(a, b string) int { return strings.Compare(a, b) }
	if c.Operator == "stateless" {
		byKey = func(a, b string) int { return strings.Compare(before(a), before(b)) }
	}
	slices.SortStableFunc(want, byKey)
	slices.SortStableFunc(got, byKey)
	if !slices.Equal(got, want) {
		t.Errorf("%v: after input %d, %+v:\n got %q\nwant %q\n(%s: %+v)", emit, input, c.Inputs[input], got, want, c.Operator, c.Params)
	}
}

// before is what a shown row has before its value: topic and key.
func before(row string) string {
	head, _, _ := strings.Cut(row, " = ")
	return head
}
