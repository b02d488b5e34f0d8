package windowing_test

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

func clock(s string) windowing.EventTime {
	at, err := time.Parse(time.TimeOnly, s)
	if err != nil {
		panic(err)
	}
	return windowing.At(at.AddDate(2015, 4, 16)) // 17 May 2015
}

func show(t windowing.EventTime) string { return t.Time().Format(time.TimeOnly) }

func ExampleAt() {
	t := windowing.At(time.Date(2015, 5, 17, 10, 5, 3, 0, time.UTC))
	fmt.Println(int64(t), t.Add(time.Minute).Time())
	// Output: 1431857103000 2015-05-17 10:06:03 +0000 UTC
}

func ExampleTumbling() {
	w := windowing.Tumbling(5 * time.Minute).Grace(time.Minute)
	for _, win := range w.Of(nil, clock("10:07:30")) {
		fmt.Println(show(win.Start), show(win.End), "closes at", show(w.Due(win)))
		fmt.Println(w.Closed(win, clock("10:10:59")), w.Closed(win, clock("10:11:00")))
	}
	// Output:
	// 10:05:00 10:10:00 closes at 10:11:00
	// false true
}

func ExampleHopping() {
	w := windowing.Hopping(10*time.Minute, 5*time.Minute)
	for _, win := range w.Of(nil, clock("10:07:30")) {
		fmt.Println(show(win.Start), show(win.End), "closed at 10:12:", w.Closed(win, clock("10:12:00")))
	}
	// Output:
	// 10:00:00 10:10:00 closed at 10:12: true
	// 10:05:00 10:15:00 closed at 10:12: false
}

func ExampleCumulative() {
	w := windowing.Cumulative(6*time.Hour, 24*time.Hour)
	for _, win := range w.Of(nil, clock("10:07:30")) {
		fmt.Println(win.Start.Time().Format("Jan 2 15:04"), "to", win.End.Time().Format("Jan 2 15:04"))
	}
	// Output:
	// May 17 00:00 to May 17 12:00
	// May 17 00:00 to May 17 18:00
	// May 17 00:00 to May 18 00:00
}

func ExampleCalendar() {
	// A place with the rules of central Europe in 2026: one hour ahead, two from 29 March on.
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, unit := range []windowing.Unit{windowing.Day, windowing.Week, windowing.Month} {
		win, _ := windowing.Calendar(unit, berlin).Latest(windowing.At(time.Date(2026, 3, 29, 12, 0, 0, 0, berlin)))
		fmt.Println(win.Start.Time(), win.End.Time().Sub(win.Start.Time()))
	}
	// Output:
	// 2026-03-28 23:00:00 +0000 UTC 23h0m0s
	// 2026-03-22 23:00:00 +0000 UTC 167h0m0s
	// 2026-02-28 23:00:00 +0000 UTC 743h0m0s
}

func ExampleWindows_WeekFrom() {
	weeks := windowing.Calendar(windowing.Week, time.UTC)
	for _, w := range []windowing.Windows{weeks, weeks.WeekFrom(time.Sunday)} {
		win, _ := w.Latest(clock("10:07:30")) // on a Sunday
		fmt.Println(win.Start.Time().Format("Mon Jan 2"))
	}
	// Output:
	// Mon May 11
	// Sun May 17
}

func ExampleWindows_Offset() {
	win, _ := windowing.Tumbling(24 * time.Hour).Offset(6 * time.Hour).Latest(clock("05:59:59"))
	fmt.Println(win.Start.Time().Format("Jan 2 15:04"), "to", win.End.Time().Format("Jan 2 15:04"))
	// Output: May 16 06:00 to May 17 06:00
}

func ExampleUnlimited() {
	w := windowing.Unlimited(clock("10:00:00"))
	win, ok := w.Latest(clock("23:59:59"))
	fmt.Println(show(win.Start), win.End == windowing.MaxTime, ok)
	_, ok = w.Latest(clock("09:59:59"))
	fmt.Println(ok)
	// Output:
	// 10:00:00 true true
	// false
}

// shifts are the working hours from 6 to 14 and from 14 to 22; at night nobody works.
type shifts struct{}

func (shifts) Of(dst []windowing.Window, ts windowing.EventTime) []windowing.Window {
	day, _ := windowing.Tumbling(24 * time.Hour).Latest(ts)
	for _, begin := range []time.Duration{6 * time.Hour, 14 * time.Hour} {
		win := windowing.Window{Start: day.Start.Add(begin), End: day.Start.Add(begin + 8*time.Hour)}
		if win.Start <= ts && ts < win.End {
			dst = append(dst, win)
		}
	}
	return dst
}

func ExampleCustom() {
	w := windowing.Custom(shifts{}).Grace(time.Minute)
	for _, at := range []string{"05:59:59", "06:00:00", "13:59:59", "14:00:00"} {
		if win, ok := w.Latest(clock(at)); ok {
			fmt.Println(at, "is in the shift from", show(win.Start), "which closes at", show(w.Due(win)))
		} else {
			fmt.Println(at, "is in none")
		}
	}
	// Output:
	// 05:59:59 is in none
	// 06:00:00 is in the shift from 06:00:00 which closes at 14:01:00
	// 13:59:59 is in the shift from 06:00:00 which closes at 14:01:00
	// 14:00:00 is in the shift from 14:00:00 which closes at 22:01:00
}

func ExampleWindows_Validate() {
	fmt.Println(windowing.Hopping(time.Minute, time.Hour).Grace(-time.Second).Validate())
	// Output:
	// windowing: the advance of windows must not exceed their size, or records between them would be lost: got advance 1h0m0s, size 1m0s
	// windowing: the grace of windows must be whole milliseconds from 0 on, got -1s
}

func ExampleBounded() {
	channel := windowing.Bounded(10 * time.Second).Channel(windowing.NoTime)
	now := clock("12:00:00")
	for _, at := range []string{"10:00:30", "10:00:25", "10:00:50"} {
		channel.Observe(clock(at), now)
		fmt.Println("record of", at, "watermark", show(channel.Watermark()))
	}
	// Output:
	// record of 10:00:30 watermark 10:00:20
	// record of 10:00:25 watermark 10:00:20
	// record of 10:00:50 watermark 10:00:40
}

func ExampleAscending() {
	channel := windowing.Ascending().Channel(windowing.NoTime)
	channel.Observe(clock("10:00:30"), clock("12:00:00"))
	fmt.Println(show(channel.Watermark()))
	// Output: 10:00:30
}

func ExampleWatermarks_MaxAhead() {
	channel := windowing.Ascending().MaxAhead(time.Hour).Channel(windowing.NoTime)
	now := clock("12:00:00")
	fmt.Println(channel.Observe(clock("13:00:00"), now), channel.Observe(clock("14:00:01"), now), show(channel.Watermark()))
	// Output: true false 13:00:00
}

func ExampleKeySerde() {
	codec, err := windowing.KeySerde(serde.String, 5*time.Minute).Bind(serde.Use{Role: serde.Key, Name: "traffic"})
	if err != nil {
		fmt.Println(err)
		return
	}
	win, _ := windowing.Tumbling(5 * time.Minute).Latest(clock("10:05:00"))
	encoded, _ := codec.Append(nil, windowing.Key[string]{Key: "a", Window: win})
	fmt.Printf("%x\n", encoded)
	key, _ := codec.Decode(encoded)
	fmt.Println(key.Key, show(key.Window.Start), show(key.Window.End))
	// Output:
	// 610000014d615574e0
	// a 10:05:00 10:10:00
}

// task gives a store handle the stores of a task.
type task struct{ stores *state.Stores }

func (t task) Stores() *state.Stores { return t.stores }

func ExampleNewAggregation() {
	counts := state.Windowed[state.Timestamped[int64]]{Name: "counts", Value: state.TimestampedSerde(serde.Int64)}
	stores, err := state.NewMemory().Open("0_0", state.Identity{ApplicationID: "example", Task: "0_0"}, []state.Spec{counts.Spec()})
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := counts.Open(task{stores})
	if err != nil {
		fmt.Println(err)
		return
	}
	agg := windowing.NewAggregation(windowing.Tumbling(time.Minute).Emit(windowing.OnClose), store,
		func(acc *int64, _ bool) error { *acc++; return nil },
		func(win windowing.Window, key []byte, v *state.Timestamped[int64], at windowing.EventTime) error {
			fmt.Printf("%s in [%s, %s): %d\n", key, show(win.Start), show(win.End), v.Value)
			return nil
		})
	channel := windowing.Bounded(10 * time.Second).Channel(windowing.NoTime)
	for _, at := range []string{"10:00:50", "10:01:05", "10:00:58", "10:01:10", "10:00:59"} {
		ts := clock(at)
		channel.Observe(ts, clock("12:00:00"))
		late, err := agg.Add([]byte("page"), ts, channel.Watermark())
		if err != nil {
			fmt.Println(err)
			return
		}
		if late {
			fmt.Println("late:", at)
		}
		if err := agg.Advance(channel.Watermark()); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// page in [10:00:00, 10:01:00): 2
	// late: 10:00:59
}
