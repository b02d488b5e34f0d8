package windowing

import (
	"fmt"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

// keyedAggregation is what the aggregations over key-value stores have in common.
type keyedAggregation interface {
	Add(key []byte, ts, judged EventTime) (late bool, err error)
	Advance(merged EventTime) error
	BeforeCommit() error
	Due() EventTime
	Passed() EventTime
}

// keyedRig is a session or a sliding aggregation over a store in memory, whose values are the texts added, in order of
// arrival. It notes what is sent, and what a reader who applies it has.
type keyedRig struct {
	t       testing.TB
	windows Definition
	storage state.Storage
	stores  *state.Stores
	agg     keyedAggregation
	text    string // of the record being added
	rows    []string
	view    map[string]string // "key[start,end]" to "value@time"
	strict  bool              // a tombstone must be of something in view

	down func(win Window, key []byte, v *string, at EventTime) error // instead of noting
}

const keyedStore = "keyed"

func keyedSpec(w Definition) state.Spec {
	if _, ok := w.(SessionWindows); ok {
		return SessionStore(keyedStore, serde.String).Spec()
	}
	return SlidingStore(keyedStore, serde.String).Spec()
}

func newKeyedRig(t testing.TB, w Definition) *keyedRig {
	t.Helper()
	return newKeyedRigOn(t, w, state.NewMemory())
}

func newKeyedRigOn(t testing.TB, w Definition, storage state.Storage) *keyedRig {
	t.Helper()
	if err := w.Validate(); err != nil {
		t.Fatal(err)
	}
	r := &keyedRig{t: t, windows: w, storage: storage, view: map[string]string{}, strict: true}
	r.open()
	return r
}

func (r *keyedRig) open() {
	r.t.Helper()
	var err error
	r.stores, err = r.storage.Open("0_0", state.Identity{ApplicationID: "app", Task: "0_0"}, []state.Spec{keyedSpec(r.windows)})
	if err != nil {
		r.t.Fatal(err)
	}
	r.build()
}

// build makes the aggregation anew over the open stores, as a task does after an abort.
func (r *keyedRig) build() {
	r.t.Helper()
	var err error
	switch w := r.windows.(type) {
	case SessionWindows:
		store, openErr := SessionStore(keyedStore, serde.String).Open(opener{r.stores})
		if openErr != nil {
			r.t.Fatal(openErr)
		}
		r.agg, err = NewSessionAggregation(w, store, r.fold, r.join, r.send)
	case SlidingWindows:
		store, openErr := SlidingStore(keyedStore, serde.String).Open(opener{r.stores})
		if openErr != nil {
			r.t.Fatal(openErr)
		}
		codec, _ := serde.String.Bind(serde.Use{})
		r.agg, err = NewSlidingAggregation(w, store, codec, r.fold, r.send)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *keyedRig) fold(acc *string, fresh bool) error {
	if fresh != (*acc == "") {
		return fmt.Errorf("fresh is %v, but the value is %q", fresh, *acc)
	}
	*acc += r.text
	return nil
}

func (r *keyedRig) join(into, next *string, first bool) error {
	if first != (*into == "") || *next == "" {
		return fmt.Errorf("first is %v, but %q is joined with %q", first, *into, *next)
	}
	*into += *next
	return nil
}

func (r *keyedRig) send(win Window, key []byte, v *string, at EventTime) error {
	if r.down != nil {
		return r.down(win, key, v, at)
	}
	place := fmt.Sprintf("%s[%d,%d]", key, win.Start, win.End)
	if at < r.agg.Passed() {
		return fmt.Errorf("%s@%d is below the %d that was passed", place, at, r.agg.Passed())
	}
	if v == nil {
		if r.view[place] == "" && r.strict {
			return fmt.Errorf("%s is revoked, but was never sent", place)
		}
		delete(r.view, place)
		r.rows = append(r.rows, fmt.Sprintf("%s gone@%d", place, at))
		return nil
	}
	r.view[place] = fmt.Sprintf("%s@%d", *v, at)
	r.rows = append(r.rows, place+"="+r.view[place])
	return nil
}

// add adds a text and reports whether it was late.
func (r *keyedRig) add(key, text string, ts, judged EventTime) bool {
	r.t.Helper()
	r.text = text
	late, err := r.agg.Add([]byte(key), ts, judged)
	if err != nil {
		r.t.Fatal(err)
	}
	return late
}

func (r *keyedRig) advance(merged EventTime) {
	r.t.Helper()
	if err := r.agg.Advance(merged); err != nil {
		r.t.Fatal(err)
	}
}

func (r *keyedRig) commit() {
	r.t.Helper()
	if err := r.agg.BeforeCommit(); err != nil {
		r.t.Fatal(err)
	}
	commitStores(r.t, r.stores, keyedStore)
}

// abort drops what was not committed.
func (r *keyedRig) abort() {
	r.t.Helper()
	r.stores.Discard()
	r.build()
}

// restart goes on from what was committed.
func (r *keyedRig) restart() {
	r.t.Helper()
	if err := r.stores.Close(true); err != nil {
		r.t.Fatal(err)
	}
	r.open()
}
