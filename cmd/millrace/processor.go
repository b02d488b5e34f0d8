package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/millrace/millrace/cmd/millrace/internal/demo"
)

// demoProcessorCommand is the processor of `demo --crash`: a process that
// reports the steps of its commits on stdout, kills itself where it is told to,
// and stops when its stdin is closed, for then its parent is gone.
func demoProcessorCommand() *cobra.Command {
	var job demo.Job
	killer := demo.Killer{Report: os.Stdout}
	cmd := &cobra.Command{
		Use:    demo.ChildCommand,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			killer.Armed = killer.Step != ""
			ctx, stop := context.WithCancel(context.WithoutCancel(cmd.Context())) // a Ctrl-C is the parent's business
			defer stop()
			go func() {
				_, _ = io.Copy(io.Discard, os.Stdin)
				stop()
			}()
			return job.Run(ctx, killer.At, func(err error) { fmt.Fprintln(os.Stderr, "warning:", err) })
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&job.Brokers, "brokers", nil, "brokers to connect to")
	f.StringVar(&job.StateDir, "state-dir", "", "where the state is kept")
	f.StringVar(&job.BoundedRun, "run", "", "name of the bounded run")
	f.IntVar(&job.CommitRecords, "commit-records", 0, "commit after this many records")
	f.IntVar(&killer.Commits, "kill-commit", 0, "die after this many commits")
	f.StringVar(&killer.Step, "kill-step", "", "die at this step of the next commit")
	return cmd
}
