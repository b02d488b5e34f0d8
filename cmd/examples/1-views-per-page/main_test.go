package main

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
)

func TestViewsArePerPage(t *testing.T) {
	d := processortest.New(t, Build, processortest.Partitions(3))
	in := processortest.Input(d, Views)
	out := processortest.Output(d, PerPage)
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

	in.Put(noon, "/home", View{Visitor: "ann"})
	in.Put(noon, "/home", View{Visitor: "bob"})
	in.Put(noon, "/about", View{Visitor: "ann"})
	out.Empty() // nothing can be seen before the commit
	d.Commit()
	if got, want := latest(out), (map[string]int64{"/home": 2, "/about": 1}); !maps.Equal(got, want) {
		t.Fatalf("first commit: %v, want %v", got, want)
	}

	in.Put(noon, "/home", View{Visitor: "ann"})
	d.Crash() // the view is read again, and counted once
	d.Commit()
	if got, want := latest(out), (map[string]int64{"/home": 3}); !maps.Equal(got, want) {
		t.Fatalf("after the crash: %v, want %v: only what changed", got, want)
	}
}

func TestViewsAreCountedExactlyOnce(t *testing.T) {
	processortest.CheckExactlyOnce(t, Build, func(d *processortest.Driver) {
		in := processortest.Input(d, Views)
		for i := range 300 {
			in.Put(time.UnixMilli(int64(i)), fmt.Sprintf("/%d", i%7), View{Visitor: "ann"})
		}
	}, processortest.Partitions(3))
}

func latest(out *processortest.OutputTopic[string, int64]) map[string]int64 {
	views := map[string]int64{}
	for _, r := range out.Drain() {
		views[r.Key] = r.Value
	}
	return views
}
