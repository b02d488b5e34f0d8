//go:build !linux

package proc

import "os/exec"

// tie does nothing: only Linux offers to tie a child's life to its parent's.
func tie(*exec.Cmd) {}
