package proc

import (
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// Pin binds all threads of a process, and those it will start, to a list of cores
// as taskset writes it: "0", "1,3", "0-3".
func Pin(pid int, cores string) error {
	out, err := exec.Command("taskset", "-acp", cores, strconv.Itoa(pid)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("proc: pinning process %d to cores %s: %w: %s", pid, cores, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// AllCores is the list of every core of the machine.
func AllCores() string { return "0-" + strconv.Itoa(runtime.NumCPU()-1) }
