package windowing

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestChannelFollowsItsRecords(t *testing.T) {
	c := Bounded(10 * ms).Channel(NoTime)
	if c.Watermark() != NoTime || c.Max() != NoTime {
		t.Fatalf("a new channel is at %d, max %d", c.Watermark(), c.Max())
	}
	for _, step := range []struct{ ts, watermark, max EventTime }{
		{100, 90, 100}, {95, 90, 100}, {100, 90, 100}, {101, 91, 101}, {-5, 91, 101}, {200, 190, 200},
	} {
		if !c.Observe(step.ts, 0) {
			t.Errorf("%d is not believed", step.ts)
		}
		if c.Watermark() != step.watermark || c.Max() != step.max {
			t.Errorf("after %d: watermark %d max %d, want %d and %d", step.ts, c.Watermark(), c.Max(), step.watermark, step.max)
		}
	}
}

func TestMaxAhead(t *testing.T) {
	day := DefaultMaxAhead.Milliseconds()
	tests := []struct {
		name     string
		rule     Watermarks
		restored EventTime
		now, ts  EventTime
		want     bool
	}{
		{"default, at the limit of the clock", Ascending(), NoTime, 1000, EventTime(1000 + day), true},
		{"default, beyond the clock", Ascending(), NoTime, 1000, EventTime(1001 + day), false},
		{"zero value is the default", Watermarks{}, NoTime, 0, EventTime(day + 1), false},
		{"the channel is ahead of the clock", Ascending(), 5_000_000_000_000, 0, EventTime(5_000_000_000_000 + day), true},
		{"beyond a channel ahead of the clock", Ascending(), 5_000_000_000_000, 0, EventTime(5_000_000_000_001 + day), false},
		{"the bound counts to the channel's own time", Bounded(time.Hour), 5_000_000_000_000, 0, EventTime(5_000_003_600_000 + day), true},
		{"of its own", Ascending().MaxAhead(time.Second), NoTime, 0, 1000, true},
		{"beyond its own", Ascending().MaxAhead(time.Second), NoTime, 0, 1001, false},
		{"none", Ascending().MaxAhead(0), NoTime, 50, 50, true},
		{"beyond none", Ascending().MaxAhead(0), NoTime, 50, 51, false},
		{"no clock, no channel", Ascending(), NoTime, NoTime, 0, false},
		{"end of time is never a record's", Ascending(), MaxTime - 1, MaxTime - 1, MaxTime, false},
		{"last time of all", Ascending(), MaxTime - 2, 0, MaxTime - 1, true},
		{"first time of all", Ascending(), NoTime, 0, NoTime + 1, true},
	}
	for _, tt := range tests {
		c := tt.rule.Channel(tt.restored)
		before := c
		if got := c.Observe(tt.ts, tt.now); got != tt.want {
			t.Errorf("%s: believed is %v", tt.name, got)
		}
		if !tt.want && c != before {
			t.Errorf("%s: a record of the future moved the channel", tt.name)
		}
	}
}

func TestGeneratedNeedsAFactory(t *testing.T) {
	if err := Generated(nil).Validate(); err == nil || !strings.Contains(err.Error(), "makes generators, got nil") {
		t.Errorf("Generated(nil) is not refused: %v", err)
	}
	if Generated(nil).Marked() || !Punctuated().Marked() {
		t.Error("only Punctuated takes markers")
	}
}

func TestChannelAdvance(t *testing.T) {
	c := Bounded(10 * ms).Channel(NoTime)
	for _, step := range []struct {
		at, watermark EventTime
		moved         bool
	}{
		{NoTime, NoTime, false}, {50, 50, true}, {50, 50, false}, {40, 50, false}, {51, 51, true},
		{MaxTime, MaxTime - 11, true}, {MaxTime, MaxTime - 11, false}, {MaxTime - 1, MaxTime - 11, false},
	} {
		if moved := c.Advance(step.at); moved != step.moved || c.Watermark() != step.watermark {
			t.Errorf("to %d: watermark %d moved %v, want %d %v", step.at, c.Watermark(), moved, step.watermark, step.moved)
		}
	}
}

// TestChannelRestores: a channel made from the stored watermark goes on exactly as the one that stored it.
func TestChannelRestores(t *testing.T) {
	for _, from := range []EventTime{-1000, 0, 1767225600000, MaxTime - 2000, NoTime + 20} {
		for seed := range uint64(50) {
			r := rand.New(rand.NewPCG(seed, 1))
			rule := Bounded(time.Duration(r.IntN(20)) * ms).MaxAhead(time.Duration(r.IntN(60)) * ms)
			live := rule.Channel(NoTime)
			for i := range 60 {
				ts := from + EventTime(i) + EventTime(r.IntN(80)) - 20
				before := live.Watermark()
				restored := rule.Channel(before)
				a, b := live.Observe(ts, from), restored.Observe(ts, from)
				if a != b || live.Watermark() != restored.Watermark() {
					t.Fatalf("seed %d, from %d, record %d: live %v %d, restored %v %d", seed, from, ts, a, live.Watermark(), b, restored.Watermark())
				}
				if live.Watermark() < before || live.Watermark() == MaxTime {
					t.Fatalf("the watermark went from %d to %d", before, live.Watermark())
				}
			}
		}
	}
}

func TestWatermarksValidate(t *testing.T) {
	for _, w := range []Watermarks{{}, Ascending(), Bounded(time.Minute).MaxAhead(0)} {
		if err := w.Validate(); err != nil {
			t.Errorf("%+v: %v", w, err)
		}
	}
	for _, w := range []Watermarks{Bounded(-ms).MaxAhead(-ms), Bounded(time.Microsecond).MaxAhead(ms + 1)} {
		err := w.Validate()
		if err == nil || !strings.Contains(err.Error(), "bound") || !strings.Contains(err.Error(), "MaxAhead") {
			t.Errorf("%+v: got %v, want two complaints", w, err)
		}
	}
}

// TestToldWatermarksAreBelievedLikeRecords: as far as the record behind it would be, and nothing moves otherwise.
func TestToldWatermarksAreBelievedLikeRecords(t *testing.T) {
	for _, tt := range []struct {
		name                      string
		now, ts, mark             EventTime
		believed                  bool
		watermark, highest, limit EventTime // behind it: the last is the highest time that would still be believed
	}{
		{"at the limit of the clock", 1000, 500, 2000, true, 2000, 2000, 3000},
		{"beyond the clock", 1000, 500, 2001, false, 100, 200, 2000},
		{"at the limit of its own record", 0, 1200, 2200, true, 2200, 2200, 3200},
		{"beyond its own record", 0, 1200, 2201, false, 100, 200, 1200},
		{"behind what was told before", 0, 300, 50, true, 100, 300, 1300},
		{"no mark", 0, 300, NoTime, true, 100, 300, 1300},
		{"the end of time", MaxTime - 1, 300, MaxTime, false, 100, 200, MaxTime - 1},
		{"the record itself is not believed", 0, 1201, 150, false, 100, 200, 1200},
	} {
		c := Punctuated().MaxAhead(time.Second).Channel(NoTime)
		c.ObserveMarker(200, 100, 0)
		if got := c.ObserveMarker(tt.ts, tt.mark, tt.now); got != tt.believed || c.Watermark() != tt.watermark || c.Max() != tt.highest {
			t.Errorf("%s: believed %v, watermark %d, highest %d; want %+v", tt.name, got, c.Watermark(), c.Max(), tt)
		}
		if !c.Believes(tt.limit, tt.now) || c.Believes(tt.limit+1, tt.now) {
			t.Errorf("%s: then %d is believed: %v, and one more: %v", tt.name, tt.limit, c.Believes(tt.limit, tt.now), c.Believes(tt.limit+1, tt.now))
		}
	}
	c := Bounded(10 * ms).Channel(NoTime)
	if !c.ObserveMarker(100, 5000, 0) || c.Watermark() != 90 {
		t.Errorf("a channel that goes by its records is at %d behind a marker", c.Watermark())
	}
}
