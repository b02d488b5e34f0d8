package windowing

import (
	"testing"
	"time"
	_ "time/tzdata" // the same rules on every machine
)

func place(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// on is an instant in UTC.
func on(t testing.TB, s string) EventTime {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		t.Fatal(err)
	}
	return At(at)
}

func TestCalendarWindows(t *testing.T) {
	const berlin = "Europe/Berlin"
	tests := []struct {
		name       string
		unit       Unit
		place      string
		first      time.Weekday
		offset     time.Duration
		at         string // and the bounds, in UTC
		start, end string
		hours      float64
	}{
		{"a day", Day, "UTC", 0, 0, "2026-05-17 10:00", "2026-05-17 00:00", "2026-05-18 00:00", 24},
		{"its first instant", Day, "UTC", 0, 0, "2026-05-17 00:00", "2026-05-17 00:00", "2026-05-18 00:00", 24},
		{"a day in summer", Day, berlin, 0, 0, "2026-05-17 22:00", "2026-05-17 22:00", "2026-05-18 22:00", 24},
		{"clock put forward", Day, berlin, 0, 0, "2026-03-29 12:00", "2026-03-28 23:00", "2026-03-29 22:00", 23},
		{"clock put back", Day, berlin, 0, 0, "2026-10-25 12:00", "2026-10-24 22:00", "2026-10-25 23:00", 25},
		{"put forward over the start of an offset day", Day, berlin, 0, 150 * time.Minute, "2026-03-29 12:00", "2026-03-29 01:00", "2026-03-30 00:30", 23.5},
		{"offset shown twice: the first counts", Day, berlin, 0, 150 * time.Minute, "2026-10-25 12:00", "2026-10-25 00:30", "2026-10-26 01:30", 25},
		{"six in the morning before and after", Day, berlin, 0, 6 * time.Hour, "2026-03-29 12:00", "2026-03-29 04:00", "2026-03-30 04:00", 24},
		{"the day that ends on it", Day, berlin, 0, 6 * time.Hour, "2026-03-29 03:59", "2026-03-28 05:00", "2026-03-29 04:00", 23},
		{"the evening before", Day, berlin, 0, -2 * time.Hour, "2026-05-17 20:00", "2026-05-17 20:00", "2026-05-18 20:00", 24},
		{"no midnight", Day, "America/Sao_Paulo", 0, 0, "2018-11-04 12:00", "2018-11-04 03:00", "2018-11-05 02:00", 23},
		{"midnight twice", Day, "America/Havana", 0, 0, "2025-11-02 12:00", "2025-11-02 04:00", "2025-11-03 05:00", 25},
		{"back over midnight", Day, "America/St_Johns", 0, 0, "2010-11-07 03:00", "2010-11-07 02:30", "2010-11-08 03:30", 25},
		{"the day before it", Day, "America/St_Johns", 0, 0, "2010-11-07 02:29", "2010-11-06 02:30", "2010-11-07 02:30", 24},
		{"after a day that never was", Day, "Pacific/Apia", 0, 0, "2011-12-30 10:00", "2011-12-30 10:00", "2011-12-31 10:00", 24},
		{"before it", Day, "Pacific/Apia", 0, 0, "2011-12-30 09:59", "2011-12-29 10:00", "2011-12-30 10:00", 24},
		{"a week", Week, berlin, time.Monday, 0, "2026-03-29 12:00", "2026-03-22 23:00", "2026-03-29 22:00", 167},
		{"a week from Sunday", Week, berlin, time.Sunday, 0, "2026-03-29 12:00", "2026-03-28 23:00", "2026-04-04 22:00", 167},
		{"a week from Saturday noon", Week, "UTC", time.Saturday, 12 * time.Hour, "2026-05-16 11:00", "2026-05-09 12:00", "2026-05-16 12:00", 168},
		{"a month", Month, berlin, 0, 0, "2026-03-31 21:59", "2026-02-28 23:00", "2026-03-31 22:00", 743},
		{"February of a leap year", Month, "UTC", 0, 0, "2028-02-29 12:00", "2028-02-01 00:00", "2028-03-01 00:00", 696},
		{"a month from the 15th", Month, "UTC", 0, 14 * 24 * time.Hour, "2026-01-14 23:59", "2025-12-15 00:00", "2026-01-15 00:00", 744},
		{"a month from the 25th of the one before", Month, "UTC", 0, -7 * 24 * time.Hour, "2026-01-31 00:00", "2026-01-25 00:00", "2026-02-22 00:00", 672},
		{"before the epoch", Day, "UTC", 0, 0, "1969-12-31 23:59", "1969-12-31 00:00", "1970-01-01 00:00", 24},
	}
	for _, tt := range tests {
		w := Calendar(tt.unit, place(t, tt.place)).Offset(tt.offset)
		if tt.unit == Week {
			w = w.WeekFrom(tt.first)
		}
		if err := w.Validate(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		want := Window{on(t, tt.start), on(t, tt.end)}
		if got := w.Of(nil, on(t, tt.at)); len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %v, want %v", tt.name, shown(got), shown([]Window{want}))
		}
		if hours := float64(want.End-want.Start) / 3_600_000; hours != tt.hours {
			t.Errorf("%s: %v hours", tt.name, hours)
		}
	}
}

func shown(all []Window) (s []string) {
	for _, w := range all {
		s = append(s, w.Start.Time().Format(time.DateTime)+" to "+w.End.Time().Format(time.DateTime))
	}
	return s
}

func TestCalendarWeekBeginsOnMonday(t *testing.T) {
	for day := range 14 {
		at := on(t, "2026-05-01 12:00").Add(time.Duration(day) * 24 * time.Hour)
		if win, _ := Calendar(Week, time.UTC).Latest(at); win.Start.Time().Weekday() != time.Monday || at-win.Start >= 7*86_400_000 {
			t.Errorf("%v: %v", at.Time(), win.Start.Time())
		}
	}
}

// TestCalendarWindowsTile: everywhere and through every change of clocks there is exactly one window for each time,
// the next begins where it ends, and it begins when the wall clock first shows its date.
func TestCalendarWindowsTile(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "America/Havana", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"} {
		loc := place(t, name)
		for _, w := range []Windows{
			Calendar(Day, loc), Calendar(Week, loc), Calendar(Month, loc), Calendar(Day, loc).Offset(6 * time.Hour), Calendar(Day, loc).Offset(-90 * time.Minute),
		} {
			win, _ := w.Latest(on(t, "2010-06-01 00:00"))
			for to := on(t, "2012-06-01 00:00"); win.End < to; win, _ = w.Latest(win.End) {
				for _, at := range []EventTime{win.Start, win.Start + 59*60_000, win.Start + (win.End-win.Start)/2, win.End - 61*60_000, win.End - 1} {
					if got, ok := w.Latest(at); at >= win.Start && at < win.End && (!ok || got != win) {
						t.Fatalf("%s %+v: at %v %v instead of %v", name, w, at.Time(), shown([]Window{got}), shown([]Window{win}))
					}
				}
				if next, ok := w.Latest(win.End); !ok || next.Start != win.End {
					t.Fatalf("%s %+v: %v is followed by %v", name, w, shown([]Window{win}), shown([]Window{next}))
				}
				if again := ending(w.kinds(), nil, win.End-1); again != win {
					t.Fatalf("%s %+v: %v by its last instant is %v", name, w, shown([]Window{win}), shown([]Window{again}))
				}
				if d := win.Start.Time().In(loc); w.kind.(calendar).unit == Month && d.Day() != 1 {
					t.Fatalf("%s: a month begins at %v", name, d)
				}
			}
		}
	}
}

// TestCalendarAtTheEndsOfTime: whatever the time, it is in one window.
func TestCalendarAtTheEndsOfTime(t *testing.T) {
	for _, unit := range []Unit{Day, Week, Month} {
		for _, at := range extremes {
			if at == NoTime || at == MaxTime {
				continue
			}
			for _, loc := range []*time.Location{time.UTC, place(t, "Europe/Berlin")} {
				got := Calendar(unit, loc).Of(nil, at)
				if len(got) != 1 || got[0].Start > at || got[0].End <= at {
					t.Errorf("unit %d in %v: %d is in %v", unit, loc, at, got)
				}
			}
		}
	}
}
