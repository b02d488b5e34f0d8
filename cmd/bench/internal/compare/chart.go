package compare

import (
	"fmt"
	"slices"
	"strings"
)

// The chart is the first look at the history: for each workload one bar for each
// stream processor, as long as the median of its rates, of runs on one core whose
// output was right. It shows, for each workload, the commit at which each of them has
// run most often, the latest of several. The same history gives the same bytes.

// A chartGroup is the bars of one workload.
type chartGroup struct {
	load string
	bars []chartBar
}

type chartBar struct {
	peer string
	rate float64 // records per second
}

// Sizes in pixels.
const (
	chartWidth  = 760
	chartLeft   = 110 // where bars begin
	chartRight  = 180 // room behind the longest bar for its text
	chartTop    = 34
	chartBarGap = 16
	chartGap    = 12 // between groups
)

// chartColours are the fills, in the order of chartPeers.
var chartColours = [...]string{"#1f6f8b", "#b0b7bf", "#d9a566"}

// chartPeers are the contenders that are drawn.
func chartPeers() []string { return []string{Millrace, KafkaStreams, Flink} }

// Chart draws the history as an SVG picture.
func Chart(history []Result) string {
	groups := chartGroups(history)
	longest := 0.0
	bars := 0
	for _, g := range groups {
		for _, b := range g.bars {
			longest, bars = max(longest, b.rate), bars+1
		}
	}
	height := chartTop + bars*chartBarGap + len(groups)*chartGap
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", chartWidth, height)
	fmt.Fprintf(&out, `<rect width="%d" height="%d" fill="white"/>`+"\n", chartWidth, height)
	fmt.Fprintf(&out, `<text x="%d" y="18" font-weight="bold">thousand records per second on one core, exactly-once, output checked</text>`+"\n", chartLeft)
	y := chartTop
	for _, g := range groups {
		fmt.Fprintf(&out, `<text x="%d" y="%d" text-anchor="end" font-weight="bold">%s</text>`+"\n", chartLeft-8, y+11, g.load)
		for _, b := range g.bars {
			width := int(b.rate / longest * (chartWidth - chartLeft - chartRight))
			colour := chartColours[slices.Index(chartPeers(), b.peer)]
			fmt.Fprintf(&out, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", chartLeft, y, max(width, 1), chartBarGap-3, colour)
			fmt.Fprintf(&out, `<text x="%d" y="%d">%.0f %s</text>`+"\n", chartLeft+max(width, 1)+6, y+11, b.rate/1000, b.peer)
			y += chartBarGap
		}
		y += chartGap
	}
	out.WriteString("</svg>\n")
	return out.String()
}

// chartGroups are the workloads in the order in which they first appear.
func chartGroups(history []Result) []chartGroup {
	var runs []chartRuns
	for _, r := range history {
		if !r.Passed() || r.Layout != Pinned || r.Rate == 0 || !slices.Contains(chartPeers(), r.Peer) {
			continue
		}
		at := slices.IndexFunc(runs, func(c chartRuns) bool { return c.load == r.Load && c.commit == r.Commit })
		if at < 0 {
			at, runs = len(runs), append(runs, chartRuns{r.Load, r.Commit, map[string][]float64{}})
		}
		runs[at].rates[r.Peer] = append(runs[at].rates[r.Peer], r.Rate)
	}
	var groups []chartGroup
	for _, c := range runs {
		if !slices.ContainsFunc(groups, func(g chartGroup) bool { return g.load == c.load }) {
			if best := mostRuns(runs, c.load); best.least() > 0 {
				groups = append(groups, chartGroup{c.load, best.bars()})
			}
		}
	}
	return groups
}

// chartRuns are the rates of one workload at one commit, by contender.
type chartRuns struct {
	load, commit string
	rates        map[string][]float64
}

// mostRuns is the commit at which each contender has run a workload most often.
func mostRuns(runs []chartRuns, load string) (best chartRuns) {
	for _, c := range runs {
		if c.load == load && c.least() >= best.least() {
			best = c
		}
	}
	return best
}

// least is how often the contender has run that has run least.
func (c chartRuns) least() int {
	n := len(c.rates[Millrace])
	for _, peer := range chartPeers() {
		n = min(n, len(c.rates[peer]))
	}
	return n
}

func (c chartRuns) bars() (bars []chartBar) {
	for _, peer := range chartPeers() {
		bars = append(bars, chartBar{peer, SpreadOf(c.rates[peer]).Median})
	}
	return bars
}
