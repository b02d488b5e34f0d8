package compare

import (
	"fmt"
	"strings"
)

const (
	// fewCommits is the number of commits seen in a run below which its rate is marked
	// as coarse.
	fewCommits = 20
	// busy is the use of the machine by others, in % of one core, above which a run is
	// marked as disturbed.
	busy = 5
	// goodSteady is the length of a steady part, in s, that is long enough.
	goodSteady = 60
)

// A line of the table: all runs of one entry.
type line struct {
	step   Step
	row    Row
	passed []Result
	failed []Result
}

// Markdown prints the table of a selection from everything in the history that
// belongs to it, one section per load and layout, or per curve.
func Markdown(sel Selection, history []Result) string {
	var b strings.Builder
	scale := ""
	for _, group := range groups(sel.Entries()) {
		lines := linesOf(sel, group, history)
		if lines == nil {
			continue
		}
		load := group[0].Load
		begins := load.Scale == "" || load.Scale != scale
		if b.Len() > 0 && begins {
			b.WriteByte('\n')
		}
		switch scale = load.Scale; {
		case load.Scale != "":
			scaleSection(&b, group[0], lines, begins)
		case load.Rate > 0:
			latencySection(&b, group[0], lines)
		default:
			drainSection(&b, group[0], lines)
		}
	}
	if b.Len() == 0 {
		return "no runs yet\n"
	}
	text := heading(sel, history) + b.String() + legend
	if scale != "" {
		text += scaleLegend
	}
	return text
}

const legend = `
Rates are between 30 % and 90 % of the input by committed offsets: median, and range in brackets. "Millrace :" is Millrace's median over this line's. CPU and
broker are CPU seconds per million records. Rows out is the sink's rows per input record. ` + "`~`" + `: fewer than 20 commits seen. ` + "`<`" + `: less than 60 s of steady time.
` + "`!`" + `: others used more than 5 % of a core. A run whose check failed has no figure.
`

const scaleLegend = `
In a scale table CPU and broker are ns per record of the input, and written are the bytes of keys and values of outputs and changelog per record of the input.
`

func heading(sel Selection, history []Result) string {
	machine := ""
	for _, r := range history {
		if r.Commit == sel.Commit && r.Processor != "" {
			machine = fmt.Sprintf(", %d cores, %s", r.Cores, r.Processor)
		}
	}
	return fmt.Sprintf("Commit %s, seed %d%s.\n\n", sel.Commit, sel.Seed, machine)
}

// linesOf sorts the history into the lines of a group; nil if there is nothing.
func linesOf(sel Selection, group []Step, history []Result) (lines []line) {
	any := false
	for _, step := range group {
		l := line{step: step, row: sel.Row(step)}
		for _, r := range history {
			switch {
			case r.Row != l.row:
			case r.Passed():
				l.passed = append(l.passed, r)
			default:
				l.failed = append(l.failed, r)
			}
		}
		any = any || len(l.passed)+len(l.failed) > 0
		lines = append(lines, l)
	}
	if !any {
		return nil
	}
	return lines
}

func drainSection(b *strings.Builder, step Step, lines []line) {
	fmt.Fprintf(b, "### %s, %s (%s keys)\n\n", step.Load.Name, step.Layout, short(step.Load.Keys))
	b.WriteString("| contender | input | runs | k records/s | Millrace : | CPU | broker | RSS MB | rows out | others % | check |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|\n")
	ours := rateOf(lines, func(e Entry) bool { return e.Peer == Millrace })
	for _, l := range lines {
		rate := each(l.passed, func(r Result) float64 { return r.Rate })
		fmt.Fprintf(b, "| %s | %s | %d | %s | %s | %s | %s | %s | %s | %s | %s |\n",
			l.name(), short(l.row.Records), len(l.passed), l.rates(rate), ratio(ours, rate),
			figure(each(l.passed, func(r Result) float64 { return r.CPU }), "%.2f"),
			figure(each(l.passed, func(r Result) float64 { return r.Broker }), "%.2f"),
			figure(each(l.passed, func(r Result) float64 { return float64(r.PeakRSS) / (1 << 20) }), "%.0f"),
			figure(each(l.passed, func(r Result) float64 { return float64(r.Sink) / float64(max(1, r.Records)) }), "%.2f"),
			figure(each(l.passed, func(r Result) float64 { return r.Others }), "%.0f"), l.check())
	}
	if one := ratio(ours, rateOf(lines, func(e Entry) bool { return e.Config == matchedLoop })); one != "" {
		fmt.Fprintf(b, "\nlambda, to the matched loop: %s\n", one)
	}
}

func latencySection(b *strings.Builder, step Step, lines []line) {
	fmt.Fprintf(b, "### %s, %s (%d records/s)\n\n", step.Load.Name, step.Layout, step.Load.Rate)
	b.WriteString("| contender | runs | p50 ms | p99 ms | p99.9 ms | sender p99.9 ms | check |\n|---|---|---|---|---|---|---|\n")
	for _, l := range lines {
		fmt.Fprintf(b, "| %s | %d | %s | %s | %s | %s | %s |\n", l.name(), len(l.passed),
			ranged(each(l.passed, func(r Result) float64 { return r.P50 }), "%.1f"),
			ranged(each(l.passed, func(r Result) float64 { return r.P99 }), "%.1f"),
			ranged(each(l.passed, func(r Result) float64 { return r.P999 }), "%.1f"),
			ranged(each(l.passed, func(r Result) float64 { return r.Sender }), "%.1f"), l.check())
	}
}

// scaleSection is the points of one load; the first of a curve begins its table.
func scaleSection(b *strings.Builder, step Step, lines []line, begins bool) {
	if begins {
		fmt.Fprintf(b, "### scale of %s, %s\n\n", step.Load.Scale, step.Layout)
		b.WriteString("| load | input | runs | k records/s | CPU ns | broker ns | written bytes | RSS MB | check |\n|---|---|---|---|---|---|---|---|---|\n")
	}
	for _, l := range lines {
		fmt.Fprintf(b, "| %s | %s | %d | %s | %s | %s | %s | %s | %s |\n",
			strings.TrimPrefix(step.Load.Name, "scale-"), short(l.row.Records), len(l.passed),
			l.rates(each(l.passed, func(r Result) float64 { return r.Rate })),
			figure(each(l.passed, func(r Result) float64 { return r.CPU * 1e3 }), "%.0f"),
			figure(each(l.passed, func(r Result) float64 { return r.Broker * 1e3 }), "%.0f"),
			figure(each(l.passed, func(r Result) float64 { return float64(r.OutputBytes+r.ChangelogBytes) / float64(max(1, r.Records)) }), "%.1f"),
			figure(each(l.passed, func(r Result) float64 { return float64(r.PeakRSS) / (1 << 20) }), "%.0f"), l.check())
	}
}

// rateOf is the rate of the first line of such an entry.
func rateOf(lines []line, such func(Entry) bool) Spread {
	for _, l := range lines {
		if such(l.step.Entry) {
			return each(l.passed, func(r Result) float64 { return r.Rate })
		}
	}
	return Spread{}
}

func (l line) name() string {
	name := l.step.Entry.Peer
	if l.step.Entry.Config != "" {
		name += " " + l.step.Entry.Config
	}
	return fmt.Sprintf("%s, %d ms", name, l.step.Entry.CommitMS)
}

// rates with the marks of what is doubtful about them.
func (l line) rates(rate Spread) string {
	text := ranged(Spread{Median: rate.Median / 1e3, Min: rate.Min / 1e3, Max: rate.Max / 1e3, N: rate.N}, "%.0f")
	for _, m := range []struct {
		mark string
		bad  func(Result) bool
	}{
		{"~", func(r Result) bool { return r.Figures.Commits < fewCommits }},
		{"<", func(r Result) bool { return r.Steady < goodSteady }},
		{"!", func(r Result) bool { return r.Others > busy }},
	} {
		for _, r := range l.passed {
			if m.bad(r) {
				text += " " + m.mark
				break
			}
		}
	}
	return text
}

func (l line) check() string {
	switch n := len(l.failed); {
	case n == 0 && len(l.passed) == 0:
		return "not run"
	case n == 0 && l.step.Entry.matches():
		return "its volume only"
	case n == 0 && l.step.Entry.Slack > 0:
		return fmt.Sprintf("pass but the last %d s", l.step.Entry.Slack/1000)
	case n == 0:
		return Pass
	default:
		return fmt.Sprintf("%d FAILED: %s", n, brief(l.failed[n-1].Check))
	}
}

// brief cuts a complaint to what fits into a table.
func brief(text string) string {
	const most = 80
	text = strings.NewReplacer("\n", " ", "|", "/").Replace(text)
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}

// ratio of our median to another line's.
func ratio(ours, theirs Spread) string {
	if ours.N == 0 || theirs.N == 0 || theirs.Median == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", ours.Median/theirs.Median)
}

func figure(s Spread, format string) string {
	if s.N == 0 {
		return ""
	}
	return fmt.Sprintf(format, s.Median)
}

func ranged(s Spread, format string) string {
	switch s.N {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(format, s.Median)
	}
	return fmt.Sprintf(format+" ["+format+"-"+format+"]", s.Median, s.Min, s.Max)
}

// short writes a count with k or M where that is exact.
func short(n int64) string {
	switch {
	case n >= million && n%million == 0:
		return fmt.Sprintf("%d M", n/million)
	case n >= 1000 && n%1000 == 0:
		return fmt.Sprintf("%d k", n/1000)
	}
	return fmt.Sprint(n)
}
