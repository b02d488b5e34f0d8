package demo

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestVictimCountsRealCrashesOnly: what does not die by SIGKILL was not
// crashed, whatever it says.
func TestVictimCountsRealCrashesOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the processors of this test are shell scripts")
	}
	cluster, err := openCluster(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	// The argument --kill-step is there as long as a crash is wanted.
	for _, c := range []struct {
		name, script         string
		crashes              int // wanted
		fails                string
		wantCrash, wantEnded int
	}{
		{"dies as told", `case "$*" in *--kill-step*) echo after-end; kill -9 $$;; esac; echo after-end`, 3, "", 3, 4},
		{"is done too early", "exit 0", 3, "after 0 of 3 crashes", 0, 0},
		{"fails", "echo broken >&2; exit 3", 3, "the processor, after 0 crashes: exit status 3", 0, 0},
		{"dies of something else", "kill -15 $$", 3, "signal: terminated", 0, 0},
		{"dies untold", "kill -9 $$", 0, "killed, but not by the demo", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "processor")
			if err := os.WriteFile(program, []byte("#!/bin/sh\n"+c.script+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			var talk strings.Builder
			v := victim{opt: Options{Crashes: c.crashes, Executable: program}, cluster: cluster, console: newConsole(&talk), loaded: 1000}
			err := v.run(t.Context())
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("%v, want %q", err, c.fails)
			}
			if v.crashes != c.wantCrash || v.commits != c.wantEnded {
				t.Errorf("%d crashes and %d commits, want %d and %d; it said\n%s", v.crashes, v.commits, c.wantCrash, c.wantEnded, talk.String())
			}
		})
	}
}
