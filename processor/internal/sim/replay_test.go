//go:build synctests

package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/worker"
)

// replays is how often TestReplay runs over one input.
const replays = 20

// TestReplay runs over one input again and again, as a bounded run, with other
// batch sizes, numbers of instances and of processes on each, fetch speeds,
// intervals and faults. The final output is the same each time: to the last
// byte of each partition where there is no repartition, of each key where there
// is one; behind it late records are the same as multisets.
func TestReplay(t *testing.T) {
	input := uint64(number64(t, "FROM", defaultFrom))
	for name, c := range map[string]struct {
		workloads []string
		digest    func(topic string, p int32, records []*kgo.Record, into map[string]string)
	}{
		"one stage":  {[]string{countEach, countWindows, mapEach}, byPartition},
		"two stages": {[]string{regroup, chain}, byKey},
	} {
		t.Run(name, func(t *testing.T) {
			var first map[string]string
			for n := range replays {
				o := replayed(input, uint64(n), c.workloads)
				r := simulate(t, o, worker.Faults{}, nil)
				if len(r.violations) > 0 {
					t.Fatalf("run %d: %s", n, report(t, r))
				}
				got := map[string]string{}
				for at, records := range r.log {
					if slices.Contains(outputs(c.workloads), at.topic) {
						c.digest(at.topic, at.partition, records, got)
					}
				}
				if first == nil {
					first = got
				}
				differ(t, n, o, first, got)
			}
			fmt.Printf("replay: %s: %d runs, %d %s\n", name, replays, len(first), "sequences equal")
		})
	}
}

func outputs(workloads []string) (all []string) {
	topics := map[string][]string{
		countEach: {countsTopic}, countWindows: {finalsTopic, finalsLateTopic}, mapEach: {mappedTopic},
		regroup: {regroupTopic, regroupLateTopic}, chain: {chainTopic, chainLateTopic, chainLate2Topic},
	}
	for _, w := range workloads {
		all = append(all, topics[w]...)
	}
	return all
}

// replayed are the options of run n over an input: everything but the input and
// what decides about the results comes from another seed.
func replayed(input, n uint64, workloads []string) Options {
	base, o := draw(input), draw(input*1000+n)
	o.Input, o.Records, o.Keys, o.Down, o.Bound, o.Grace, o.Size, o.Advance = input, base.Records, base.Keys, 3, base.Bound, base.Grace, base.Size, base.Advance
	o.Workloads, o.Shared, o.Trouble, o.Behind, o.InputTxn = workloads, true, false, base.Behind, base.InputTxn
	o.Bounded, o.Hollow, o.Quiet, o.Preload, o.Clocked, o.Idle = true, base.Hollow, false, false, false, 0
	o.Hosts = 1 + int(n)%4
	return o
}

// byPartition is a partition with all its records, in order.
func byPartition(topic string, p int32, records []*kgo.Record, into map[string]string) {
	var all []string
	for _, r := range records {
		all = append(all, line(r))
	}
	into[fmt.Sprintf("%s/%d", topic, p)] = strings.Join(all, "\n")
}

// byKey are the keys of a partition, each with its records: final ones in
// order, late ones as a multiset.
func byKey(topic string, p int32, records []*kgo.Record, into map[string]string) {
	keys := map[string][]string{}
	for _, r := range records {
		key := fmt.Sprintf("%s/%d %q", topic, p, r.Key)
		keys[key] = append(keys[key], line(r))
	}
	for key, all := range keys {
		if strings.Contains(topic, "late") {
			slices.Sort(all)
		}
		into[key] = strings.Join(all, "\n")
	}
}

func line(r *kgo.Record) string {
	return fmt.Sprintf("%q %q %v %q", r.Key, r.Value, r.Timestamp.UnixMilli(), r.Headers)
}

func differ(t *testing.T, n int, o Options, want, got map[string]string) {
	t.Helper()
	for _, at := range slices.Sorted(maps.Keys(want)) {
		if got[at] != want[at] {
			t.Fatalf("run %d: %s is\n%s\nand was\n%s\noptions: %s", n, at, got[at], want[at], o)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("run %d: output in %d places, there were %d", n, len(got), len(want))
	}
}

// TestFarFuture runs over one input with and without a record of the year 2085:
// only the dead letter that says so is new.
func TestFarFuture(t *testing.T) {
	for seed := range uint64(3) {
		var want map[string]string
		for _, far := range []bool{false, true} {
			o := quiet(seed + 1)
			o.twoStages()
			o.Bounded, o.Far = true, far
			o.Calm = 20 * time.Second
			r := simulate(t, o, worker.Faults{}, nil)
			if len(r.violations) > 0 {
				t.Fatal(report(t, r))
			}
			got, futures := map[string]string{}, 0
			for at, records := range r.log {
				switch {
				case slices.Contains(outputs(o.Workloads), at.topic):
					byKey(at.topic, at.partition, records, got)
				case at.topic == deadTopic:
					futures += len(records)
				}
			}
			if !far {
				want = got
				continue
			}
			if futures != o.Partitions {
				t.Errorf("seed %d: %d dead letters, want %d", seed, futures, o.Partitions)
			}
			differ(t, 1, o, want, got)
		}
	}
}
