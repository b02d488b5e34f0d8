package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/millrace/millrace/cmd/bench/internal/compare"
	"github.com/millrace/millrace/cmd/internal/workload"
)

// chart draws the history as the picture that processor/PERFORMANCE.md opens with.
func chart(fs *flag.FlagSet) action {
	history := fs.String("history", "", "file with the runs (default: testdata/bench/history.ndjson)")
	save := fs.String("save", "", "file for the picture (default: testdata/bench/rates.svg)")
	return func(_ context.Context, _ workload.Cluster, out io.Writer) error {
		root, err := compare.Root()
		if err != nil {
			return err
		}
		if *history == "" {
			*history = filepath.Join(root, "testdata", "bench", "history.ndjson")
		}
		if *save == "" {
			*save = filepath.Join(root, "testdata", "bench", "rates.svg")
		}
		runs, err := compare.ReadHistory(*history)
		if err != nil {
			return err
		}
		if err := os.WriteFile(*save, []byte(compare.Chart(runs)), 0o644); err != nil {
			return fmt.Errorf("chart: %w", err)
		}
		fmt.Fprintln(out, "wrote", *save)
		return nil
	}
}
