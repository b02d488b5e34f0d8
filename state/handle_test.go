package state

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// limited opens one store of a task.
type limited struct {
	opener
	name string
}

func (l limited) Connected(store string) bool { return store == l.name }

func TestALimitedOpenerOpensWhatIsConnected(t *testing.T) {
	s := open(t, NewMemory())
	kv := KV[string, string]{Name: "kv", Key: serde.String, Value: serde.String}
	if _, err := kv.Open(limited{opener{s}, "kv"}); err != nil {
		t.Error(err)
	}
	if _, err := kv.Open(limited{opener{s}, "w"}); err == nil || !strings.Contains(err.Error(), `store "kv"`) {
		t.Errorf("a store that is not connected: %v", err)
	}
}

// TestUpdateIsTakenBack, also where the value is one that shares memory.
func TestUpdateIsTakenBack(t *testing.T) {
	s := openSpecs(t, NewMemory(), Spec{Name: "lists", Kind: KeyValue})
	kv, err := KV[string, []int]{Name: "lists", Key: serde.String, Value: serde.JSON[[]int]()}.Open(opener{s})
	if err != nil {
		t.Fatal(err)
	}
	if err := kv.Put("a", []int{1}); err != nil {
		t.Fatal(err)
	}
	s.Mark()
	v, existed, err := kv.Update("a")
	if !existed || err != nil {
		t.Fatalf("%v, %v", existed, err)
	}
	(*v)[0] = 2
	if _, existed, err := kv.Update("b"); existed || err != nil {
		t.Fatalf("%v, %v", existed, err)
	}
	if err := s.Undo(); err != nil {
		t.Fatal(err)
	}
	if v, _, err := kv.Get("a"); err != nil || len(v) != 1 || v[0] != 1 {
		t.Errorf("%v, %v", v, err)
	}
	if _, ok, err := kv.Get("b"); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestSpecsAreUnlike(t *testing.T) {
	is := func(traits ...Trait) Spec { return Spec{Name: "s", Kind: KeyValue, Traits: traits} }
	text, number, version := Trait{Name: "values", Value: "string"}, Trait{Name: "values", Value: "int64"}, Trait{Name: "version"}
	own := is(text)
	own.Changelog = "users"
	for _, c := range []struct {
		a, b Spec
		want string
	}{
		{is(text, version), is(version, text), ""},
		{is(text), is(number), `values: "string" and "int64"`},
		{is(text, version), is(text), "version: not set and none"},
		{is(text), is(text, version), "version: not set and none"},
		{is(text), Spec{Name: "s", Kind: Window, Traits: []Trait{text}}, `store: "key-value" and "window"`},
		{is(text), own, `changelog: not set and "users"`},
	} {
		if got := c.a.Unlike(c.b); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
