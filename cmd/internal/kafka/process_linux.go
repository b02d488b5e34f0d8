package kafka

import (
	"os/exec"
	"syscall"
)

// tie has the system kill the child when the thread that starts it ends, so that
// a test that is killed leaves no broker behind.
func tie(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
