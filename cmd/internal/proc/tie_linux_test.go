package proc

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// parentRole has this test binary play the parent that is killed.
const parentRole = "MILLRACE_TEST_PARENT"

// A killed test or benchmark must not leave its processes behind.
func TestChildDiesWithParent(t *testing.T) {
	if log := os.Getenv(parentRole); log != "" {
		c, err := Start(Command{Args: []string{"sleep", "600"}, Stdout: log, Stderr: log})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(c.PID(), "started")
		<-c.Done()
		return
	}
	parent := exec.Command(os.Args[0], "-test.run=^TestChildDiesWithParent$")
	parent.Env = append(os.Environ(), parentRole+"="+filepath.Join(t.TempDir(), "log"))
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pid, _, ok := strings.Cut(line, " ")
	if err != nil || !ok || gone(pid) {
		t.Fatalf("the parent says %q, %v", line, err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed, as it should be
	for deadline := time.Now().Add(20 * time.Second); !gone(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %s outlives its parent", pid)
		}
	}
}

// gone reports whether a process has ended, waited for or not.
func gone(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}
