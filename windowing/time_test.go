package windowing

import (
	"math"
	"testing"
	"time"

	"github.com/millrace/millrace/windowing/internal/grid"
)

func TestAtAndTime(t *testing.T) {
	tests := []struct {
		at   time.Time
		want EventTime
	}{
		{time.Unix(0, 0), 0},
		{time.Unix(1, 999_999), 1000},
		{time.Unix(0, -1), -1},
		{time.Unix(0, -1_000_000), -1},
		{time.Date(2015, 5, 17, 10, 5, 3, 0, time.FixedZone("CEST", 7200)), 1431849903000},
		{time.Unix(math.MaxInt64/1000+5, 0), MaxTime - 1},
		{time.Unix(-math.MaxInt64/1000-5, 0), NoTime + 1},
		{time.Time{}, -62135596800000},
	}
	for _, tt := range tests {
		if got := At(tt.at); got != tt.want {
			t.Errorf("%v: got %d, want %d", tt.at, got, tt.want)
		}
	}
	at := time.Date(2015, 5, 17, 10, 5, 3, 7_000_000, time.UTC)
	if got := At(at).Time(); !got.Equal(at) || got.Location() != time.UTC {
		t.Errorf("got %v, want %v", got, at)
	}
}

func TestAddSaturates(t *testing.T) {
	tests := []struct {
		t    EventTime
		d    time.Duration
		want EventTime
	}{
		{10, time.Second, 1010},
		{10, -time.Second, -990},
		{10, 1999 * time.Microsecond, 11},
		{10, -1999 * time.Microsecond, 9},
		{NoTime, time.Hour, NoTime},
		{MaxTime, -time.Hour, MaxTime},
		{MaxTime - 5, time.Second, MaxTime - 1},
		{NoTime + 5, -time.Second, NoTime + 1},
		{MaxTime - 1, time.Millisecond, MaxTime - 1},
		{0, math.MaxInt64, 9223372036854},
	}
	for _, tt := range tests {
		if got := tt.t.Add(tt.d); got != tt.want {
			t.Errorf("%d + %v: got %d, want %d", tt.t, tt.d, got, tt.want)
		}
	}
}

func TestPlusSaturates(t *testing.T) {
	tests := []struct {
		t    EventTime
		ms   int64
		want EventTime
	}{
		{MaxTime, 1, MaxTime},
		{MaxTime - 1, 1, MaxTime},
		{NoTime, -1, NoTime},
		{NoTime, math.MaxInt64, -1},
		{MaxTime, math.MinInt64, -1},
		{-1, math.MinInt64, NoTime},
		{0, math.MinInt64, NoTime},
		{5, 0, 5},
	}
	for _, tt := range tests {
		if got := grid.Plus(tt.t, tt.ms); got != tt.want {
			t.Errorf("%d + %d: got %d, want %d", tt.t, tt.ms, got, tt.want)
		}
	}
}

func TestEmitTexts(t *testing.T) {
	for e, want := range map[Emit]string{OnCommit: "on-commit", OnClose: "on-close", OnUpdate: "on-update", 7: "emit 7"} {
		if got := e.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if (Windows{}).Emission() != OnCommit {
		t.Error("OnCommit is the default")
	}
}
