// Package readme tests what the README says.
package readme

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestFirstProgramCompiles builds every Go program in the README as a command
// of this module.
func TestFirstProgramCompiles(t *testing.T) {
	for _, p := range programs(t) {
		compile(t, p, os.DevNull)
	}
}

// programs are the Go programs in the README; there is at least one.
func programs(t *testing.T) (sources []string) {
	t.Helper()
	for _, p := range regexp.MustCompile("(?s)```go\n(package main.*?)```").FindAllStringSubmatch(readme(t), -1) {
		sources = append(sources, p[1])
	}
	if len(sources) == 0 {
		t.Fatal("there is no program in the README")
	}
	return sources
}

// compile builds a Go program as a command of this module.
func compile(t *testing.T, program, binary string) {
	t.Helper()
	dir := t.TempDir()
	source, here := filepath.Join(dir, "main.go"), filepath.Join(mustAbs(t, "."), "program", "main.go")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {here: source}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "build", "-overlay", file, "-o", binary, filepath.Dir(here)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// TestLinksAndTargetsExist checks that files linked to are there, and that the
// make targets named are in the Makefile.
func TestLinksAndTargetsExist(t *testing.T) {
	text := readme(t)
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join("../../..", m[1])); err != nil {
			t.Errorf("a link leads nowhere: %v", err)
		}
	}
	makefile, err := os.ReadFile("../../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`make ([a-z-]+)`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(string(makefile), "\n"+m[1]+":") {
			t.Errorf("there is no make target %q", m[1])
		}
	}
}
