package graph

import (
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/schemaregistry/serde"
	"github.com/millrace/millrace/state"
)

// numbered and named are stores of one name that are not the same.
var (
	numbered = state.KV[string, int64]{Name: "seen", Key: serde.String, Value: serde.Int64}.Spec()
	named    = state.KV[string, string]{Name: "seen", Key: serde.String, Value: serde.String}.Spec()
)

// user adds a node behind a source of its own, connected to stores.
func user(b *Builder, name string, stores ...string) NodeID {
	in := b.Add(Node{Name: "in-" + name, Kind: SourceNode, Topic: "in-" + name})
	return b.Add(Node{Name: name, Kind: OperatorNode, Stores: stores}, Edge{From: in})
}

func TestAStoreUnitesItsUsers(t *testing.T) {
	b := NewBuilder("test")
	user(b, "left", "seen")
	user(b, "apart")
	user(b, "right", "seen")
	b.ShareStore("left", numbered)
	b.ShareStore("right", numbered)
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []*Topology{topology, topology.Bind("app")} {
		subs := g.Subtopologies()
		if len(subs) != 2 || !slices.Equal(subs[0].Sources, []string{"in-left", "in-right"}) {
			t.Fatalf("%d sub-topologies, the first reads %q", len(subs), subs[0].Sources)
		}
		if len(subs[0].Stores) != 1 || len(subs[1].Stores) != 0 {
			t.Errorf("stores %v and %v", subs[0].Stores, subs[1].Stores)
		}
		if n := strings.Count(g.Describe(), "(store: seen, key-value)"); n != 2 {
			t.Errorf("%d users are described:\n%s", n, g.Describe())
		}
	}
}

func TestMistakesWithStores(t *testing.T) {
	for want, build := range map[string]func(*Builder){
		`store "seen" of operator "left" is used by no operator`: func(b *Builder) {
			user(b, "left")
			b.AddStore("left", numbered)
		},
		`operator "left" uses the store "seen", which the topology does not have`: func(b *Builder) {
			user(b, "left", "seen")
		},
		`the name "seen" is used by two operators, "left" and "right"`: func(b *Builder) {
			user(b, "left", "seen")
			b.AddStore("left", numbered)
			b.ShareStore("right", numbered)
		},
		`operators "left" and "right" give different stores the name "seen" (values: "int64" and "string")`: func(b *Builder) {
			user(b, "left", "seen")
			b.ShareStore("left", numbered)
			b.ShareStore("right", named)
		},
		`operator "left": state: "a/b" is not a legal name`: func(b *Builder) {
			user(b, "left", "a/b")
			b.AddStore("left", state.Spec{Name: "a/b", Kind: state.KeyValue})
		},
	} {
		b := NewBuilder("test")
		build(b)
		if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}

// TestWhatIsAroundAStore: both its users are brought up, and whoever else uses a
// store that is new beside it; where one of them has another store, that is told.
func TestWhatIsAroundAStore(t *testing.T) {
	b := NewBuilder("test")
	user(b, "left", "seen", "new")
	user(b, "right", "seen")
	user(b, "third", "new")
	user(b, "fourth", "other")
	join := b.Add(Node{Name: "join", Kind: OperatorNode}, Edge{From: 3}, Edge{From: 7}.Into(1))
	for _, name := range []string{"seen", "new", "other"} {
		b.AddStore(name, state.Spec{Name: name, Kind: state.KeyValue})
	}
	topology, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	sub := topology.Subtopologies()[0]
	part, before, err := sub.Around([]string{"seen"}, nil, []string{"new"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range part.Nodes {
		names = append(names, n.Name)
		if n.ID == join && (len(n.Parents) != 1 || n.Parents[0].Input != 0) {
			t.Errorf("the join is entered by %+v", n.Parents)
		}
	}
	if want := "in-left left in-right right in-third third in-fourth join"; strings.Join(names, " ") != want {
		t.Errorf("around it are %q, want %s", names, want)
	}
	if slices.Contains(before, join) {
		t.Errorf("before it are %v", before)
	}
	if _, _, err := sub.Around([]string{"seen"}, nil, nil); err == nil || !strings.Contains(err.Error(), `operator "left", with the store "new"`) {
		t.Errorf("a store that has gone on: %v", err)
	}
}
