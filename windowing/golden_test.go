package windowing

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/millrace/millrace/state"
)

// golden is one case of testdata/kafka-streams.jsonl: the rows that Apache Kafka Streams 4.3.1 gave for the inputs, or
// those Millrace has to give where it differs on purpose.
type golden struct {
	ID, Mode, Agg        string
	Size, Advance, Grace int64
	Inputs               [][3]any // key, value, time
	Rows                 [][6]any // index of the input, key, start, end, value, time
}

func TestGolden(t *testing.T) {
	f, err := os.Open("testdata/kafka-streams.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	n := 0
	for ; lines.Scan(); n++ {
		var g golden
		if err := unmarshalNumbers(lines.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		t.Run(g.ID, func(t *testing.T) {
			if g.Mode == "final" {
				g.run(t, OnClose)
			} else {
				g.run(t, OnUpdate)
				g.run(t, OnCommit) // with a commit after each record it is the same
			}
		})
	}
	if err := lines.Err(); err != nil || n != 348 {
		t.Errorf("%d cases, %v", n, err)
	}
}

// unmarshalNumbers keeps integers exact and all fields known.
func unmarshalNumbers(line []byte, g *golden) error {
	if err := json.Unmarshal(line, g); err != nil {
		return err
	}
	for _, in := range g.Inputs {
		if _, ok := in[2].(float64); !ok {
			return fmt.Errorf("%s: an input without a time", g.ID)
		}
	}
	return nil // all numbers are below 2^53
}

func (g golden) run(t *testing.T, emit Emit) {
	w := Hopping(time.Duration(g.Size)*ms, time.Duration(g.Advance)*ms).Grace(time.Duration(g.Grace) * ms).Emit(emit)
	stores := newRig(t, w).stores
	store, err := handle.Open(opener{stores})
	if err != nil {
		t.Fatal(err)
	}
	var value any
	var rows []string
	agg := NewAggregation(w, store, func(acc *string, fresh bool) error { return gather(g.Agg, acc, fresh, value) },
		func(win Window, key []byte, v *state.Timestamped[string], at EventTime) error {
			rows = append(rows, g.row(emit, string(key), int64(win.Start), int64(win.End), v.Value, int64(at)))
			return nil
		})
	channel := Ascending().Channel(NoTime)
	for i, in := range g.Inputs {
		ts := EventTime(in[2].(float64))
		channel.Observe(ts, ts)
		if value = in[1]; in[0] != nil && value != nil {
			if _, err := agg.Add([]byte(in[0].(string)), ts, channel.Watermark()); err != nil {
				t.Fatal(err)
			}
		}
		if err := agg.Advance(channel.Watermark()); err != nil {
			t.Fatal(err)
		}
		if emit == OnCommit {
			if err := agg.BeforeCommit(); err != nil {
				t.Fatal(err)
			}
			commitStores(t, stores, handle.Name)
		}
		g.compare(t, i, emit, rows)
		rows = rows[:0]
	}
}

// compare wants the rows of one input, in any order.
func (g golden) compare(t *testing.T, input int, emit Emit, got []string) {
	var want []string
	for _, r := range g.Rows {
		if int(r[0].(float64)) == input {
			want = append(want, g.row(emit, r[1].(string), int64(r[2].(float64)), int64(r[3].(float64)), text(r[4]), int64(r[5].(float64))))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%v: after input %d %v: got %q, want %q", emit, input, g.Inputs[input], got, want)
	}
}

// row leaves the time of finals out: Kafka Streams' is that of the latest record, Millrace's the last instant.
func (g golden) row(emit Emit, key string, start, end int64, value string, at int64) string {
	if emit == OnClose {
		at = -1
	}
	return fmt.Sprintf("%s[%d,%d)=%s@%d", key, start, end, value, at)
}

func text(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatInt(int64(f), 10)
	}
	return v.(string)
}

// gather is the aggregate of a case over texts.
func gather(agg string, acc *string, fresh bool, value any) error {
	number := func() int64 { n, _ := strconv.ParseInt(*acc, 10, 64); return n }
	switch {
	case agg == "count":
		*acc = strconv.FormatInt(number()+1, 10)
	case fresh, agg == "last":
		*acc = text(value)
	case agg == "sum":
		*acc = strconv.FormatInt(number()+int64(value.(float64)), 10)
	case agg == "max":
		*acc = strconv.FormatInt(max(number(), int64(value.(float64))), 10)
	case agg == "concat":
		*acc += text(value)
	case agg != "first":
		return fmt.Errorf("unknown aggregate %q", agg)
	}
	return nil
}
