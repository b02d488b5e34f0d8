package main

import (
	"cmp"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/testdata"
)

// Variants of the real log that show what it does not: late requests and
// broken lines. They depend on the seed alone.

// maxDisplaced is by how much a line may come too late.
const maxDisplaced = 10 * time.Minute

var lineTime = regexp.MustCompile(`\[[^\]]+\]`)

// lateLog spreads the requests of each hour over the whole hour (the real log
// has them all in one minute) and then has one line in eight logged up to
// ten minutes late.
func lateLog(seed uint64) string {
	random := rand.New(rand.NewPCG(seed, 1))
	type entry struct {
		line string
		at   time.Time // of the request
		seen time.Time // when it is logged
	}
	byHour := map[time.Time][]string{}
	for line := range strings.Lines(testdata.WebAccessLog()) {
		at, err := time.Parse("[02/Jan/2006:15:04:05 -0700]", lineTime.FindString(line))
		if err != nil {
			panic(err)
		}
		hour := at.UTC().Truncate(time.Hour)
		byHour[hour] = append(byHour[hour], line)
	}
	var all []entry
	for hour, lines := range byHour {
		for i, line := range lines {
			at := hour.Add(time.Duration(i) * time.Hour / time.Duration(len(lines))).Truncate(time.Second)
			all = append(all, entry{
				line: lineTime.ReplaceAllLiteralString(line, at.Format("[02/Jan/2006:15:04:05 -0700]")),
				at:   at,
			})
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(a.at.Compare(b.at), strings.Compare(a.line, b.line)) })
	const displacedIn = 8 // one line in eight comes too late
	for i := range all {
		if all[i].seen = all[i].at; random.IntN(displacedIn) == 0 {
			all[i].seen = all[i].at.Add(time.Duration(random.Int64N(int64(maxDisplaced))))
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int { return a.seen.Compare(b.seen) })
	var b strings.Builder
	for _, e := range all {
		b.WriteString(e.line)
	}
	return b.String()
}

// brokenLog makes one line in a hundred no request, each in one of many ways,
// the first line always.
func brokenLog(log string, seed uint64) string {
	random := rand.New(rand.NewPCG(seed, 2))
	ways := []func(line string) string{
		func(string) string { return "" },
		func(string) string { return "\x00\x01 not a log line \"\\" },
		func(line string) string { return lineTime.ReplaceAllLiteralString(line, "-") },
		func(line string) string {
			return lineTime.ReplaceAllLiteralString(line, "[31/Feb/2015:10:05:03 +0000]")
		},
		func(line string) string { return lineTime.ReplaceAllLiteralString(line, "[17/May/2015 10:05]") },
		func(line string) string { return line[strings.IndexByte(line, ' '):] },
		func(line string) string { return line[:strings.IndexByte(line, '"')] },
		func(line string) string { return line[:strings.IndexByte(line, '"')+4] },
		func(line string) string { return regexp.MustCompile(`" \d{3} `).ReplaceAllLiteralString(line, `" - `) },
		func(line string) string {
			return regexp.MustCompile(`(" \d{3}) (\d+|-)`).ReplaceAllString(line, `$1 many`)
		},
		func(line string) string { return regexp.MustCompile(`(" \d{3}) .*`).ReplaceAllString(line, `$1`) },
	}
	const oneIn = 100
	var b strings.Builder
	n := 0
	for line := range strings.Lines(log) {
		if n++; n == 1 || random.IntN(oneIn) == 0 {
			line = ways[random.IntN(len(ways))](strings.TrimSuffix(line, "\n")) + "\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

// TestVariantsShowWhatTheyAreFor guards the tests that use them: a variant
// without late requests or broken lines would prove nothing.
func TestVariantsShowWhatTheyAreFor(t *testing.T) {
	for seed := range uint64(3) {
		want := recompute(lateLog(seed))
		if late, windows := want.rows("web.traffic.late"), want.rows("web.traffic.5m"); late < 200 || windows < 2000 {
			t.Errorf("seed %d: %d late requests, %d windows", seed, late, windows)
		}
		if dead := recompute(brokenLog(testdata.WebAccessLog(), seed)).rows("web.access.dead"); dead < 60 || dead > 160 {
			t.Errorf("seed %d: %d broken lines of 10,000", seed, dead)
		}
	}
	real := recompute(testdata.WebAccessLog())
	if late, dead := real.rows("web.traffic.late"), real.rows("web.access.dead"); late != 0 || dead != 0 {
		t.Errorf("the real log has %d late requests and %d broken lines", late, dead)
	}
}
