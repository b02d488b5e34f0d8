package tidy

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// TestMillrace holds this repository to its rules.
func TestMillrace(t *testing.T) {
	report, err := Check(os.DirFS("../../.."), Millrace())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Remarks {
		t.Log(f)
	}
	for _, f := range report.Findings {
		t.Error(f)
	}
}

// TestTableSeesTheTree guards against rules that pass because they look at
// nothing.
func TestTableSeesTheTree(t *testing.T) {
	tr, err := readTree(os.DirFS("../../.."))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := tr.texts[".ci/run"]; !ok {
		t.Error(".ci/run is not read")
	}
	seen := make(map[string]bool)
	for _, f := range tr.parsed() {
		seen[f.dir] = true
	}
	rules := Millrace()
	for _, pkg := range append(rules.Pure, "cmd/internal/tidy") {
		if !seen[pkg] {
			t.Errorf("package %s is not read", pkg)
		}
	}
}

// fixtureRules are small rules for the fixtures below.
func fixtureRules() Rules {
	rules := Millrace()
	rules.Module = "example.com/m"
	rules.Root = []string{"low", "high", "pure", "NOTES.md"}
	rules.Packages = []Package{
		{Pattern: "low", Imports: []string{"example.org/lib"}},
		{Pattern: "low/lowtest", Imports: []string{"low"}},
		{Pattern: "pure"},
		{Pattern: "high", Imports: []string{"low"}},
	}
	rules.TestImports = []string{"example.org/check"}
	rules.Pure = []string{"pure"}
	rules.Numbers = map[string]string{"low": "low/NOTES.md"}
	rules.MaxFile, rules.LongFile, rules.MaxFunction = 20, 10, 5
	return rules
}

// A fixture is one bad tree and the only finding it must give; an empty want
// stands for a good tree.
type fixture struct {
	name  string
	files map[string]string
	want  string
}

func one(path, content string) map[string]string { return map[string]string{path: content} }

var importFixtures = []fixture{
	{"allowed", one("high/a.go", "// Package high is.\npackage high\nimport _ \"example.com/m/low\"\nimport _ \"fmt\"\n"), ""},
	{"upward", one("low/a.go", "// Package low is.\npackage low\nimport _ \"example.com/m/high\"\n"), "low/a.go:3: low may not import high"},
	{"not handed on", one("high/a.go", "// Package high is.\npackage high\nimport _ \"example.org/lib\"\n"), "high/a.go:3: high may not import example.org/lib"},
	{"tests see what is below", one("high/a_test.go", "package high\nimport _ \"example.org/lib\"\nimport _ \"example.org/check\"\nimport _ \"example.com/m/low/lowtest\"\n"), ""},
	{"tests do not see what is above", one("low/a_test.go", "package low\nimport _ \"example.com/m/high\"\n"), "low/a_test.go:2: low may not import high"},
	{"unknown package", one("high/new/a.go", "// Package fresh is.\npackage fresh\n"), "high/new: has no row"},
	{"does not parse", one("low/a.go", "package low\nfunc {\n"), "low/a.go: does not parse"},
	{"root", one("scratch.txt", ""), "scratch.txt: is no entry of the top level"},
	{"dot-file", one(".editorconfig", ""), ""},
	{"hidden folder", one(".cache/x.go", "package helper\n"), ""},
}

var purityFixtures = []fixture{
	{"go", one("pure/a.go", "// Package pure is.\npackage pure\nfunc f() { go f() }\n"), "pure/a.go:3: pure is deterministic and may not have a go statement"},
	{"channel", one("pure/a.go", "// Package pure is.\npackage pure\nvar c chan int\n"), "pure/a.go:3: pure is deterministic and may not have a channel"},
	{"select", one("pure/a.go", "// Package pure is.\npackage pure\nfunc f() { select {} }\n"), "may not have a select"},
	{"sync", one("pure/a.go", "// Package pure is.\npackage pure\nimport _ \"sync\"\n"), "may not import sync"},
	{"random", one("pure/a.go", "// Package pure is.\npackage pure\nimport _ \"math/rand/v2\"\n"), "may not import math/rand/v2"},
	{"clock", one("pure/a.go", "// Package pure is.\npackage pure\nimport \"time\"\nvar n = time.Now()\n"), "pure/a.go:4: pure is deterministic and may not have a time.Now"},
	{"duration", one("pure/a.go", "// Package pure is.\npackage pure\nimport \"time\"\nvar n = time.Second\n"), ""},
	{"a client", one("pure/a.go", "// Package pure is.\npackage pure\nimport _ \"example.org/lib\"\n"), "pure may not import example.org/lib"},
	{"its tests", one("pure/a_test.go", "package pure\nimport _ \"sync\"\nfunc f() { go f() }\n"), ""},
	{"elsewhere", one("low/a.go", "// Package low is.\npackage low\nimport _ \"sync\"\nfunc f() { go f() }\n"), ""},
}

var shapeFixtures = []fixture{
	{"long file", one("low/a.go", "// Package low is.\npackage low\n"+strings.Repeat("\n", 19)), "low/a.go: has 21 lines, more than 20"},
	{"full file", one("low/a.go", "// Package low is.\npackage low\n"+strings.Repeat("\n", 18)), ""},
	{"long function", one("low/a.go", "// Package low is.\npackage low\ntype t int\nfunc (x *t) f() {\n_ = 1\n_ = 1\n_ = 1\n_ = 1\n}\n"), "low/a.go:4: t.f has 6 lines, more than 5"},
	{"full function", one("low/a.go", "// Package low is.\npackage low\nfunc f() {\n_ = 1\n_ = 1\n_ = 1\n}\n"), ""},
	{"long test", one("low/a_test.go", "package low\nfunc f() {\n_ = 1\n_ = 1\n_ = 1\n_ = 1\n}\n"), "low/a_test.go:2: f has 6 lines"},
	{"file name", one("low/http_utils.go", "// Package low is.\npackage low\n"), `low/http_utils.go: the file's name says "utils"`},
	{"package name", one("low/a.go", "// Package common is.\npackage common\n"), `low/a.go:2: the package's name says "common"`},
	{"type name", one("low/a.go", "// Package low is.\npackage low\ntype storeImpl int\n"), `type storeImpl says "impl"`},
	{"abbreviation", one("low/a.go", "// Package low is.\npackage low\ntype xHTTPManager int\n"), `says "manager"`},
	{"after a digit", one("low/a.go", "// Package low is.\npackage low\ntype utf8Helper int\n"), `says "helper"`},
	{"part of a word", one("low/a.go", "// Package low is.\npackage low\ntype (\nsimple int\ndatabase int\nimplication int\n)\n"), ""},
}

var textFixtures = []fixture{
	{"package comment", one("low/a.go", "package low\n"), "low: the package has no doc comment"},
	{"function", one("low/a.go", "// Package low is.\npackage low\nfunc F() {}\n"), "low/a.go:3: F is exported and has no doc comment"},
	{"method", one("low/a.go", "// Package low is.\npackage low\n// T is.\ntype T[K any] int\nfunc (t *T[K]) M() {}\n"), "low/a.go:5: T.M is exported"},
	{"hidden type's method", one("low/a.go", "// Package low is.\npackage low\ntype t int\nfunc (t) M() {}\n"), ""},
	{"type", one("low/a.go", "// Package low is.\npackage low\ntype T int\n"), "type T is exported"},
	{"type in a group", one("low/a.go", "// Package low is.\npackage low\n// Types.\ntype (\nT int\n)\n"), "type T is exported"},
	{"interface method", one("low/a.go", "// Package low is.\npackage low\n// T is.\ntype T interface {\nM()\n}\n"), "low/a.go:5: T.M is exported"},
	{"constant", one("low/a.go", "// Package low is.\npackage low\nconst C = 1\n"), "C is exported"},
	{"constants in a group", one("low/a.go", "// Package low is.\npackage low\n// Kinds.\nconst (\nC = 1\nD = 2\n)\n"), ""},
	{"reference", map[string]string{"low/NOTES.md": "see low/a.go:t.m and a.go:f\n", "low/a.go": "// Package low is.\npackage low\ntype t int\nfunc (t) m() {}\nfunc f() {}\n"}, ""},
	{"number", map[string]string{"low/NOTES.md": "| G1 | is | `TestIt`, `TestOf...` |\n", "low/a.go": "// Package low is G1.\npackage low\n", "low/a_test.go": "package low\nfunc TestIt() {}\nfunc TestOfThat() {}\n"}, ""},
	{"number without a row", one("low/a.go", "// Package low is R2.\npackage low\n"), "low/a.go:1: cites R2, which low/NOTES.md does not list"},
	{"number of elsewhere", one("pure/a.go", "// Package pure is R2.\npackage pure\n"), ""},
	{"number with two rows", one("low/NOTES.md", "| I1 | is |\n| I1 | is not |\n"), "low/NOTES.md:2: lists I1 twice"},
	{"test that is not there", one("low/NOTES.md", "held by `TestIt`\n"), "low/NOTES.md:1: names TestIt, and low has no such test"},
	{"reference to no function", map[string]string{"NOTES.md": "\nsee low/a.go:g\n", "low/a.go": "// Package low is.\npackage low\n"}, "NOTES.md:2: names g in low/a.go"},
	{"reference to no file", one("NOTES.md", "see `low/b.go:g`\n"), "NOTES.md:1: names low/b.go, and there is no such file"},
	{"another tree", one("NOTES.md", "see ../"+"shared/x\n"), "the tree stands alone"},
	{"a machine", one("NOTES.md", "run `/"+"work/x`\n"), "a path of one machine"},
	{"a home", one("NOTES.md", "/"+"home/me/x\n"), "a path of one machine"},
	{"a worker", one("NOTES.md", "low/worker and /workers\n"), ""},
	{"a tracker", one("NOTES.md", "as is"+"sue 12 says\n"), "numbers of a tracker"},
	{"a checkout beside another", one(".git", "gitdir: /"+"home/me/x/.git/worktrees/y\n"), ""},
	{"in a hidden folder of ours", one(".ci/run", "cd /"+"root/x\n"), "a path of one machine"},
}

// TestFixtures proves that each rule can fail, and fails at the right place.
func TestFixtures(t *testing.T) {
	for group, fixtures := range map[string][]fixture{
		"imports": importFixtures, "purity": purityFixtures, "shape": shapeFixtures, "text": textFixtures,
	} {
		for _, fx := range fixtures {
			t.Run(group+"/"+fx.name, func(t *testing.T) {
				fsys := make(fstest.MapFS)
				for path, content := range fx.files {
					fsys[path] = &fstest.MapFile{Data: []byte(content)}
				}
				expect(t, fsys, fixtureRules(), fx.want)
			})
		}
	}
}

func expect(t *testing.T, fsys fstest.MapFS, rules Rules, want string) {
	t.Helper()
	report, err := Check(fsys, rules)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case want == "" && len(report.Findings) > 0:
		t.Errorf("got %v, want no finding", report.Findings)
	case want != "" && len(report.Findings) != 1:
		t.Errorf("got %v, want one finding with %q", report.Findings, want)
	case want != "" && !strings.Contains(report.Findings[0].String(), want):
		t.Errorf("got %v, want %q", report.Findings[0], want)
	}
}

// The list of exceptions may only shrink.
func TestLongFunctions(t *testing.T) {
	long := fstest.MapFS{"low/a.go": {Data: []byte("// Package low is.\npackage low\nfunc f() {\n_ = 1\n_ = 1\n_ = 1\n_ = 1\n}\n")}}
	rules := fixtureRules()
	rules.LongFunctions = []string{"low/a.go:f"}
	expect(t, long, rules, "")
	rules.LongFunctions = append(rules.LongFunctions, "low/a.go:g")
	expect(t, long, rules, "low/a.go:g: is an exception")
}

// Long files are remarked on, not refused.
func TestRemarks(t *testing.T) {
	fsys := fstest.MapFS{"low/a.go": {Data: []byte("// Package low is.\npackage low\n" + strings.Repeat("\n", 9))}}
	report, err := Check(fsys, fixtureRules())
	if err != nil || len(report.Findings) != 0 || len(report.Remarks) != 1 {
		t.Errorf("got %+v, %v, want one remark", report, err)
	}
}

func TestData(t *testing.T) {
	fsys := fstest.MapFS{"NOTES.md": {Data: []byte("/" + "root/x")}}
	rules := fixtureRules()
	rules.Data = []string{"NOTES.md"}
	expect(t, fsys, rules, "")
}
