package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// crashCommitRecords is how often a processor that is to be killed commits.
const crashCommitRecords = 100

// stopGrace is how long a processor that is asked to stop may take.
const stopGrace = 20 * time.Second

// ChildCommand is the hidden command that runs a Job in a process of its own.
const ChildCommand = "demo-processor"

// A victim is the processor in a process of its own, which is killed and
// started again as often as the options say, and then left in peace.
type victim struct {
	job     Job
	opt     Options
	cluster *Cluster
	console *Console
	loaded  int64

	commits, crashes int
}

func (v *victim) run(ctx context.Context) error {
	p := newPlan(v.opt.Seed)
	for v.crashes < v.opt.Crashes {
		done, err := v.cluster.committed(ctx)
		if err != nil {
			return err
		}
		left := int((v.loaded - done + crashCommitRecords - 1) / crashCommitRecords)
		survive, step := p.next(left, v.opt.Crashes-v.crashes)
		killed, err := v.live(ctx, "--kill-commit", strconv.Itoa(survive), "--kill-step", step)
		if err != nil {
			return err
		}
		if !killed {
			return fmt.Errorf("the log was done after %d of %d crashes: use a smaller --crash or a longer --input", v.crashes, v.opt.Crashes)
		}
		v.crashes++
		v.console.Say("crash %d of %d: killed at %s, %d commits so far", v.crashes, v.opt.Crashes, step, v.commits)
	}
	killed, err := v.live(ctx)
	if err == nil && killed {
		err = errors.New("the processor was killed, but not by the demo")
	}
	return err
}

// live runs the processor until it is killed or done.
func (v *victim) live(ctx context.Context, args ...string) (killed bool, err error) {
	cmd := exec.CommandContext(ctx, v.opt.Executable, append([]string{
		ChildCommand, "--brokers", strings.Join(v.job.Brokers, ","), "--state-dir", v.job.StateDir,
		"--run", v.job.BoundedRun, "--commit-records", strconv.Itoa(v.job.CommitRecords),
	}, args...)...)
	cmd.Stderr = v.console
	report, err := cmd.StdoutPipe()
	if err != nil {
		return false, fmt.Errorf("start the processor: %w", err)
	}
	life, err := cmd.StdinPipe() // open as long as we live: the child stops when it is closed
	if err != nil {
		return false, fmt.Errorf("start the processor: %w", err)
	}
	cmd.Cancel, cmd.WaitDelay = life.Close, stopGrace
	if err := cmd.Start(); err != nil {
		return false, fmt.Errorf("start the processor: %w", err)
	}
	v.count(report)
	err = cmd.Wait()
	_ = life.Close() // Wait has closed it already
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
			return true, nil
		}
	}
	if err != nil {
		return false, fmt.Errorf("the processor, after %d crashes: %w", v.crashes, err)
	}
	return false, nil
}

// count counts the commits that the child reports until it ends.
func (v *victim) count(report io.Reader) {
	lines := bufio.NewScanner(report)
	for lines.Scan() {
		if lines.Text() == stepAfterEnd {
			v.commits++
		}
	}
}
