package demo

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// A Killer ends its own process, with SIGKILL, in the midst of a commit: the
// first time that Step is reached after Commits commits have succeeded. It
// reports each step before that, a line each, for the one who counts.
//
// Several goroutines may use it: two commits may be on their way at once.
type Killer struct {
	Armed   bool
	Commits int
	Step    string
	Report  io.Writer

	mu    sync.Mutex // held for good by who is about to die
	ended int
}

// At is called at each step of each commit.
func (k *Killer) At(step string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fmt.Fprintln(k.Report, step)
	if k.due(step) {
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill() // the parent notices if it had no effect
		}
		select {} // nothing more is done while the signal is on its way
	}
}

// due says whether this is the step to die at. If the commit it was meant for
// went by without it, any step will do.
func (k *Killer) due(step string) bool {
	if step == stepAfterEnd {
		k.ended++
	}
	if !k.Armed {
		return false
	}
	commit := k.ended // of the commits, the one this step belongs to, from 0
	if step == stepAfterEnd || step == stepAfterApply {
		commit--
	}
	return commit > k.Commits || (commit == k.Commits && step == k.Step)
}
