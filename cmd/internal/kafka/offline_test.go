package kafka

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A machine without Java says so, and does not look like a broken broker.
func TestNoJava(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	b, err := Start(t.Context(), Options{})
	if b != nil || !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "java") {
		t.Errorf("got %v, %v", b, err)
	}
}

// Without Maven only a filled cache helps.
func TestNoMaven(t *testing.T) {
	source, err := sourceDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if _, err := fetch(t.Context(), source); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "mvn") {
		t.Errorf("got %v", err)
	}
}

// A Maven that fails is told as it is, and leaves no half-filled cache.
func TestMavenFails(t *testing.T) {
	bin, cache := t.TempDir(), t.TempDir()
	script := "#!/bin/sh\necho no such artifact\nexit 1\n"
	if err := os.WriteFile(filepath.Join(bin, "mvn"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	t.Setenv("HOME", cache)
	t.Setenv("XDG_CACHE_HOME", cache)
	source, err := sourceDir()
	if err != nil {
		t.Fatal(err)
	}
	_, err = fetch(t.Context(), source)
	if err == nil || errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "no such artifact") {
		t.Errorf("got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "*", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestProperties(t *testing.T) {
	source, err := sourceDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, err := writeProperties(source, dir, 1234, 5678, map[string]string{"b": "2", "num.partitions": "9"})
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for _, want := range []string{
		"listeners=PLAINTEXT://127.0.0.1:1234,CONTROLLER://127.0.0.1:5678\n",
		"controller.quorum.voters=1@127.0.0.1:5678\n",
		"log.dirs=" + filepath.ToSlash(filepath.Join(dir, "data")) + "\n",
		"group.initial.rebalance.delay.ms=0\n",
		"group.min.session.timeout.ms=1000\n",
		"transaction.abort.timed.out.transaction.cleanup.interval.ms=1000\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no line %q in\n%s", want, text)
		}
	}
	if !strings.HasSuffix(text, "b=2\nnum.partitions=9\n") {
		t.Errorf("the extra settings are not last:\n%s", text)
	}
}

func TestClusterID(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		id, err := clusterID()
		if err != nil || len(id) != 22 || id[0] == '-' || seen[id] {
			t.Fatalf("id %q, %v", id, err)
		}
		seen[id] = true
	}
}
