package state

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// A journaled is a task's stores of all kinds: values that a copy can stand for, and values with memory of their own.
type journaled struct {
	stores *Stores
	flat   *KeyValueStore[string, int64]
	deep   *KeyValueStore[string, []int64]
	wins   *WindowStore[int64]
	ends   [][]int64 // of the changelogs, behind each pending commit
}

// prepare makes a commit, which is pending then, and returns its entries.
func (j *journaled) prepare(t *testing.T) (all []string) {
	t.Helper()
	entries, err := j.stores.Prepare(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	end := make([]int64, len(j.stores.stores))
	for i, st := range j.stores.stores {
		if end[i] = st.next; len(j.ends) > 0 {
			end[i] = j.ends[len(j.ends)-1][i]
		}
	}
	for _, e := range entries {
		end[e.Store]++
		all = append(all, fmt.Sprintf("%d %q=%q", e.Store, e.Key, e.Value))
	}
	j.ends = append(j.ends, end)
	return all
}

// apply applies the oldest pending commit.
func (j *journaled) apply(t *testing.T) {
	t.Helper()
	if err := j.stores.Apply(j.ends[0], 1000); err != nil {
		t.Fatal(err)
	}
	j.ends = j.ends[1:]
}

func newJournaled(t *testing.T) *journaled {
	t.Helper()
	j := &journaled{stores: openSpecs(t, NewMemory(), Spec{Name: "flat", Kind: KeyValue}, Spec{Name: "deep", Kind: KeyValue}, Spec{Name: "w", Kind: Window})}
	o := opener{j.stores}
	var errs [3]error
	j.flat, errs[0] = KV[string, int64]{Name: "flat", Key: serde.String, Value: serde.Int64}.Open(o)
	j.deep, errs[1] = KV[string, []int64]{Name: "deep", Key: serde.String, Value: serde.JSON[[]int64]()}.Open(o)
	j.wins, errs[2] = Windowed[int64]{Name: "w", Value: serde.Int64}.Open(o)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return j
}

// change does what a record may do, as seed says.
func (j *journaled) change(t *testing.T, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 1 + r.IntN(4) {
		key := fmt.Sprintf("key-%d", r.IntN(30))
		switch r.IntN(8) {
		case 0:
			must(j.flat.Put(key, r.Int64()))
		case 1:
			must(j.flat.Delete(key))
		case 2:
			v, _, err := j.flat.Slot([]byte(key))
			must(err)
			*v++
		case 3:
			must(j.deep.Put(key, []int64{r.Int64N(100)}))
		case 4:
			must(j.deep.Delete(key))
		case 5, 6:
			v, _, err := j.deep.Slot([]byte(key))
			must(err)
			if len(*v) > 0 {
				(*v)[0] += 7 // in place
			}
			*v = append(*v, r.Int64N(100))
		default:
			v, _, err := j.wins.Slot(int64(j.stores.writes/500*10)+10*r.Int64N(4), []byte(key))
			must(err)
			*v++
		}
	}
	if r.IntN(6) == 0 {
		j.flat.SetClosing(r.Int64())
	}
	if r.IntN(6) == 0 {
		j.flat.SetBelow(r.Int64())
	}
}

// shown is everything that can be seen of the stores.
func (j *journaled) shown(t *testing.T) string {
	t.Helper()
	s := fmt.Sprintf("dirty %d starts %v\n", j.stores.DirtyBytes(), j.wins.Starts())
	for _, st := range j.stores.stores {
		s += fmt.Sprintf("closing %v\n", st.closing)
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(j.flat.EachDirty(func(k []byte, v *int64, gone bool) error { s += fmt.Sprintf("%s %d %v\n", k, *v, gone); return nil }))
	must(j.deep.EachDirty(func(k []byte, v *[]int64, gone bool) error { s += fmt.Sprintf("%s %d %v\n", k, *v, gone); return nil }))
	must(j.wins.EachDirty(func(at int64, k []byte, v *int64) error { s += fmt.Sprintf("%d %s %d\n", at, k, *v); return nil }))
	for k, v := range j.flat.All() {
		s += fmt.Sprintf("%s=%d\n", k, v)
	}
	for k, v := range j.deep.All() {
		s += fmt.Sprintf("%s=%d\n", k, v)
	}
	for _, at := range append([]int64(nil), j.wins.Starts()...) {
		must(j.wins.Each(at, func(k []byte, v *int64) error { s += fmt.Sprintf("%d %s=%d\n", at, k, *v); return nil }))
	}
	return s
}

// counted is what a table says of itself, computed from its entries.
func counted[V any](t *table[V]) (absent, values, dirty int, noted bool) {
	for _, e := range t.entries {
		if e.flags&flagAbsent != 0 {
			absent++
		}
		if e.flags&flagDirty != 0 {
			dirty++
		}
		values += int(e.size)
		noted = noted || e.flags&flagNoted != 0
	}
	return absent, values, dirty, noted
}

func checkCounts[V any](t *testing.T, x *table[V]) {
	t.Helper()
	absent, values, dirty, noted := counted(x)
	if absent != x.absent || values != x.values || dirty != len(x.dirty) || noted {
		t.Fatalf("the table says %d absent, %d bytes, %d dirty; there are %d, %d, %d; noted: %v", x.absent, x.values, len(x.dirty), absent, values, dirty, noted)
	}
}

// TestUndoLeavesNoTrace compares stores in which every third change is taken back with stores that never saw it:
// what they show, what they encode, and what they count, over commits that are pending, applied and discarded.
func TestUndoLeavesNoTrace(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 9))
		with, without := newJournaled(t), newJournaled(t)
		for n := range uint64(400) {
			change := seed<<32 + n
			switch {
			case n%3 == 0:
				with.stores.Mark()
				with.change(t, change)
				if err := with.stores.Undo(); err != nil {
					t.Fatal(err)
				}
				checkCounts(t, &with.flat.table)
				checkCounts(t, &with.deep.table)
				for _, win := range with.wins.windows {
					if win.table != nil {
						checkCounts(t, win.table)
					}
				}
			case n%3 == 1:
				with.stores.Mark()
				with.change(t, change)
				with.stores.Keep()
				without.change(t, change)
			default:
				with.change(t, change)
				without.change(t, change)
			}
			switch r.IntN(40) {
			case 0, 1, 2:
				if with.stores.pending == PendingCommits || with.stores.pending > 0 && r.IntN(2) == 0 {
					with.apply(t)
					without.apply(t)
				}
				if a, b := with.prepare(t), without.prepare(t); !reflect.DeepEqual(a, b) {
					t.Fatalf("seed %d change %d: the commits differ: %v, without %v", seed, n, a, b)
				}
			case 3:
				with.ends, without.ends = nil, nil
				with.stores.Discard()
				without.stores.Discard()
			}
			with.wins.stores.writes = without.wins.stores.writes // the windows of change follow it
			if n%7 == 0 {
				if a, b := with.shown(t), without.shown(t); a != b {
					t.Fatalf("seed %d change %d: with what was taken back\n%s\nwithout\n%s", seed, n, a, b)
				}
			}
		}
	}
}

// A shy codec cannot encode one value.
type shy struct{}

func (shy) Append(dst []byte, v []byte) ([]byte, error) {
	if string(v) == "shy" {
		panic("shy")
	}
	if string(v) == "short" {
		return nil, nil
	}
	return append(dst, v...), nil
}

func (shy) Decode(src []byte) ([]byte, error) {
	if string(src) == "blind" {
		panic("blind")
	}
	return append([]byte(nil), src...), nil
}

// TestUndoSaysWhatItCannotTakeBack: a value whose codec panics when it is noted, or when it is taken back. The change itself
// is not disturbed by that.
func TestUndoSaysWhatItCannotTakeBack(t *testing.T) {
	for _, value := range []string{"shy", "blind"} {
		testCannotTakeBack(t, value)
	}
}

func testCannotTakeBack(t *testing.T, value string) {
	t.Helper()
	s := openSpecs(t, NewMemory(), Spec{Name: "kv", Kind: KeyValue})
	kv, err := KV[string, []byte]{Name: "kv", Key: serde.String, Value: serde.Of[[]byte](shy{})}.Open(opener{s})
	if err != nil {
		t.Fatal(err)
	}
	if err := kv.Put("k", []byte(value)); err != nil {
		t.Fatal(err)
	}
	s.Mark()
	if err := kv.Put("k", []byte("bold")); err != nil {
		t.Fatal(err)
	}
	if err := s.Undo(); err == nil || !strings.Contains(err.Error(), `store "kv"`) || !strings.Contains(err.Error(), value) {
		t.Errorf("%s: taken back, or not told: %v", value, err)
	}
	if err := kv.Put("k", []byte("fine")); err != nil {
		t.Fatal(err)
	}
	s.Mark()
	if err := kv.Put("k", []byte("bolder")); err != nil {
		t.Fatal(err)
	}
	if err := s.Undo(); err != nil {
		t.Errorf("the next savepoint: %v", err)
	}
}

// TestUndoSaysWhichCodecDoesNotAppend: there is no error of its own to tell.
func TestUndoSaysWhichCodecDoesNotAppend(t *testing.T) {
	s := openSpecs(t, NewMemory(), Spec{Name: "kv", Kind: KeyValue})
	kv, err := KV[string, []byte]{Name: "kv", Key: serde.String, Value: serde.Of[[]byte](shy{})}.Open(opener{s})
	if err != nil {
		t.Fatal(err)
	}
	put := func(key, value string) {
		if err := kv.Put(key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	put("a", "fine")
	put("b", "short")
	s.Mark()
	put("a", "bold")
	put("b", "bold")
	if err := s.Undo(); !errors.Is(err, ErrEncode) || !strings.Contains(err.Error(), `store "kv"`) || strings.Contains(err.Error(), "%!") {
		t.Errorf("the error is %v", err)
	}
}

// TestASavepointCostsWhatIsTouched: nothing of a store is noted before it changes, and then once is enough.
func TestASavepointCostsWhatIsTouched(t *testing.T) {
	j := newJournaled(t)
	j.stores.Mark()
	noted := &j.stores.journal
	if len(noted.closings) > 0 || len(noted.overlays) > 0 {
		t.Fatalf("noted at once: %+v", noted)
	}
	for range 3 {
		j.flat.SetClosing(7)
		j.wins.Drop(10)
		if err := j.flat.Put("k", 1); err != nil {
			t.Fatal(err)
		}
	}
	if len(noted.closings) != 2 || len(noted.overlays) != 1 {
		t.Errorf("%d closings and %d stores are noted, want 2 and 1", len(noted.closings), len(noted.overlays))
	}
	if err := j.stores.Undo(); err != nil {
		t.Fatal(err)
	}
	for _, st := range j.stores.stores {
		if st.closing != noClosing {
			t.Errorf("store %q: the closing %v was not taken back", st.spec.Name, st.closing)
		}
	}
}
