package graph

import (
	"math"
	"strings"
	"testing"
)

// TestLimits: what a topic takes, at the edges of each limit.
func TestLimits(t *testing.T) {
	const wall, hour = 10_000_000_000, 3_600_000
	by := func(change func(*Limits)) *Limits {
		l := Unlimited()
		change(l)
		return l
	}
	sized := func(key, value int) Out { return Out{Key: make([]byte, key), Value: make([]byte, value)} }
	atLimit := sized(10, 500)
	after := by(func(l *Limits) { l.After = hour })
	before := by(func(l *Limits) { l.Before = hour })
	compacted := by(func(l *Limits) { l.Compacted = true })
	exact := by(func(l *Limits) { l.MaxBytes = atLimit.WireSize() })
	below := by(func(l *Limits) { l.MaxBytes = atLimit.WireSize() - 1 })
	for name, c := range map[string]struct {
		limits *Limits
		out    Out
		wall   int64
		takes  bool
		why    string
	}{
		"anything":              {Unlimited(), Out{Timestamp: math.MaxInt64}, wall, true, ""},
		"as far ahead as may":   {after, Out{Timestamp: wall + hour}, wall, true, ""},
		"too far ahead":         {after, Out{Timestamp: wall + hour + 1}, wall, false, "after.max.ms"},
		"the end of time":       {after, Out{Timestamp: math.MaxInt64}, wall, false, "after.max.ms"},
		"clock not known":       {after, Out{Timestamp: wall + hour + 1}, 0, true, ""},
		"as old as may":         {before, Out{Timestamp: wall - hour}, wall, true, ""},
		"too old":               {before, Out{Timestamp: wall - hour - 1}, wall, false, "before.max.ms"},
		"no key":                {compacted, Out{Value: []byte{}}, wall, false, "compacted"},
		"empty key":             {compacted, Out{Key: []byte{}}, wall, true, ""},
		"as large as may":       {exact, atLimit, wall, true, ""},
		"too large":             {below, atLimit, wall, false, "max.message.bytes"},
		"headers count as well": {exact, Out{Key: atLimit.Key, Value: atLimit.Value, Headers: []Header{{Key: "h"}}}, wall, false, "max.message.bytes"},
	} {
		if got := c.limits.Takes(&c.out, c.wall); got != c.takes {
			t.Errorf("%s: takes %v", name, got)
		} else if !got && !strings.Contains(c.limits.Why(&c.out, c.wall).Error(), c.why) {
			t.Errorf("%s: %v", name, c.limits.Why(&c.out, c.wall))
		}
	}
}

// TestClampedTimesAreTaken, by clocks that differ from ours too; what is well
// inside stays.
func TestClampedTimesAreTaken(t *testing.T) {
	const wall = 1_000_000_000
	for _, bound := range []int64{0, 1, 1000, 59_000, 3_600_000, NoBound} {
		l := &Limits{MaxBytes: math.MaxInt, Before: bound, After: bound}
		for _, at := range []int64{0, 1, wall - 3_600_001, wall, wall + 3_600_001, math.MaxInt64} {
			got := l.Clamp(at, wall)
			slack := min(bound/2, clampMargin)
			for _, other := range []int64{wall - slack, wall + slack} {
				if out := (Out{Timestamp: got}); !l.Takes(&out, other) {
					t.Errorf("bound %d: %d became %d, and a clock at %d refuses it", bound, at, got, other)
				}
			}
		}
		if l.Clamp(wall, wall) != wall || l.Clamp(5, 0) != 5 {
			t.Errorf("bound %d: a time that is taken is changed", bound)
		}
	}
}

// TestRewind gives the outbox back what it had, across chunks and values too long
// for one.
func TestRewind(t *testing.T) {
	var o Outbox
	text := Stamps{}
	add := func(n int) {
		for range n {
			b, err := Append(&o, text, Stamp{Tasks: 1, Run: make([]byte, 300)})
			if err != nil {
				t.Fatal(err)
			}
			o.Send(Out{Value: b})
		}
	}
	for _, kept := range []int{0, 1, 100, 500} {
		o = Outbox{}
		add(kept)
		var before []string
		for _, out := range o.Outs() {
			before = append(before, string(out.Value))
		}
		bytes := o.Bytes()
		for range 3 {
			m := o.Mark()
			add(700)
			if _, err := Append(&o, text, Stamp{Tasks: 1, Run: make([]byte, outboxChunkBytes*2)}); err != nil {
				t.Fatal(err)
			}
			o.Rewind(m)
		}
		add(10)
		if len(o.Outs()) != kept+10 || o.Bytes() != bytes/max(kept, 1)*kept+10*len(o.Outs()[kept].Value) {
			t.Fatalf("%d kept: %d records, %d bytes", kept, len(o.Outs()), o.Bytes())
		}
		for i, want := range before {
			if string(o.Outs()[i].Value) != want {
				t.Fatalf("%d kept: record %d has other bytes now", kept, i)
			}
		}
	}
}
