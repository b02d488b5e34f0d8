package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
	"github.com/millrace/millrace/processor/stream"
)

func noon() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

func TestLateClicksGoElsewhere(t *testing.T) {
	d := processortest.New(t, Build, processortest.Partitions(3))
	in := processortest.Input(d, Clicks)
	out := processortest.Output(d, PerMinute)
	late := processortest.Output(d, Late)
	click := func(after time.Duration) {
		at := noon().Add(after)
		in.Put(at, "ann", Click{URL: "/buy", At: at})
	}

	click(10 * time.Second)
	click(69 * time.Second) // watermark 12:00:59: the first minute is open
	click(20 * time.Second) // out of order, still in time
	d.Commit()
	out.Empty()

	click(40 * time.Second)
	d.Crash()               // before its commit: the click is read again, and counted once
	click(70 * time.Second) // watermark 12:01:00: the first minute is over
	d.Commit()
	got := out.Drain()
	if len(got) != 1 || got[0].Key.Key != "ann" || got[0].Value != 3 || !got[0].Key.Window.Start.Time().Equal(noon()) {
		t.Fatalf("the first minute: %+v, want 3 clicks of ann", got)
	}
	late.Empty()

	click(59 * time.Second)
	d.Commit()
	out.Empty()
	refused := late.Drain()
	if len(refused) != 1 || !refused[0].Time.Equal(noon().Add(59*time.Second)) || d.Dropped(stream.Late) != 1 {
		t.Fatalf("late clicks: %+v, want the one of 12:00:59", refused)
	}
	for _, h := range refused[0].Headers {
		if want := fmt.Sprint(noon().Add(time.Minute).UnixMilli()); h.Key == stream.HeaderLateWindowEnd && string(h.Value) != want {
			t.Errorf("%s: %s, want %s", h.Key, h.Value, want)
		}
	}

	d.AdvanceTo(noon().Add(2 * time.Minute)) // nobody clicks, but time passes
	d.Commit()
	if got := out.Drain(); len(got) != 1 || got[0].Value != 2 {
		t.Fatalf("the second minute: %+v, want 2 clicks", got)
	}
}

func TestClicksAreCountedExactlyOnce(t *testing.T) {
	processortest.CheckExactlyOnce(t, Build, func(d *processortest.Driver) {
		in := processortest.Input(d, Clicks)
		for i := range 300 {
			at := noon().Add(time.Duration(i) * time.Second)
			if i%10 == 0 {
				at = at.Add(-90 * time.Second) // some of these are late
			}
			in.Put(at, fmt.Sprintf("user-%d", i%5), Click{At: at})
		}
	}, processortest.Partitions(3))
}
