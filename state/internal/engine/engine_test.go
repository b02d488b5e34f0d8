package engine

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

var testSizes = Sizes{BlockCacheBytes: 1 << 20, MemtableBytes: 256 << 10}

// engines are the engines under test; pebble's is empty and in memory.
func engines(t *testing.T) map[string]Engine {
	t.Helper()
	_, p := crashable(t)
	return map[string]Engine{"memory": NewMemory(), "pebble": p}
}

func content(t *testing.T, e Engine, from, to string) []string {
	t.Helper()
	var all []string
	err := e.Scan([]byte(from), []byte(to), func(k, v []byte) error {
		all = append(all, string(k)+"="+string(v))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEngineAgainstMap(t *testing.T) {
	for name, e := range engines(t) {
		t.Run(name, func(t *testing.T) {
			model := map[string]string{}
			random := rand.New(rand.NewPCG(1, 2))
			b := e.NewBatch()
			for round := range 200 {
				b.Reset()
				for range random.IntN(60) {
					if err := randomChange(random, b, model, round); err != nil {
						t.Fatal(err)
					}
				}
				if err := e.Apply(b); err != nil {
					t.Fatal(err)
				}
				if round%17 == 0 {
					if err := errors.Join(e.FlushSoon(), e.Flush()); err != nil {
						t.Fatal(err)
					}
				}
				var want []string
				for _, k := range slices.Sorted(maps.Keys(model)) {
					want = append(want, k+"="+model[k])
				}
				if got := content(t, e, "0", "\xff"); !slices.Equal(got, want) {
					t.Fatalf("round %d: content %q, want %q", round, got, want)
				}
				for range random.IntN(3 * getsFirst) {
					key := fmt.Sprint(random.IntN(300))
					v, ok, err := e.Get([]byte("prefix "), []byte(key))
					if m, there := model[key]; err != nil || ok != there || string(v) != "prefix "+m {
						t.Fatalf("round %d: Get(%s) = %q, %v, %v; want %q, %v", round, key, v, ok, err, m, there)
					}
				}
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func randomChange(random *rand.Rand, b Batch, model map[string]string, round int) error {
	key := fmt.Sprint(random.IntN(300))
	switch random.IntN(20) {
	case 0:
		to := fmt.Sprint(random.IntN(300))
		maps.DeleteFunc(model, func(k, _ string) bool { return k >= key && k < to })
		if to <= key {
			return nil // an empty range
		}
		return b.DeleteRange([]byte(key), []byte(to))
	case 1, 2, 3, 4, 5:
		delete(model, key)
		return b.Delete([]byte(key))
	}
	model[key] = fmt.Sprint("v", round)
	return b.Set([]byte(key), []byte(model[key]))
}

func TestScan(t *testing.T) {
	for name, e := range engines(t) {
		t.Run(name, func(t *testing.T) {
			b := e.NewBatch()
			for _, k := range []string{"a", "b", "c", "d"} {
				if err := b.Set([]byte(k), []byte("x")); err != nil {
					t.Fatal(err)
				}
			}
			if b.Size() == 0 {
				t.Error("a batch with four pairs has no size")
			}
			if err := e.Apply(b); err != nil {
				t.Fatal(err)
			}
			if got := content(t, e, "b", "d"); !slices.Equal(got, []string{"b=x", "c=x"}) {
				t.Errorf("Scan from b to d shows %q", got)
			}
			key, ok, err := First(e, []byte("bb"), []byte("z"))
			if err != nil || !ok || string(key) != "c" {
				t.Errorf("First from bb = %q, %v, %v; want c", key, ok, err)
			}
			if _, ok, err := First(e, []byte("e"), []byte("z")); ok || err != nil {
				t.Errorf("First from e = %v, %v; want nothing", ok, err)
			}
			mine := errors.New("mine")
			if err := e.Scan([]byte("a"), []byte("z"), func(_, _ []byte) error { return mine }); err != mine {
				t.Errorf("Scan returned %v, want the error of its callback as it is", err)
			}
			// Reading from within a scan is allowed.
			err = e.Scan([]byte("a"), []byte("z"), func(k, v []byte) error {
				got, ok, err := e.Get(nil, k)
				if !ok || !bytes.Equal(got, v) {
					t.Errorf("Get(%q) within a scan = %q, %v", k, got, ok)
				}
				return err
			})
			if err := errors.Join(err, e.Close()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// What Pebble finds in the background, or calls fatal, must fail every later call.
func TestBackgroundFailure(t *testing.T) {
	e := engines(t)["pebble"].(*pebbleEngine)
	e.fail(fmt.Errorf("%w: found by a compaction", ErrCorrupt))
	silent{e}.Fatalf("second")
	b := e.NewBatch()
	_, _, get := e.Get(nil, []byte("k"))
	calls := map[string]error{
		"Get":   get,
		"Scan":  e.Scan([]byte("a"), []byte("b"), func(_, _ []byte) error { return nil }),
		"Apply": e.Apply(b), "Flush": e.Flush(), "FlushSoon": e.FlushSoon(),
	}
	for name, err := range calls {
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s after damage was found: %v, want ErrCorrupt", name, err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}
