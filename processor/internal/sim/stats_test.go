//go:build synctests

package sim

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// stats counts what happened in a run, or in many.
type stats struct {
	commits, aborts, unknown, crashes, stalls, freezes, restarts         atomic.Int64
	broken, restores, restored, rebuilt, faults, losses, poisoned, exits atomic.Int64
	checked                                                              atomic.Int64 // outputs compared

	mu    sync.Mutex
	notes map[string]int // errors and warnings, by their text without numbers
}

func newStats() *stats { return &stats{notes: map[string]int{}} }

func (s *stats) counters() []*atomic.Int64 {
	return []*atomic.Int64{
		&s.commits, &s.aborts, &s.unknown, &s.crashes, &s.stalls, &s.freezes, &s.restarts,
		&s.broken, &s.restores, &s.restored, &s.rebuilt, &s.faults, &s.losses, &s.poisoned, &s.exits, &s.checked,
	}
}

func (s *stats) add(o *stats) {
	theirs := o.counters()
	for i, c := range s.counters() {
		c.Add(theirs[i].Load())
	}
	for text, n := range o.notes {
		s.mu.Lock()
		s.notes[text] += n
		s.mu.Unlock()
	}
}

// note counts an error under its text, ids and numbers left out.
func (s *stats) note(kind string, err error) {
	text := kind + ": " + notLetters.ReplaceAllString(err.Error(), "#")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes[text]++
}

var notLetters = regexp.MustCompile(`[0-9a-f]+(-[0-9a-f]+)+(_[a-z]+)?|[0-9]+(_[0-9]+)?|kgo-[0-9a-f]+`)

// topNotes lists the notes, most frequent first.
func (s *stats) topNotes(limit int) []string {
	texts := slices.SortedFunc(maps.Keys(s.notes), func(a, b string) int { return s.notes[b] - s.notes[a] })
	var out []string
	for _, text := range texts[:min(limit, len(texts))] {
		out = append(out, fmt.Sprintf("%6d %s", s.notes[text], text))
	}
	return out
}

func (s *stats) line(seeds, violated int, virtual, wall time.Duration) string {
	return fmt.Sprintf("seeds=%d violated=%d commits=%d aborts=%d unknown=%d crashes=%d stalls=%d freezes=%d restarts=%d exits=%d "+
		"broken=%d restores=%d restored=%d rebuilt=%d faults=%d losses=%d poisoned=%d checked=%d virtual=%v wall=%v",
		seeds, violated, s.commits.Load(), s.aborts.Load(), s.unknown.Load(), s.crashes.Load(), s.stalls.Load(), s.freezes.Load(),
		s.restarts.Load(), s.exits.Load(), s.broken.Load(), s.restores.Load(), s.restored.Load(), s.rebuilt.Load(), s.faults.Load(), s.losses.Load(),
		s.poisoned.Load(), s.checked.Load(), virtual.Round(time.Second), wall.Round(time.Millisecond))
}
