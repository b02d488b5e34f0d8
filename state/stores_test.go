package state

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
)

type opener struct{ s *Stores }

func (o opener) Stores() *Stores { return o.s }

func testSpecs() []Spec { return []Spec{{Name: "kv", Kind: KeyValue}, {Name: "w", Kind: Window}} }

func open(tb testing.TB, storage Storage) *Stores {
	tb.Helper()
	return openSpecs(tb, storage, testSpecs()...)
}

func openSpecs(tb testing.TB, storage Storage, specs ...Spec) *Stores {
	tb.Helper()
	s, err := storage.Open("0_0", Identity{ApplicationID: "app", Task: "0_0"}, specs)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func openKV(s *Stores) (*KeyValueStore[string, string], error) {
	return KV[string, string]{Name: "kv", Key: serde.String, Value: serde.String}.Open(opener{s})
}

func openWindows(tb testing.TB, s *Stores) *WindowStore[int64] {
	tb.Helper()
	w, err := Windowed[int64]{Name: "w", Value: serde.Int64}.Open(opener{s})
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

// commitAll prepares and applies, and returns the entries' records by store.
func commitAll(tb testing.TB, s *Stores, p Position) map[int][]ChangelogRecord {
	tb.Helper()
	entries, err := s.Prepare(p.Inputs, p.Run)
	if err != nil {
		tb.Fatal(err)
	}
	next, records := make([]int64, len(s.stores)), map[int][]ChangelogRecord{}
	for i, st := range s.stores {
		next[i] = st.next
	}
	for _, e := range entries {
		next[e.Store]++
		records[e.Store] = append(records[e.Store], ChangelogRecord{slices.Clone(e.Key), slices.Clone(e.Value)})
	}
	if err := s.Apply(next, 1000); err != nil {
		tb.Fatal(err)
	}
	return records
}

func fillKeyValue(tb testing.TB, s *Stores, n int) {
	tb.Helper()
	kv, err := openKV(s)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range n {
		if err := kv.Put(fmt.Sprintf("key-%d", i), fmt.Sprintf("value-%d", i*i)); err != nil {
			tb.Fatal(err)
		}
	}
	commitAll(tb, s, Position{Run: "r"})
}

func at(offset int64) Position {
	return Position{Inputs: []Input{{Topic: "in", Offset: offset, Watermark: offset - 1}}}
}

func TestMisuseIsRefused(t *testing.T) {
	s := open(t, NewMemory())
	kv, err := openKV(s)
	if err != nil {
		t.Fatal(err)
	}
	w := openWindows(t, s)
	if err := s.Apply([]int64{1, -1}, 0); err == nil {
		t.Error("Apply without Prepare")
	}
	if _, err := s.Prepare(at(1).Inputs, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply([]int64{1}, 0); err == nil {
		t.Error("Apply with one offset for two stores")
	}
	if err := s.Apply([]int64{-1, -1}, 0); err == nil {
		t.Error("Apply without the offset of the position record")
	}
	if err := s.Restore("kv", nil, 5); err == nil {
		t.Error("Restore over a pending commit")
	}
	if err := s.FinishRestore(); err == nil {
		t.Error("FinishRestore over a pending commit")
	}
	if err := kv.Put("k", "v"); err != nil {
		t.Fatal(err)
	}
	s.Discard()
	w.Drop(10)
	if err := s.Restore("w", nil, 5); err == nil {
		t.Error("Restore over a drop that is not committed")
	}
	s.Discard()
	if err := s.Restore("x", nil, 5); err == nil {
		t.Error("Restore of an unknown store")
	}
	if err := s.Restore("kv", nil, 5); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore("kv", nil, 4); err == nil {
		t.Error("Restore backwards")
	}
	if _, err := s.Prepare(at(1).Inputs, ""); err == nil {
		t.Error("Prepare in the middle of a restore")
	}
	if err := errors.Join(s.FinishRestore(), s.Close(true)); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"Put": kv.Put("other", "v"), "FinishRestore": s.FinishRestore(), "Restore": s.Restore("kv", nil, 9),
		"Apply": s.Apply(nil, 0), "All": all(kv),
	} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", name, err)
		}
	}
}

func all(kv *KeyValueStore[string, string]) error {
	for range kv.All() {
		continue
	}
	return kv.Err()
}

func TestPrepareOfNothing(t *testing.T) {
	s := open(t, NewMemory())
	if records := commitAll(t, s, at(1)); len(records[0]) != 1 || len(records[1]) != 1 {
		t.Fatalf("a new position gave %v", records)
	}
	if records := commitAll(t, s, at(1)); len(records) != 0 {
		t.Errorf("the same position again gave %v", records)
	}
	stateless := openSpecs(t, NewMemory())
	entries, err := stateless.Prepare(at(1).Inputs, "")
	if err != nil || len(entries) != 0 {
		t.Errorf("without stores: %v, %v", entries, err)
	}
}

func TestCodecErrorsAreNotCorruption(t *testing.T) {
	storage := NewMemory()
	s := open(t, storage)
	fillKeyValue(t, s, 1)
	closeAll(t, closer{s})
	s = open(t, storage)
	kv, err := KV[string, int64]{Name: "kv", Key: serde.String, Value: serde.Int64}.Open(opener{s})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = kv.Get("key-0")
	if err == nil || errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), `"kv"`) {
		t.Errorf("Get with another serde: %v", err)
	}
	for range kv.All() {
		t.Error("All shows something")
	}
	if kv.Err() == nil {
		t.Error("All with another serde has no error")
	}
	if err := kv.Put("key-0", 1); err != nil {
		t.Errorf("the store is unusable after an error of a codec: %v", err)
	}
	if _, err := openKV(s); err == nil {
		t.Error("one store was opened with two types")
	}
}

func TestOpenRefuses(t *testing.T) {
	s := open(t, NewMemory())
	_, unknown := KV[string, string]{Name: "x", Key: serde.String, Value: serde.String}.Open(opener{s})
	_, kind := Windowed[int64]{Name: "kv", Value: serde.Int64}.Open(opener{s})
	_, noSerde := KV[string, string]{Name: "kv", Key: serde.String}.Open(opener{s})
	_, stateless := KV[string, string]{Name: "kv"}.Open(opener{})
	for name, err := range map[string]error{"unknown": unknown, "kind": kind, "no serde": noSerde, "stateless": stateless} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, specs := range map[string][]Spec{
		"illegal name": {{Name: "a/b", Kind: KeyValue}}, "no name": {{Name: "", Kind: KeyValue}}, "dots": {{Name: "..", Kind: Window}}, "twice": {{Name: "a", Kind: KeyValue}, {Name: "a", Kind: Window}},
		"no kind": {{Name: "a"}}, "too long": {{Name: strings.Repeat("a", nameMax+1), Kind: KeyValue}}, "too many": make([]Spec, storesMax+1),
	} {
		if _, err := NewMemory().Open("0_0", Identity{"app", "0_0"}, specs); err == nil {
			t.Errorf("specs with %s are accepted", name)
		}
	}
	if err := LegalName(strings.Repeat("Az09._-", 14)); err != nil {
		t.Error(err)
	}
}

// Stores come and go with the topology: the rest stays, what is gone is dropped, what comes back is rebuilt.
func TestStoresOfAnotherTopology(t *testing.T) {
	storage := openDisk(t, t.TempDir())
	defer closeAll(t, storage)
	s := open(t, storage)
	fillKeyValue(t, s, 10)
	closeAll(t, closer{s})

	s = openSpecs(t, storage, Spec{Name: "a-new-first", Kind: KeyValue}, Spec{Name: "kv", Kind: KeyValue})
	if got := s.ChangelogNext("kv"); got != 11 {
		t.Errorf("ChangelogNext of the store that stayed is %d, want 11", got)
	}
	if got, _ := s.Position("kv"); got.Run != "r" {
		t.Errorf("the position of the store that stayed is gone: run %q", got.Run)
	}
	if got, ok := s.Position("a-new-first"); ok {
		t.Errorf("a new store has the position %+v", got)
	}
	commitAll(t, s, at(7))
	closeAll(t, closer{s})

	s = openSpecs(t, storage, Spec{Name: "w", Kind: Window})
	if got, ok := s.Position("w"); ok {
		t.Errorf("a store that was away on this disk has the position %+v: its changelog has to say", got)
	}
	closeAll(t, closer{s})
	s = open(t, storage)
	if got := s.ChangelogNext("kv"); got != 0 {
		t.Errorf("ChangelogNext of the store that came back is %d, want 0", got)
	}
	kv, err := openKV(s)
	if err != nil {
		t.Fatal(err)
	}
	for k := range kv.All() {
		t.Errorf("the store that came back has %q", k)
	}
	commitAll(t, s, at(8))
	closeAll(t, closer{s})
	s = openSpecs(t, storage, Spec{Name: "kv", Kind: Window}, Spec{Name: "w", Kind: Window})
	if _, ok := s.Position("kv"); ok || s.ChangelogNext("kv") != 0 {
		t.Error("a store of another kind goes on from what this disk has")
	}
}

// A store that a topology does not have for a while, as when an upgrade is undone, comes back from its changelog, which
// says how far the store had followed and which windows it had closed: these stay closed, and what came meanwhile is
// known to be missing.
func TestStoreThatWasAwaySaysHowFarItFollowed(t *testing.T) {
	storage, windows := NewMemory(), Spec{Name: "w", Kind: Window}
	s := openSpecs(t, storage, windows)
	w := openWindows(t, s)
	if _, _, err := w.Slot(0, []byte("k")); err != nil {
		t.Fatal(err)
	}
	changelog := commitAll(t, s, at(1))[0]
	w.Drop(10)
	changelog = append(changelog, commitAll(t, s, at(2))[0]...)
	want, _ := w.Closing()
	closeAll(t, closer{s})

	s = openSpecs(t, storage, Spec{Name: "kv", Kind: KeyValue})
	commitAll(t, s, at(3))
	closeAll(t, closer{s})

	s = openSpecs(t, storage, windows, Spec{Name: "kv", Kind: KeyValue})
	if err := s.Restore("w", changelog, int64(len(changelog))); err != nil {
		t.Fatal(err)
	}
	if err := s.FinishRestore(); err != nil {
		t.Fatal(err)
	}
	w = openWindows(t, s)
	if starts := w.Starts(); len(starts) != 0 {
		t.Errorf("windows %d are open again", starts)
	}
	if got, _ := w.Closing(); got != want {
		t.Errorf("Closing() = %+v, want %+v", got, want)
	}
	for store, offset := range map[string]int64{"w": 2, "kv": 3} {
		if got, ok := s.Position(store); !ok || got.Inputs[0].Offset != offset {
			t.Errorf("the position of %q is %+v, %v; want offset %d", store, got, ok, offset)
		}
	}
}

// What is set aside keeps its position, in the engine and in its changelog, while the others go on.
func TestSetAside(t *testing.T) {
	s := open(t, NewMemory())
	commitAll(t, s, at(1))
	s.SetAside("w", true)
	records := commitAll(t, s, at(2))
	if len(records[1]) > 0 {
		t.Errorf("a store that was set aside wrote %d records", len(records[1]))
	}
	s.SetAside("w", false)
	for store, offset := range map[string]int64{"w": 1, "kv": 2} {
		if got, _ := s.Position(store); got.Inputs[0].Offset != offset {
			t.Errorf("the position of %q is %+v, want offset %d", store, got, offset)
		}
	}
	commitAll(t, s, at(3))
	if got, _ := s.Position("w"); got.Inputs[0].Offset != 3 {
		t.Errorf("taken in again it is at %+v, want offset 3", got)
	}
}

func TestRestoreRefusesForeignRecords(t *testing.T) {
	s := open(t, NewMemory())
	for name, c := range map[string]struct {
		store string
		rec   ChangelogRecord
		want  error
	}{
		"no key":             {"kv", ChangelogRecord{Value: []byte("v")}, ErrForeign},
		"window in kv":       {"kv", ChangelogRecord{Key: appendStart([]byte{tagWindow}, 1)}, ErrMeaning},
		"kv in window":       {"w", ChangelogRecord{Key: []byte{tagKeyValue, 'k'}}, ErrMeaning},
		"short window":       {"w", ChangelogRecord{Key: []byte{tagWindow, 1, 2}}, ErrForeign},
		"unknown tag":        {"kv", ChangelogRecord{Key: []byte("plain text")}, ErrNewerFormat},
		"long position key":  {"kv", ChangelogRecord{Key: []byte{tagPosition, 1}}, ErrForeign},
		"position tombstone": {"kv", ChangelogRecord{Key: []byte{tagPosition}}, ErrForeign},
		"bad position":       {"kv", ChangelogRecord{Key: []byte{tagPosition}, Value: make([]byte, 9)}, ErrForeign},
	} {
		err := s.Restore(c.store, []ChangelogRecord{c.rec}, 1)
		wantError(t, fmt.Errorf("%s: %w", name, err), c.want, "app-"+c.store+"-changelog")
	}
	if s.ChangelogNext("kv") != 0 {
		t.Error("a refused batch moved ChangelogNext")
	}
}

func TestChangelogIDAndTime(t *testing.T) {
	storage := NewMemory()
	s := open(t, storage)
	s.SetChangelogID("kv", "one")
	s.SetLastApplied(5)
	if err := s.Restore("kv", nil, 3); err != nil {
		t.Fatal(err)
	}
	s.SetChangelogID("w", "two")
	if err := s.FinishRestore(); err != nil {
		t.Fatal(err)
	}
	closeAll(t, closer{s})
	s = open(t, storage)
	if s.ChangelogID("kv") != "one" || s.ChangelogID("w") != "two" || s.ChangelogID("x") != "" || s.LastApplied() != 5 {
		t.Errorf("ids %q, %q, time %d", s.ChangelogID("kv"), s.ChangelogID("w"), s.LastApplied())
	}
	s.SetChangelogID("w", "three")
	commitAll(t, s, at(1))
	closeAll(t, closer{s})
	s = open(t, storage)
	if s.ChangelogID("kv") != "one" || s.ChangelogID("w") != "three" || s.LastApplied() != 1000 {
		t.Errorf("after Apply: ids %q, %q, time %d", s.ChangelogID("kv"), s.ChangelogID("w"), s.LastApplied())
	}
}

func TestWritesAndDirtyBytes(t *testing.T) {
	s := open(t, NewMemory())
	kv, err := openKV(s)
	if err != nil {
		t.Fatal(err)
	}
	w := openWindows(t, s)
	writes, bytes := s.Writes(), s.DirtyBytes()
	step := func(name string, grows bool, run func() error) {
		t.Helper()
		if err := run(); err != nil {
			t.Fatal(err)
		}
		if s.Writes() <= writes {
			t.Errorf("%s is not counted", name)
		}
		if (s.DirtyBytes() > bytes) != grows {
			t.Errorf("%s: DirtyBytes %d, was %d", name, s.DirtyBytes(), bytes)
		}
		writes, bytes = s.Writes(), s.DirtyBytes()
	}
	step("Put", true, func() error { return kv.Put("k", "v") })
	step("Put again", false, func() error { return kv.Put("k", "w") })
	step("Delete", false, func() error { return kv.Delete("k") })
	step("Delete of another", true, func() error { return kv.Delete("l") })
	step("Slot", true, func() error { _, _, err := w.Slot(0, []byte("k")); return err })
	step("Slot again", false, func() error { _, _, err := w.Slot(0, []byte("k")); return err })
	step("Drop", true, func() error { w.Drop(-5); return nil })
	if _, _, err := kv.Get("other"); err != nil || s.Writes() != writes || s.DirtyBytes() != bytes {
		t.Errorf("Get is counted as a write, %v", err)
	}
	s.Discard()
	if s.DirtyBytes() != 0 || s.Writes() < writes {
		t.Errorf("after Discard: %d dirty bytes, %d writes", s.DirtyBytes(), s.Writes())
	}
	if got, ok := w.Closing(); ok {
		t.Errorf("after Discard there is a closing: %+v", got)
	}
}

func TestWindowEdges(t *testing.T) {
	storage := NewMemory()
	s := open(t, storage)
	w := openWindows(t, s)
	starts := []int64{math.MinInt64, -1, 0, 1, math.MaxInt64}
	for _, start := range starts {
		v, _, err := w.Slot(start, nil)
		if err != nil {
			t.Fatal(err)
		}
		*v = start
	}
	commitAll(t, s, at(1))
	closeAll(t, closer{s})
	s = open(t, storage)
	w = openWindows(t, s)
	if got := w.Starts(); !slices.Equal(got, starts) {
		t.Fatalf("Starts() = %d, want %d", got, starts)
	}
	for _, start := range starts {
		n := 0
		err := w.Each(start, func(key []byte, v *int64) error {
			n++
			if len(key) != 0 || *v != start {
				t.Errorf("window %d shows %q = %d", start, key, *v)
			}
			return nil
		})
		if n != 1 || err != nil {
			t.Errorf("window %d has %d entries, %v", start, n, err)
		}
	}
	w.Drop(math.MaxInt64)
	if got := w.Starts(); !slices.Equal(got, starts[4:]) {
		t.Errorf("Starts() = %d after all but the last were dropped", got)
	}
	if _, ok := w.Closing(); !ok {
		t.Error("no closing after Drop")
	}
	mine := errors.New("mine")
	if err := w.Each(math.MaxInt64, func([]byte, *int64) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("Each returned %v, want the error of its callback", err)
	}
}

func TestTimestamped(t *testing.T) {
	c, err := TimestampedSerde(serde.String).Bind(serde.Use{Role: serde.State, Name: "s"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Append(nil, Timestamped[string]{Time: 258, Value: "v"})
	if err != nil || string(b) != "\x00\x00\x00\x00\x00\x00\x01\x02v" {
		t.Fatalf("encoded as %x, %v", b, err)
	}
	if v, err := c.Decode(b); err != nil || v != (Timestamped[string]{258, "v"}) {
		t.Errorf("decoded as %+v, %v", v, err)
	}
	if _, err := c.Decode(b[:7]); err == nil {
		t.Error("seven bytes are accepted")
	}
	if _, err := TimestampedSerde[string](nil).Bind(serde.Use{}); err == nil {
		t.Error("no serde is accepted")
	}
}
