package processor_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/windowing"
)

// A drawnVersion has stores by name; one that is not in it is away.
type drawnVersion map[string]drawnStore

// A drawnStore counts behind a GroupBy of that name, or behind the source where it is "": all of a key, or
// what is in each window of it.
type drawnStore struct {
	by      string
	chain   bool // another GroupBy, which keeps its name, is between
	windows bool
	emit    windowing.Emit
}

// drawVersion draws one; stores have windows or not for the length of a walk.
func drawVersion(r *rand.Rand, windows, chain bool) drawnVersion {
	v := drawnVersion{}
	for _, name := range []string{"m", "n"} {
		store := drawnStore{chain: chain, windows: windows, emit: windowing.Emit(r.IntN(3))}
		if !windows {
			store.emit = windowing.OnCommit
		}
		switch r.IntN(9) {
		case 0, 1, 2:
			store.by = "one"
		case 3, 4, 5:
			store.by = "two"
		case 7, 8:
			continue
		}
		v[name] = store
	}
	return v
}

func (v drawnVersion) build(b *stream.Builder) {
	in := stream.From(b, deployIn)
	stream.To(in, stream.Topic[string, string]{Name: "side", Key: serde.String, Value: serde.String})
	groups := map[string]stream.Grouped[string, string]{"": stream.GroupByKey(in)}
	chained := map[string]stream.Stream[string, string]{}
	for _, name := range []string{"m", "n"} {
		store, ok := v[name]
		if !ok {
			continue
		}
		if _, ok := groups[store.by]; !ok && !store.chain {
			groups[store.by] = stream.GroupBy(store.by, in, func(k, _ string) string { return k }, serde.String, serde.String)
		}
		of := groups[store.by]
		if store.chain && store.by != "" {
			if _, ok := chained[store.by]; !ok {
				chained[store.by] = stream.Repartition(store.by, in, serde.String, serde.String)
			}
			of = stream.GroupBy("outer-"+name, chained[store.by], func(k, _ string) string { return k }, serde.String, serde.String)
		}
		stream.To(store.count(name, of), deployOut, stream.Name("out-"+name))
	}
}

func (s drawnStore) count(name string, of stream.Grouped[string, string]) stream.Stream[string, int64] {
	if !s.windows {
		counts := stream.Count(name, of, stream.Emit(s.emit)).Changes()
		return stream.Map(counts, func(k string, n int64) (string, int64) { return name + ":" + k, n }, stream.Name("as-"+name))
	}
	minutes := windowing.Tumbling(time.Minute).Grace(time.Hour).Emit(s.emit) // nothing is late by so much
	counts := stream.CountWindows(name, stream.Window(of, minutes)).Results
	return stream.Map(counts, func(k windowing.Key[string], n int64) (string, int64) {
		return fmt.Sprint(name, ":", k.Key, "@", k.Window.Start), n
	}, stream.Name("as-"+name))
}

// A versionWalk is an application whose versions follow on one another at random, and what is known of it.
type versionWalk struct {
	*rig
	r       *rand.Rand
	now     drawnVersion   // what runs
	reached int            // how many records it had read when that was stopped
	born    map[string]int // of each store: behind how many records it begins; unsure if that is not known
	written map[string]int // of each repartition topic: up to where it was written
	told    []string
}

const unsure = -1

func newVersionWalk(t *testing.T, seed uint64) *versionWalk {
	r := rand.New(rand.NewPCG(seed, 9))
	return &versionWalk{rig: newRigOf(t, false, 1+r.Int32N(2)), r: r, born: map[string]int{}, written: map[string]int{}}
}

// step deploys another version behind some records.
func (w *versionWalk) step(v drawnVersion) {
	w.t.Helper()
	w.put(1 + w.r.IntN(20))
	w.lose = w.r.IntN(3) == 0
	if w.hasty = -1; w.r.IntN(4) == 0 {
		w.hasty = 1 + w.r.IntN(3)
	}
	early := w.hasty > 0
	if err := w.deploy(v.build); err != nil {
		if !strings.Contains(err.Error(), "millrace reset") {
			w.t.Fatalf("%q, then %v: %v", w.told, v, err)
		}
		w.told = append(w.told, fmt.Sprintf("refused %v", v))
		for _, store := range v { // tasks that were not refused may have brought up what they write
			w.written[store.by] = unsure
		}
		return
	}
	w.told = append(w.told, fmt.Sprintf("%v early %v", v, early))
	for name, store := range v {
		if _, ok := w.born[name]; ok {
			continue
		}
		w.born[name] = w.reached
		if at, ok := w.written[store.by]; ok && store.by != "" { // what was missed goes into the topic first
			w.born[name] = at
		}
		if early || w.reached == unsure {
			w.born[name] = unsure
		}
	}
	w.now, w.reached = v, w.sent
	if early {
		w.reached = unsure
	}
	for _, store := range v {
		w.written[store.by] = w.reached
	}
}

// endAll closes all windows but those of its own records.
func (w *versionWalk) endAll() {
	w.t.Helper()
	for _, p := range w.broker.PartitionInfos("in") {
		w.sendAt(p.Partition, "end", "{}", w.at.Add(24*time.Hour).UnixMilli())
	}
}

// counted is what a store has counted.
func (w *versionWalk) counted(store string) (sum int) {
	w.t.Helper()
	for _, p := range w.broker.PartitionInfos("out") {
		for k, n := range w.lastIn("out", p.Partition) {
			if !strings.HasPrefix(k, `"`+store+":k") {
				continue
			}
			x, err := strconv.Atoi(n)
			if err != nil {
				w.t.Fatal(err)
			}
			sum += x
		}
	}
	return sum
}

// TestVersionsAtRandom: whatever versions follow on one another, each is refused or counts every record since its store
// was first there. VERSIONS in the environment is how many walks there are.
func TestVersionsAtRandom(t *testing.T) {
	seeds, _ := strconv.Atoi(os.Getenv("VERSIONS"))
	least := 12
	if testing.Short() {
		least = 3
	}
	for seed := range uint64(max(seeds, least)) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			w, windows, chain := newVersionWalk(t, seed), seed%2 == 1, seed%3 == 2
			for range 7 {
				w.step(drawVersion(w.r, windows, chain))
			}
			if w.now == nil {
				return
			}
			w.hasty = -1
			w.endAll()
			switch err := w.deploy(w.now.build); {
			case err != nil && w.reached == unsure: // stopped before all of its tasks were let in
				return
			case err != nil:
				t.Fatalf("%q: again %v: %v", w.told, w.now, err)
			}
			for store := range w.now {
				if got, want := w.counted(store), w.sent-w.born[store]; got != want && w.born[store] != unsure {
					t.Errorf("%q: store %s has counted %d, want %d", w.told, store, got, want)
				}
			}
		})
	}
}

// A store that is new in a task whose repartition topic is brought up first begins behind that.
func TestANewStoreWhileATopicIsBroughtUp(t *testing.T) {
	t.Parallel()
	for _, lose := range disks() {
		r := newRig(t, lose)
		for _, v := range []drawnVersion{{"m": {by: "two"}}, {}, {"m": {by: "two"}, "n": {}}, {"m": {by: "two"}, "n": {}}} {
			r.put(nextRecords)
			if err := r.deploy(v.build); err != nil {
				t.Fatal(err)
			}
		}
		w := versionWalk{rig: r}
		if m, n := w.counted("m"), w.counted("n"); m != 4*nextRecords || n != 2*nextRecords {
			t.Errorf("disk lost %v: m has counted %d and n %d, want %d and %d", lose, m, n, 4*nextRecords, 2*nextRecords)
		}
	}
}

// A store that has followed one repartition topic does not go on behind another one that was written at the same time,
// also where nobody has committed an offset in that.
func TestAStoreBehindATopicWrittenBeside(t *testing.T) {
	t.Parallel()
	for _, away := range []bool{false, true} {
		r := newRig(t, false)
		versions := []drawnVersion{{"m": {by: "one"}, "n": {by: "two"}}, {"m": {by: "one"}}}
		if !away {
			versions = versions[:1]
		}
		for _, v := range versions {
			r.put(nextRecords)
			if err := r.deploy(v.build); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := kadm.NewClient(r.client).DeleteOffsets(t.Context(), "app", kadm.TopicsSet{"app-two-repartition": {0: {}}}); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, r.deploy(drawnVersion{"m": {by: "two"}}.build), `store "m"`, "app-one-repartition", "app-two-repartition", `topic "in" partition 0`, "at the same time", "millrace reset")
		if err := r.deploy(drawnVersion{"m": {by: "three"}}.build); err != nil {
			t.Fatal(err)
		}
		if w := (versionWalk{rig: r}); w.counted("m") != r.sent {
			t.Errorf("away %v: m has counted %d, want %d", away, w.counted("m"), r.sent)
		}
	}
}
