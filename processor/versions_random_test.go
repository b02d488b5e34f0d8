package processor_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
)

// A drawnVersion says behind which GroupBy each store is; "" is behind the source, and a store that is not
// in it is away.
type drawnVersion map[string]string

func drawVersion(r *rand.Rand) drawnVersion {
	v := drawnVersion{}
	for _, store := range []string{"m", "n"} {
		switch r.IntN(9) {
		case 0, 1, 2:
			v[store] = "one"
		case 3, 4, 5:
			v[store] = "two"
		case 6:
			v[store] = ""
		}
	}
	return v
}

func (v drawnVersion) build(b *stream.Builder) {
	in := stream.From(b, deployIn)
	stream.To(in, stream.Topic[string, string]{Name: "side", Key: serde.String, Value: serde.String})
	groups := map[string]stream.Grouped[string, string]{}
	for _, store := range []string{"m", "n"} {
		by, ok := v[store]
		if !ok {
			continue
		}
		if _, ok := groups[by]; !ok && by != "" {
			groups[by] = stream.GroupBy(by, in, func(k, _ string) string { return k }, serde.String, serde.String)
		} else if by == "" {
			groups[by] = stream.GroupByKey(in)
		}
		named := stream.Map(stream.Count(store, groups[by]).Changes(), func(k string, n int64) (string, int64) { return store + ":" + k, n }, stream.Name("as-"+store))
		stream.To(named, deployOut, stream.Name("out-"+store))
	}
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
		for _, by := range v { // tasks that were not refused may have brought up what they write
			w.written[by] = unsure
		}
		return
	}
	w.told = append(w.told, fmt.Sprintf("%v early %v", v, early))
	for store, by := range v {
		if _, ok := w.born[store]; ok {
			continue
		}
		w.born[store] = w.reached
		if at, ok := w.written[by]; ok && by != "" { // what was missed goes into the topic first
			w.born[store] = at
		}
		if early || w.reached == unsure {
			w.born[store] = unsure
		}
	}
	w.now, w.reached = v, w.sent
	for _, by := range v {
		w.written[by] = w.sent
	}
	if early {
		w.reached = unsure
		for _, by := range v {
			w.written[by] = unsure
		}
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
	for seed := range uint64(max(seeds, 12)) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			w := newVersionWalk(t, seed)
			for range 7 {
				w.step(drawVersion(w.r))
			}
			if w.now == nil {
				return
			}
			w.hasty = -1
			w.end()
			if err := w.deploy(w.now.build); err != nil {
				t.Fatalf("%q: again %v: %v", w.told, w.now, err)
			}
			for store := range w.now {
				if got, want := w.counted(store), w.sent-1-w.born[store]; got != want && w.born[store] != unsure {
					t.Errorf("%q: store %s has counted %d, want %d", w.told, store, got, want)
				}
			}
		})
	}
}

// A store that is new in a task whose repartition topic is brought up first begins behind that.
func TestANewStoreWhileATopicIsBroughtUp(t *testing.T) {
	t.Parallel()
	for _, lose := range []bool{false, true} {
		r := newRig(t, lose)
		for _, v := range []drawnVersion{{"m": "two"}, {}, {"m": "two", "n": ""}, {"m": "two", "n": ""}} {
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
