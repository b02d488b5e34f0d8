package listing

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/api anew")

// public are the packages whose names users write.
var public = []string{
	"processor", "processor/stream", "processor/processortest", "windowing", "state", "schemaregistry/serde", "schemaregistry/serde/serdetest",
}

// TestAPI compares what the packages export with testdata/api. A change that is
// meant is written with
//
//	make api
func TestAPI(t *testing.T) {
	root := "../../.."
	for _, folder := range public {
		lines, err := Of(os.DirFS(root), folder)
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) == 0 {
			t.Errorf("%s exports nothing", folder)
		}
		name := filepath.Join(root, "testdata", "api", strings.ReplaceAll(folder, "/", "-")+".txt")
		got := strings.Join(append(lines, ""), "\n")
		if *rewrite {
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatalf("%v: make api writes it", err)
		}
		for _, line := range strings.Split(string(want), "\n") {
			if !slices.Contains(lines, line) && line != "" {
				t.Errorf("%s had: %s", folder, line)
			}
		}
		for _, line := range lines {
			if !strings.Contains("\n"+string(want), "\n"+line+"\n") {
				t.Errorf("%s has now: %s", folder, line)
			}
		}
	}
	if t.Failed() {
		t.Log("if the change is meant: make api, and a line in CHANGELOG.md")
	}
}

func TestOf(t *testing.T) {
	const text = `package a

// T is.
type T[K comparable] struct {
	A, B int
	c    int
	*U
}

type U interface {
	M(x int) (y string, err error)
	n()
}

type F func(int) string

type hidden struct{ X int }

func (hidden) Y() {}

func (t *T[K]) Do(
	f func(K) bool,
) error {
	return nil
}

func G[X any](x X) X { return x }

func g() {}

const C, d = 1, 2

var E error
`
	fsys := fstest.MapFS{"a/a.go": {Data: []byte(text)}, "a/a_test.go": {Data: []byte("package a\nfunc Tested() {}\n")}}
	got, err := Of(fsys, "a")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"const C", "func (t *T[K]) Do( f func(K) bool, ) error", "func G[X any](x X) X", "type F func(int) string",
		"type T struct, *U", "type T struct, A int", "type T struct, B int", "type T[K comparable] struct",
		"type U interface", "type U interface, M func(x int) (y string, err error)", "var E error",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
