package processortest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/stream"
)

// exactlyOnceRuns is how often CheckExactlyOnce repeats the input with faults.
const exactlyOnceRuns = 20

// CheckExactlyOnce runs the application once undisturbed and then again and
// again with seeded crashes, aborts, lost disks and commits between the records
// that input puts in, and fails the test unless every run committed the same.
//
// The last value of every key and partition of every sink topic is compared;
// with OnClose results or without aggregates that is every record, since no key
// comes twice. A key whose last record is a tombstone counts as never sent.
// With a different number of commits an OnCommit operator sends a
// different number of updates, but the same last ones.
//
// Results that are not final need an input that closes the windows, or a last
// Driver.AdvanceTo: what Early has sent of a window that stays open depends, after
// a repartition topic, on when commits came, and is reported as a difference.
//
// Where the order is promised too, all that a task has sent to a partition is
// compared, record by record: for topics that one sink writes, if everything
// before it follows from the log of one source, without OnCommit and without a
// repartition topic between, or if it is the final results of one operator.
func CheckExactlyOnce(t *testing.T, build func(*stream.Builder), input func(*Driver), opts ...Option) {
	t.Helper()
	undisturbed := runOnce(t, build, input, opts, nil)
	want, order := lastValues(undisturbed), sequences(undisturbed)
	for seed := range uint64(exactlyOnceRuns) {
		got := runOnce(t, build, input, opts, rand.New(rand.NewPCG(seed, 1)))
		if diff := difference(want, lastValues(got)); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
		if diff := parting(order, sequences(got)); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}

func runOnce(t *testing.T, build func(*stream.Builder), input func(*Driver), opts []Option, faults *rand.Rand) *Driver {
	t.Helper()
	d := New(t, build, opts...)
	d.faults = faults
	input(d)
	d.Commit()
	return d
}

// disturb does something to the application after a record.
func (d *Driver) disturb() {
	d.t.Helper()
	if d.faults == nil {
		return
	}
	switch d.faults.IntN(12) {
	case 0, 1:
		d.Commit()
	case 2:
		d.Crash()
	case 3:
		d.Abort()
	case 4:
		d.LoseState()
	}
}

// lastValues maps topic, partition and key to the last record committed, and
// counts those without a key, which have no last.
func lastValues(d *Driver) map[string]string {
	last := map[string]string{}
	for topic, log := range d.written {
		for _, o := range log.outs {
			place := fmt.Sprintf("topic %q partition %d key %q", topic, o.Partition, o.Key)
			content := content(o.Out)
			if o.Key == nil {
				place, content = place+" null "+content, last[place+" null "+content]+"*"
			}
			if last[place] = content; o.Value == nil {
				delete(last, place)
			}
		}
	}
	return last
}

// content is all of a record but its place and its key.
func content(o graph.Out) string {
	return fmt.Sprintf("time %d value %q headers %s", o.Timestamp, o.Value, headerText(o.Headers))
}

func headerText(headers []graph.Header) string {
	var s []byte
	for _, h := range headers {
		s = fmt.Appendf(s, "%s=%q ", h.Key, h.Value)
	}
	return string(s)
}

// difference describes the first places, in order, where two runs differ.
func difference(want, got map[string]string) string {
	var lines []string
	for place, w := range want {
		if g, ok := got[place]; !ok {
			lines = append(lines, fmt.Sprintf("%s: lost %s", place, w))
		} else if g != w {
			lines = append(lines, fmt.Sprintf("%s: %s, undisturbed %s", place, g, w))
		}
	}
	for place, g := range got {
		if _, ok := want[place]; !ok {
			lines = append(lines, fmt.Sprintf("%s: extra %s", place, g))
		}
	}
	slices.Sort(lines)
	if len(lines) == 0 {
		return ""
	}
	const shown = 5
	return fmt.Sprintf("%d differences from the undisturbed run:\n%s", len(lines), strings.Join(lines[:min(shown, len(lines))], "\n"))
}
