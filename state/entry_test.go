package state

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// unkeepable are stores whose values can be what no commit takes.
type unkeepable struct {
	stores *Stores
	kv     *KeyValueStore[string, string]
	w      *WindowStore[string]
}

// entryLimit is what key and value of an entry may have together.
const entryLimit = 40

func newUnkeepable(t *testing.T) unkeepable {
	t.Helper()
	plain, err := serde.String.Bind(serde.Use{})
	if err != nil {
		t.Fatal(err)
	}
	var errs [2]error
	u := unkeepable{stores: openSpecs(t, NewMemory(), Spec{Name: "kv", Kind: KeyValue}, Spec{Name: "w", Kind: Window})}
	u.kv, errs[0] = KV[string, string]{Name: "kv", Key: serde.String, Value: serde.Of[string](brittle{plain})}.Open(opener{u.stores})
	u.w, errs[1] = Windowed[string]{Name: "w", Value: serde.Of[string](brittle{plain})}.Open(opener{u.stores})
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	u.stores.SetLimit("kv", entryLimit)
	u.stores.SetLimit("w", entryLimit)
	return u
}

// put leaves a value in one of the stores.
func (u unkeepable) put(t *testing.T, store, value string) {
	t.Helper()
	if store == "kv" {
		if err := u.kv.Put("key", value); err != nil {
			t.Fatal(err)
		}
		return
	}
	v, _, err := u.w.Slot(7, []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	*v = value
}

func (u unkeepable) prepare(t *testing.T) (entries []string, err error) {
	t.Helper()
	all, err := u.stores.Prepare(at(1).Inputs, "")
	for _, e := range all {
		entries = append(entries, fmt.Sprintf("%d %q=%q", e.Store, e.Key, e.Value))
	}
	return entries, err
}

// Check finds in what was changed since Mark what Prepare finds, by the same words; taken back, it leaves nothing that
// Prepare could find, nor anything else.
func TestCheckFindsWhatPrepareFinds(t *testing.T) {
	room := map[string]int{"kv": entryLimit - len("key") - 1, "w": entryLimit - len("key") - 1 - startSize}
	for store, most := range room {
		for _, c := range []struct {
			value string
			is    error
		}{
			{"", nil},
			{"fine", nil},
			{"panic", ErrEncode},
			{"error", ErrEncode},
			{strings.Repeat("x", most), nil},
			{strings.Repeat("x", most+1), ErrTooLarge},
		} {
			t.Run(fmt.Sprintf("%s %.6s %d", store, c.value, len(c.value)), func(t *testing.T) {
				checked, plain, without := newUnkeepable(t), newUnkeepable(t), newUnkeepable(t)
				for _, u := range []unkeepable{checked, plain, without} {
					u.put(t, store, "before")
				}
				checked.stores.Mark()
				checked.put(t, store, c.value)
				found := checked.stores.Check()
				plain.put(t, store, c.value)
				want, err := plain.prepare(t)
				if !errors.Is(found, c.is) || fmt.Sprint(found) != fmt.Sprint(err) {
					t.Fatalf("Check: %v; Prepare: %v; want %v", found, err, c.is)
				}
				var bad *EntryError
				if c.is == nil {
					checked.stores.Keep()
				} else if want, _ = without.prepare(t); !errors.As(found, &bad) || bad.Store != store {
					t.Errorf("the fault is in %+v, want store %s", bad, store)
				} else if err := checked.stores.Undo(); err != nil {
					t.Fatal(err)
				}
				if got, err := checked.prepare(t); err != nil || !slices.Equal(got, want) {
					t.Errorf("afterwards Prepare gives %q, %v; want %q", got, err, want)
				}
			})
		}
	}
}
