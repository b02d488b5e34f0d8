package state

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// checkTable checks the invariants of a table against a model: key -> value of what is live.
func checkTable(t *testing.T, tb *table[int64], live map[string]int64) {
	t.Helper()
	n, absent, keys, taken := 0, 0, 0, 0
	for i := range tb.entries {
		e, key := &tb.entries[i], tb.key(i)
		if tb.find(key, hashKey(key)) != i {
			t.Fatalf("key %q is entry %d, found %d", key, i, tb.find(key, hashKey(key)))
		}
		if int(e.at) != keys {
			t.Fatalf("key of entry %d lies at %d, want %d", i, e.at, keys)
		}
		keys += int(e.length)
		if e.flags&flagAbsent != 0 {
			absent++
			continue
		}
		n++
		if v, ok := live[string(key)]; !ok || v != e.value {
			t.Fatalf("key %q has %d, want %d (%v)", key, e.value, v, ok)
		}
	}
	for _, slot := range tb.slots {
		if slot != 0 {
			taken++
		}
	}
	if absent != tb.absent || keys != len(tb.keys) || taken != len(tb.entries) || 2*taken > len(tb.slots) {
		t.Fatalf("absent %d (want %d), key bytes %d (want %d), %d of %d slots for %d entries",
			tb.absent, absent, len(tb.keys), keys, taken, len(tb.slots), len(tb.entries))
	}
	if n != len(live) {
		t.Fatalf("%d live entries, want %d", n, len(live))
	}
}

func TestTable(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	tb, live, dirty := &table[int64]{complete: true}, map[string]int64{}, map[string]bool{}
	for step := range 60_000 {
		key := fmt.Appendf(nil, "%d", random.IntN(4000))
		if random.IntN(8) == 0 {
			key = append(key, '!')
		}
		hash := hashKey(key)
		i := tb.find(key, hash)
		if i < 0 {
			var err error
			if i, err = tb.insert(key, hash); err != nil {
				t.Fatal(err)
			}
		}
		if !dirty[string(key)] {
			tb.mark(i)
			dirty[string(key)] = true
		}
		if random.IntN(3) == 0 {
			tb.empty(i)
			delete(live, string(key))
		} else {
			if tb.entries[i].flags&flagAbsent != 0 {
				tb.fill(i, 0, 8)
			}
			tb.entries[i].value = int64(step)
			live[string(key)] = int64(step)
		}
		if step%5000 == 4999 {
			settleTable(t, tb, live, dirty, step%10_000 == 9999)
		}
	}
	tb.reset(true)
	checkTable(t, tb, nil)
}

func settleTable(t *testing.T, tb *table[int64], live map[string]int64, dirty map[string]bool, trim bool) {
	t.Helper()
	checkTable(t, tb, live)
	if len(tb.dirty) != len(dirty) {
		t.Fatalf("%d dirty entries, want %d", len(tb.dirty), len(dirty))
	}
	for i, e := range tb.entries { // as cells.prepare does
		if e.flags&flagDirty != 0 {
			tb.entries[i].flags = e.flags&^flagDirty | flagPending
		}
	}
	tb.pending[0], tb.dirty = tb.dirty, tb.pending[0]
	drop := 0.0
	if trim {
		drop = 1
	}
	tb.settle(0, drop)
	dropped := false
	for k := range live {
		if trim && !dirty[k] {
			delete(live, k)
			dropped = true
		}
	}
	if dropped && tb.complete {
		t.Fatal("the table claims to be complete after entries were dropped")
	}
	clear(dirty)
	checkTable(t, tb, live)
}

// Where a part is to be dropped, those go that came first, but for what is not in the engine yet.
func TestTableDropsWhatCameFirst(t *testing.T) {
	tb := &table[int64]{complete: true}
	for i := range 100 {
		key := fmt.Appendf(nil, "%03d", i)
		at, err := tb.insert(key, hashKey(key))
		if err != nil {
			t.Fatal(err)
		}
		tb.fill(at, int64(i), 8)
	}
	tb.mark(7)
	tb.settle(0, 0.4)
	for i := range 100 {
		key := fmt.Appendf(nil, "%03d", i)
		if at := tb.find(key, hashKey(key)); (at >= 0) != (i == 7 || i >= 40) || at >= 0 && tb.entries[at].value != int64(i) {
			t.Errorf("key %d is at %d", i, at)
		}
	}
	if tb.complete {
		t.Error("the table claims to be complete after entries were dropped")
	}
}

// Keys whose hashes are equal, or collide in the table, must be told apart by their bytes.
func TestTableCollisions(t *testing.T) {
	tb := &table[int64]{}
	for i := range 200 {
		key := fmt.Appendf(nil, "%d", i)
		at, err := tb.insert(key, 0xFFFFFFFF)
		if err != nil {
			t.Fatal(err)
		}
		tb.fill(at, int64(i), 8)
	}
	for i := range 200 {
		key := fmt.Appendf(nil, "%d", i)
		if at := tb.find(key, 0xFFFFFFFF); at < 0 || tb.entries[at].value != int64(i) {
			t.Fatalf("key %s is found at %d", key, at)
		}
	}
	if at := tb.find([]byte("200"), 0xFFFFFFFF); at >= 0 {
		t.Fatalf("a key that was never inserted is found at %d", at)
	}
}

// A table that was large once and holds little now must not go on counting, and clearing, what it needed then.
func TestTableShrinksAfterItsPeak(t *testing.T) {
	tb := &table[int64]{}
	for i := range 100_000 {
		key := fmt.Appendf(nil, "%d", i)
		at, err := tb.insert(key, hashKey(key))
		if err != nil {
			t.Fatal(err)
		}
		tb.fill(at, int64(i), 8)
		tb.entries[at].flags |= flagPending
		tb.pending[0] = append(tb.pending[0], uint32(at))
	}
	tb.settle(0, 0)
	tb.mark(tb.find([]byte("77"), hashKey([]byte("77"))))
	tb.settle(0, 1)
	if len(tb.slots) > 256 || cap(tb.entries) > 1024 || cap(tb.keys) > 1024 || cap(tb.pending[0]) > 1024 {
		t.Errorf("for one entry it keeps %d slots, room for %d entries, %d bytes of keys and %d that are pending",
			len(tb.slots), cap(tb.entries), cap(tb.keys), cap(tb.pending[0]))
	}
	if n := tb.bytes(); n > 4096 {
		t.Errorf("for one entry it counts %d bytes", n)
	}
	checkTable(t, tb, map[string]int64{"77": 77})
	if len(tb.dirty) != 1 || tb.dirty[0] != 0 {
		t.Errorf("dirty are %d, want the only entry", tb.dirty)
	}
}

func TestTableForgetsItsPeak(t *testing.T) {
	tb := &table[[1024]byte]{}
	for i := range spareMax / 1024 {
		key := fmt.Appendf(nil, "%d", i)
		if _, err := tb.insert(key, hashKey(key)); err != nil {
			t.Fatal(err)
		}
	}
	tb.reset(false)
	if cap(tb.entries) != 0 || tb.slots != nil {
		t.Errorf("an emptied table of more than %d bytes keeps its memory", spareMax)
	}
}
