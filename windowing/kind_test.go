package windowing

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/schemaregistry/serde"
)

func TestKindsOfATime(t *testing.T) {
	tests := []struct {
		name string
		w    Windows
		ts   EventTime
		want []Window
	}{
		{"cumulative, first step", Cumulative(5*ms, 15*ms), 2, []Window{{0, 5}, {0, 10}, {0, 15}}},
		{"cumulative, at a step", Cumulative(5*ms, 15*ms), 5, []Window{{0, 10}, {0, 15}}},
		{"cumulative, last instant", Cumulative(5*ms, 15*ms), 14, []Window{{0, 15}}},
		{"cumulative, next", Cumulative(5*ms, 15*ms), 15, []Window{{15, 20}, {15, 25}, {15, 30}}},
		{"cumulative, below zero", Cumulative(5*ms, 15*ms), -1, []Window{{-15, 0}}},
		{"cumulative, offset", Cumulative(5*ms, 15*ms).Offset(2 * ms), 1, []Window{{-13, 2}}},
		{"tumbling, offset", Tumbling(10 * ms).Offset(3 * ms), 2, []Window{{-7, 3}}},
		{"tumbling, at the offset", Tumbling(10 * ms).Offset(3 * ms), 3, []Window{{3, 13}}},
		{"tumbling, offset of more than a window", Tumbling(10 * ms).Offset(23 * ms), 2, []Window{{-7, 3}}},
		{"tumbling, offset the other way", Tumbling(10 * ms).Offset(-7 * ms), 3, []Window{{3, 13}}},
		{"hopping, offset: none starts below it for later times", Hopping(10*ms, 5*ms).Offset(3 * ms), 4, []Window{{3, 13}}},
		{"hopping, offset: times below it are in all", Hopping(10*ms, 5*ms).Offset(3 * ms), 2, []Window{{-7, 3}, {-2, 8}}},
		{"hopping, well above", Hopping(10*ms, 5*ms).Offset(3 * ms), 20, []Window{{13, 23}, {18, 28}}},
		{"unlimited, at its start", Unlimited(7), 7, []Window{{7, MaxTime}}},
		{"unlimited, before", Unlimited(7), 6, nil},
		{"unlimited, offset", Unlimited(7).Offset(3 * ms), 9, nil},
		{"unlimited, last time of all", Unlimited(7), MaxTime - 1, []Window{{7, MaxTime}}},
		{"custom", Custom(ragged{every: 10, least: 4, spread: 1}), 17, []Window{{16, 20}}},
		{"custom, in a gap", Custom(ragged{every: 10, least: 4, spread: 1}), 15, nil},
		{"custom, offset", Custom(ragged{every: 10, least: 4, spread: 1}).Offset(-ms), 15, []Window{{15, 19}}},
	}
	for _, tt := range tests {
		if err := tt.w.Validate(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		got := tt.w.Of(nil, tt.ts)
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %d is in %v, want %v", tt.name, tt.ts, got, tt.want)
		}
		if last, ok := tt.w.Latest(tt.ts); ok != (len(got) > 0) || ok && last != got[len(got)-1] {
			t.Errorf("%s: the latest is %v, %v", tt.name, last, ok)
		}
	}
}

func TestKindsValidate(t *testing.T) {
	tests := []struct {
		w    Windows
		want string
	}{
		{Cumulative(0, 10*ms), "step of cumulative windows must be positive"},
		{Cumulative(5*ms, 0), "size of cumulative windows must be positive"},
		{Cumulative(4*ms, 10*ms), "multiple of their step"},
		{Cumulative(5*ms, 10*ms).Offset(time.Microsecond), "offset of windows must be whole milliseconds"},
		{Calendar(Day, nil), "need a location"},
		{Calendar(9, time.UTC), "unknown unit 9"},
		{Calendar(Day, time.UTC).WeekFrom(time.Sunday), "only the weeks"},
		{Tumbling(ms).WeekFrom(time.Sunday), "only the weeks"},
		{Calendar(Week, time.UTC).WeekFrom(8), "unknown first day of the week 8"},
		{Calendar(Day, time.UTC).Offset(24 * time.Hour), "less than 24h"},
		{Calendar(Week, time.UTC).Offset(-7 * 24 * time.Hour), "less than 168h"},
		{Calendar(Month, time.UTC).Offset(28 * 24 * time.Hour), "less than 672h"},
		{Unlimited(NoTime), "finite"},
		{Unlimited(MaxTime), "finite"},
		{Custom(nil), "need a kind"},
		{Custom(ragged{every: 1, least: 1, spread: 1}).Grace(-ms), "grace"},
		{Tumbling(ms).Early(ms), "early results go with OnClose or OnTime; on-commit"},
		{Tumbling(ms).Emit(OnUpdate).Early(ms), "on-update"},
		{Tumbling(ms).Emit(OnClose).Early(0), "positive whole milliseconds"},
		{Tumbling(ms).Emit(OnTime).Early(time.Microsecond), "positive whole milliseconds"},
	}
	for _, tt := range tests {
		if err := tt.w.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want a complaint with %q", tt.w, err, tt.want)
		}
	}
}

// broken is a custom kind that does not keep to its contract.
type broken []Window

func (b broken) Of(dst []Window, _ EventTime) []Window { return append(dst, b...) }

func TestBrokenKindIsAnError(t *testing.T) {
	for want, k := range map[string]broken{
		"which is not in it": {{0, 5}},
		"ends must ascend":   {{0, 20}, {5, 20}},
	} {
		r := newRig(t, Custom(k))
		if _, err := r.agg.Add([]byte("k"), 10, 10); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v", k, err)
		}
	}
}

// TestStoreOfAnotherKindIsNotLost: windows of which the kind knows nothing are sent all the same.
func TestStoreOfAnotherKindIsNotLost(t *testing.T) {
	r := newRig(t, Cumulative(5*ms, 10*ms).Emit(OnClose))
	r.add("k", "1", 7, 7)
	r.commit()
	r.windows = Custom(ragged{every: 7, least: 7, spread: 1}).Emit(OnClose)
	r.restart()
	r.advance(10)
	r.expect("k[7,10)=1@9")
}

func TestUnlimitedClosesAtTheEndOnly(t *testing.T) {
	for _, emit := range []Emit{OnClose, OnTime} {
		r := newRig(t, Unlimited(10).Emit(emit))
		if !r.add("early", "0", 9, 9) {
			t.Error("a record before the start was accepted")
		}
		r.add("a", "1", 10, 10)
		r.add("b", "2", 500, 500)
		r.advance(500)
		r.add("a", "3", 11, 500)
		r.advance(MaxTime - 1)
		r.expect()
		r.abort()
		r.add("a", "1", 10, 10)
		r.add("b", "2", 500, 500)
		r.advance(400)
		r.commit()
		r.advance(MaxTime)
		r.expect("a[10,9223372036854775807)=1@400", "b[10,9223372036854775807)=2@500")
		r.commit()
		if len(r.agg.store.Starts()) > 0 || r.closing().Watermark != 400 {
			t.Errorf("%v: stored %+v, windows %v", emit, r.closing(), r.agg.store.Starts())
		}
	}
}

func TestResultKeysOfVaryingWindowsHaveBothBounds(t *testing.T) {
	key := Key[string]{Key: "a", Window: Window{0x0102, 0x0304}}
	for name, w := range map[string]Windows{
		"cumulative": Cumulative(ms, 2*ms), "calendar": Calendar(Day, time.UTC), "unlimited": Unlimited(0), "custom": Custom(ragged{}),
	} {
		c := bindKey(t, ResultKeySerde(serde.String, w))
		b, err := c.Append(nil, key)
		if got, want := fmt.Sprintf("%x", b), "6100000000000003040000000000000102"; err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
		if back, err := c.Decode(b); err != nil || back != key {
			t.Errorf("%s: %+v, %v", name, back, err)
		}
	}
	for _, w := range []Windows{Tumbling(512 * ms), Hopping(512*ms, ms).Offset(3 * ms)} {
		if b, err := bindKey(t, ResultKeySerde(serde.String, w)).Append(nil, key); err != nil || fmt.Sprintf("%x", b) != "610000000000000102" {
			t.Errorf("%+v: %x, %v", w, b, err)
		}
	}
}
