package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/millrace/millrace/cmd/internal/workload"
)

// check compares a sink with the truth; any difference is an error.
func check(fs *flag.FlagSet) action {
	name := fs.String("workload", "", "one of "+strings.Join(workload.Workloads(), ", "))
	in := fs.String("in", "", "input topic; for joins LEFT,RIGHT or STREAM,TABLE")
	sink := fs.String("out", "", "sink topic")
	grace := fs.Int64("grace", 0, "grace in ms (tumble, hop, session, also final)")
	slack := fs.Int64("slack", 0, "final modes: rows of windows that closed within this many ms of the end of the stream may be missing")
	return func(ctx context.Context, cluster workload.Cluster, out io.Writer) error {
		if *in == "" || *sink == "" {
			return errors.New("check: -in and -out are required")
		}
		v, err := workload.Check{
			Cluster: cluster, Workload: *name, Inputs: strings.Split(*in, ","), Sink: *sink, Grace: *grace, Slack: *slack,
		}.Run(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, v)
		return v.Err()
	}
}
