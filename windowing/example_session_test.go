package windowing_test

import (
	"fmt"
	"time"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
	"github.com/millrace/millrace/windowing"
)

func ExampleSession() {
	w := windowing.Session(5 * time.Minute).Grace(time.Minute)
	last := clock("10:07:00")
	fmt.Println("closes at", w.Due(last).Time().Format("15:04:05.000"))
	// Output: closes at 10:13:00.001
}

func ExampleSliding() {
	w := windowing.Sliding(5 * time.Minute)
	win := w.Window(clock("10:07:00"))
	fmt.Println(show(win.Start), show(win.End), "closes at", w.Due(win.Start).Time().Format("15:04:05.000"))
	// Output: 10:07:00 10:12:00 closes at 10:12:00.001
}

func ExampleSessionKeySerde() {
	codec, err := windowing.SessionKeySerde(serde.String).Bind(serde.Use{Role: serde.Key, Name: "visits"})
	if err != nil {
		fmt.Println(err)
		return
	}
	win := windowing.Window{Start: clock("10:05:00"), End: clock("10:07:00")}
	encoded, _ := codec.Append(nil, windowing.Key[string]{Key: "a", Window: win})
	fmt.Printf("%x\n", encoded)
	key, _ := codec.Decode(encoded)
	fmt.Println(key.Key, show(key.Window.Start), show(key.Window.End))
	// Output:
	// 610000014d615749a00000014d615574e0
	// a 10:05:00 10:07:00
}

func ExampleNewSessionAggregation() {
	visits := windowing.SessionStore("visits", serde.Int64)
	stores, err := state.NewMemory().Open("0_0", state.Identity{ApplicationID: "example", Task: "0_0"}, []state.Spec{visits.Spec()})
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := visits.Open(task{stores})
	if err != nil {
		fmt.Println(err)
		return
	}
	agg, err := windowing.NewSessionAggregation(windowing.Session(5*time.Minute).Emit(windowing.OnUpdate), store,
		func(acc *int64, _ bool) error { *acc++; return nil },
		func(into, next *int64, _ bool) error { *into += *next; return nil },
		func(win windowing.Window, key []byte, v *int64, _ windowing.EventTime) error {
			if v == nil {
				fmt.Printf("%s [%s, %s] gone\n", key, show(win.Start), show(win.End))
				return nil
			}
			fmt.Printf("%s [%s, %s] %d\n", key, show(win.Start), show(win.End), *v)
			return nil
		})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, at := range []string{"10:00:00", "10:06:00", "10:03:00"} {
		if _, err := agg.Add([]byte("ann"), clock(at), clock("10:04:00")); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// ann [10:00:00, 10:00:00] 1
	// ann [10:06:00, 10:06:00] 1
	// ann [10:00:00, 10:00:00] gone
	// ann [10:06:00, 10:06:00] gone
	// ann [10:00:00, 10:06:00] 3
}

func ExampleNewSlidingAggregation() {
	near := windowing.SlidingStore("near", serde.Int64)
	stores, err := state.NewMemory().Open("0_0", state.Identity{ApplicationID: "example", Task: "0_0"}, []state.Spec{near.Spec()})
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := near.Open(task{stores})
	if err != nil {
		fmt.Println(err)
		return
	}
	value, err := serde.Int64.Bind(serde.Use{Role: serde.State, Name: "near"})
	if err != nil {
		fmt.Println(err)
		return
	}
	agg, err := windowing.NewSlidingAggregation(windowing.Sliding(10*time.Minute).Emit(windowing.OnClose), store, value,
		func(acc *int64, _ bool) error { *acc++; return nil },
		func(win windowing.Window, key []byte, v *int64, _ windowing.EventTime) error {
			fmt.Printf("%s [%s, %s] %d\n", key, win.Start.Time().Format("15:04:05.000"), win.End.Time().Format("15:04:05.000"), *v)
			return nil
		})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, at := range []string{"10:00:00", "10:03:00"} {
		if _, err := agg.Add([]byte("ann"), clock(at), clock(at)); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := agg.Advance(windowing.MaxTime); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ann [09:50:00.000, 10:00:00.000] 1
	// ann [09:53:00.000, 10:03:00.000] 2
	// ann [10:00:00.001, 10:10:00.001] 1
}
