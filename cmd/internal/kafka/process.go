package kafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// errExited says that the broker's process ended before it was ready, as it does
// when another process has taken its port.
var errExited = errors.New("kafka: the broker ended before it was ready")

// lastWordsSize bounds how much of a broker's log an error quotes, in bytes.
const lastWordsSize = 2000

// process is one child process. done is closed once it is gone and waited for;
// err may be read after that.
type process struct {
	pid  int
	log  string // path of the file that takes its output
	proc *os.Process
	done chan struct{}
	err  error
}

// launch starts a program whose output goes to a file.
//
// One goroutine starts the child and waits for it, locked to its thread: the
// child is tied to that thread's life (tie), so the thread must not end before
// the child.
func launch(log, program string, args ...string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("kafka: the broker's log: %w", err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = out, out
	tie(cmd)
	p := &process{log: log, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer func() { _ = out.Close() }()
		err := cmd.Start()
		if err == nil {
			p.proc, p.pid = cmd.Process, cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("kafka: starting %s: %w", program, err)
	}
	return p, nil
}

// terminate sends SIGTERM and waits for the end; when ctx ends first it kills.
func (p *process) terminate(ctx context.Context) error {
	if err := p.proc.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.kill()
		return fmt.Errorf("kafka: asking the broker to stop: %w", err)
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("kafka: the broker was killed, it had not stopped in time: %w", context.Cause(ctx))
	}
}

// kill ends the process and returns when it is gone. That the process is gone
// already is the only way the signal can fail.
func (p *process) kill() {
	_ = p.proc.Kill()
	<-p.done
}

// lastWords is the end of the process's output.
func (p *process) lastWords() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	if len(text) > lastWordsSize {
		text = text[len(text)-lastWordsSize:]
	}
	if words := strings.TrimSpace(string(text)); words != "" {
		return words
	}
	return "(nothing)"
}
