package proc

import (
	"os/exec"
	"syscall"
)

// tie has the system kill the child when the thread that starts it ends, so that
// a test or a benchmark that is killed leaves nothing running.
func tie(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
