package compare

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// A Series makes the runs that are missing and keeps the table up to date.
type Series struct {
	Selection Selection
	Site      *Site
	// History is the path of the file that runs are added to.
	History string
	// Save is told the table after each run.
	Save func(table string) error
	Talk io.Writer
}

// Run makes all missing runs; what was made is in the history also when it fails. The
// error of a run that could not be made ends the series; a run whose output is wrong
// does not.
func (s Series) Run(ctx context.Context) error {
	history, err := ReadHistory(s.History)
	if err != nil {
		return err
	}
	plan := s.Selection.Plan(history)
	fmt.Fprintf(s.Talk, "%d runs to make, %d lines in the history\n", len(plan), len(history))
	for i, step := range plan {
		if err := s.Site.Prepare(ctx, s.Selection, plan[i:]); err != nil {
			return err
		}
		if i == 0 {
			if err := s.rehearse(ctx, step); err != nil {
				return err
			}
		}
		if step.Entry.matches() && matched(history, s.Selection.Row(step)) == nil {
			fmt.Fprintf(s.Talk, "%d/%d %s: left out, there is no run of Millrace to match\n", i+1, len(plan), s.title(step))
			continue
		}
		r, err := s.Site.Do(ctx, s.Selection, step, history)
		if err != nil {
			return fmt.Errorf("%s: %w", s.title(step), err)
		}
		fmt.Fprintf(s.Talk, "%d/%d %s: %s\n", i+1, len(plan), s.title(step), r.words())
		if err := AppendHistory(s.History, r); err != nil {
			return err
		}
		history = append(history, r)
		if err := s.Save(Markdown(s.Selection, history)); err != nil {
			return err
		}
	}
	return nil
}

// rehearse makes a run that nobody counts: a broker that has just started serves
// transactions at several times the cost of one that has its code compiled, and the
// first contender should not pay for that.
func (s Series) rehearse(ctx context.Context, first Step) error {
	if first.Load.Rate > 0 {
		return nil // has a time of warming up
	}
	first.Entry = Entry{Peer: Loop, Config: "L2", CommitMS: 100, Records: first.Entry.Records}
	r, err := s.Site.Do(ctx, s.Selection, first, nil)
	if err != nil {
		return fmt.Errorf("rehearsal: %w", err)
	}
	fmt.Fprintf(s.Talk, "rehearsal: %s\n", r.words())
	return nil
}

// Build builds the peers that the plan needs.
func (s Series) Build(ctx context.Context) error {
	built := make(map[string]bool)
	for _, step := range s.Selection.Entries() {
		peer := step.Entry.Peer
		if peer == Loop || peer == Millrace || built[peer] {
			continue
		}
		if err := Build(ctx, filepath.Join(s.Site.Tools.Peers, peer)); err != nil {
			return err
		}
		built[peer] = true
	}
	return nil
}

func (s Series) title(step Step) string {
	return fmt.Sprintf("%s %s, %s", step.Load.Name, step.Layout, line{step: step, row: s.Selection.Row(step)}.name())
}

// words of a result for whoever watches.
func (r Result) words() string {
	switch {
	case !r.Passed():
		return "FAILED: " + strings.ReplaceAll(r.Check, "\n", "; ")
	case r.P50 > 0:
		return fmt.Sprintf("p50 %.1f p99 %.1f p99.9 %.1f ms", r.P50, r.P99, r.P999)
	}
	return fmt.Sprintf("%.0f k records/s for %.1f s, %.2f CPU s/M, broker %.2f, %d MB, %d commits seen, others %.0f %%",
		r.Rate/1e3, r.Steady, r.CPU, r.Broker, r.PeakRSS>>20, r.Figures.Commits, r.Others)
}
