package windowing

import (
	"fmt"
	"math"
	"time"
)

// Unit is the length of calendar windows.
type Unit uint8

const (
	// Day is from midnight to midnight: 24 hours, or 23 or 25 where the clock is changed.
	Day Unit = iota
	// Week is seven days, from Monday on unless WeekFrom says otherwise.
	Week
	// Month is from the first day of a month to the first of the next.
	Month
)

// Calendar cuts time into the days, weeks or months of a place: no two overlap and there is nothing between them. loc
// is not nil; time.UTC and time.LoadLocation give one. The rules of a place may change with the time zone data that
// the program is built or run with: results that have to be repeatable need the same data.
func Calendar(unit Unit, loc *time.Location) Windows {
	return Windows{kind: calendar{unit: unit, loc: loc, first: time.Monday}}
}

// WeekFrom sets the first day of the weeks of Calendar(Week, ...).
func (w Windows) WeekFrom(day time.Weekday) Windows {
	c, ok := w.kind.(calendar)
	if !ok || c.unit != Week {
		c = calendar{unit: unitMax + 1} // for Validate to complain about
	}
	c.first = day
	w.kind = c
	return w
}

const unitMax = Month

// String is the name of the unit in small letters: "day".
func (u Unit) String() string {
	if u > unitMax {
		return fmt.Sprintf("unit %d", uint8(u))
	}
	return [...]string{"day", "week", "month"}[u]
}

// calendar is the kind behind Calendar. A window begins at the first instant at which the clock on the wall shows the
// wanted time or a later one.
type calendar struct {
	unit  Unit
	loc   *time.Location
	first time.Weekday
	by    time.Duration
}

func (c calendar) validate(offset time.Duration, complain func(string, ...any)) {
	if c.unit == unitMax+1 {
		complain("windowing: only the weeks of Calendar have a first day of the week")
		return
	}
	if c.unit > unitMax {
		complain("windowing: unknown unit %d of calendar windows; use Day, Week or Month", uint8(c.unit))
		return
	}
	if c.loc == nil {
		complain("windowing: calendar windows need a location; use time.UTC or time.LoadLocation")
	}
	if c.first < time.Sunday || c.first > time.Saturday {
		complain("windowing: unknown first day of the week %d", int(c.first))
	}
	if most := [...]time.Duration{1, 7, 28}[c.unit] * 24 * time.Hour; offset <= -most || offset >= most {
		complain("windowing: the offset of these calendar windows must be less than %v, got %v", most, offset)
	}
}

func (c calendar) offset(d time.Duration) Kind {
	c.by = d
	return c
}

// Of begins with the window that the date at ts suggests. Where the clock was changed near its bounds, it may be the
// one before or behind.
func (c calendar) Of(dst []Window, ts EventTime) []Window {
	year, month, day := time.UnixMilli(int64(ts)).In(c.loc).Add(-c.by).Date()
	n := 0 // windows from that one
	start, end := c.begin(year, month, day, 0), c.begin(year, month, day, 1)
	for ts < start && start > NoTime+1 {
		n--
		start, end = c.begin(year, month, day, n), start
	}
	for ts >= end && end < MaxTime {
		n++
		start, end = end, c.begin(year, month, day, n+1)
	}
	return append(dst, Window{Start: start, End: end})
}

// begin is the first instant of the n-th window behind that of a date.
func (c calendar) begin(year int, month time.Month, day, n int) EventTime {
	switch c.unit {
	case Day:
		day += n
	case Week:
		weekday := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Weekday()
		day += 7*n - int(7+weekday-c.first)%7
	case Month:
		month += time.Month(n)
		day = 1
	}
	return instant(c.onWall(time.Date(year, month, day, 0, 0, 0, int(c.by), time.UTC)))
}

// onWall is the first instant at which the clock of the location shows what wall shows in UTC, or more.
func (c calendar) onWall(wall time.Time) time.Time {
	year, month, day := wall.Date()
	t := time.Date(year, month, day, wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), c.loc)
	from, to := t.ZoneBounds()
	switch shown := clockOf(t); {
	case shown.Before(wall): // the clock was put forward over it, which ends this zone
		return to
	case shown.After(wall): // likewise, and this zone began so
		return from
	case from.IsZero():
		return t
	}
	_, was := from.Add(-1).Zone()
	_, is := t.Zone()
	if earlier := t.Add(time.Duration(is-was) * time.Second); was > is && earlier.Before(from) {
		return earlier // the clock was put back and showed it twice
	}
	return t
}

// clockOf is what the clock shows at t, as if it were UTC.
func clockOf(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// instant is a bound of windows as event time, MaxTime or the first finite time where the range ends.
func instant(t time.Time) EventTime {
	const most = math.MaxInt64 / 1000
	switch s := t.Unix(); {
	case s >= most:
		return MaxTime
	case s <= -most:
		return NoTime + 1
	}
	return EventTime(t.UnixMilli())
}
