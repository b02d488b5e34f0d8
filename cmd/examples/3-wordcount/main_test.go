package main

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/millrace/millrace/processor/processortest"
)

func TestWordsOfAllLinesComeTogether(t *testing.T) {
	d := processortest.New(t, Build, processortest.Partitions(3))
	in := processortest.Input(d, Lines)
	out := processortest.Output(d, Counts)
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

	in.Put(noon, "hamlet", "To be or not to be")
	in.Put(noon, "kant", "to do is to be")
	d.Crash()
	d.Commit()
	got := map[string]int64{}
	for _, r := range out.Drain() {
		got[r.Key] = r.Value
	}
	if want := (map[string]int64{"to": 4, "be": 3, "or": 1, "not": 1, "do": 1, "is": 1}); !maps.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestWordsAreCountedExactlyOnce(t *testing.T) {
	processortest.CheckExactlyOnce(t, Build, func(d *processortest.Driver) {
		in := processortest.Input(d, Lines)
		for i := range 200 {
			in.Put(time.UnixMilli(int64(i)), fmt.Sprint(i), fmt.Sprintf("w%d w%d all", i%7, i%3))
		}
	}, processortest.Partitions(3))
}
