package proc

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	// A program's name may hold blanks and parentheses.
	stat := "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 123 45 0 0 20 0 9 0 77 1000 200\n"
	if got, err := parseStat([]byte(stat)); err != nil || got != 1680*time.Millisecond {
		t.Errorf("stat of a process: %v, %v", got, err)
	}
	if _, err := parseStat([]byte("42 (x) S 1")); err == nil {
		t.Error("half a stat is taken")
	}
	if got, err := parseMachine("cpu  100 20 3 4000 5 6 7 8 0 0\ncpu0 1 2 3 4\n"); err != nil || got != 1230*time.Millisecond {
		t.Errorf("stat of the machine: %v, %v", got, err)
	}
	if _, err := parseMachine("intr 1 2 3 4"); err == nil {
		t.Error("another line is taken for the machine's")
	}
	m, err := parseStatus("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n")
	if err != nil || m.Resident != 1<<20 || m.Peak != 2<<20 {
		t.Errorf("memory %v, %v", m, err)
	}
	if _, err := parseStatus("Name:\tx\nState:\tZ (zombie)\n"); err == nil {
		t.Error("a zombie has memory")
	}
}

func TestOfThisProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("skipped: no /proc")
	}
	for spun := 0; ; spun++ {
		if used, err := CPU(os.Getpid()); err != nil {
			t.Fatal(err)
		} else if used > 0 {
			break
		}
	}
	if all, err := Machine(); err != nil || all <= 0 {
		t.Errorf("the machine has used %v, %v", all, err)
	}
	if m, err := MemoryOf(os.Getpid()); err != nil || m.Resident <= 0 || m.Peak < m.Resident {
		t.Errorf("memory %v, %v", m, err)
	}
}

func start(t *testing.T, script string) *Child {
	t.Helper()
	dir := t.TempDir()
	c, err := Start(Command{
		Args: []string{"sh", "-c", script}, Env: []string{"SAY=hello"},
		Stdout: filepath.Join(dir, "out"), Stderr: filepath.Join(dir, "err"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChild(t *testing.T) {
	c := start(t, "echo $SAY >&2; exit 3")
	if err := c.Err(); err == nil || c.LastWords() != "hello" {
		t.Errorf("ended with %v, said %q", err, c.LastWords())
	}
	if err := c.Terminate(t.Context()); err != nil {
		t.Errorf("stopping what has ended: %v", err)
	}
	c.Kill() // of what has ended, does nothing

	if err := start(t, "exec sleep 600").Terminate(t.Context()); err != nil {
		t.Error(err)
	}

	c = start(t, "trap '' TERM; echo deaf >&2; while :; do sleep 1; done")
	for c.LastWords() != "deaf" {
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Terminate(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "killed") {
		t.Errorf("a deaf process stopped: %v", err)
	}
	if _, err := MemoryOf(c.PID()); err == nil {
		t.Error("a dead process has memory")
	}
}

func TestStartFails(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	if _, err := Start(Command{Args: []string{"/nothing/here"}, Stdout: log, Stderr: log}); err == nil {
		t.Error("started a program that is not there")
	}
	if _, err := Start(Command{Args: []string{"true"}, Stdout: "/nothing/here", Stderr: log}); err == nil {
		t.Error("wrote where nothing can be")
	}
}
