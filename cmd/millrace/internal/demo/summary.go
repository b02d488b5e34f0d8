package demo

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// busiestShown is how many of the busiest client windows a summary names.
const busiestShown = 10

// A summary is what came of one run.
type summary struct {
	log      string
	seed     uint64
	loaded   int64
	windows  int64
	late     int64
	dead     int64
	commits  int
	crashes  int
	requests int64 // counted in windows
	elapsed  time.Duration
	busiest  []windowRow // busiest first
}

// show reads the results back from their topics and prints them: as JSON, with
// the summary among the talk, or the summary alone.
func show(ctx context.Context, opt Options, cluster *Cluster, s *summary) error {
	out := bufio.NewWriter(opt.Out)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	print := func(row any) error {
		if opt.Output != JSON {
			return nil
		}
		return encoder.Encode(row)
	}
	err := cluster.readOutput(ctx, outlet{
		window: func(r windowRow) error { s.addWindow(r); return print(r) },
		late:   func(r recordRow) error { s.late++; return print(r) },
		dead:   func(r recordRow) error { s.dead++; return print(r) },
	})
	if werr := out.Flush(); werr != nil { // it keeps its first error
		return fmt.Errorf("write the result: %w", werr)
	}
	if err != nil {
		return err
	}
	if opt.Output == JSON {
		s.print(opt.Talk)
	} else {
		s.print(out)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return s.check()
}

// check compares the sums: every line is in exactly one place.
func (s *summary) check() error {
	if got := s.requests + s.late + s.dead; got != s.loaded {
		return fmt.Errorf("of %d lines %d are in windows, %d late and %d dead-lettered, %d in all: this is a bug in Millrace, please report it",
			s.loaded, s.requests, s.late, s.dead, got)
	}
	return nil
}

func (s *summary) addWindow(r windowRow) {
	s.windows++
	s.requests += r.Value.Requests
	at, _ := slices.BinarySearchFunc(s.busiest, r, byRequests)
	if at < busiestShown {
		s.busiest = slices.Insert(s.busiest, at, r)
		s.busiest = s.busiest[:min(len(s.busiest), busiestShown)]
	}
}

// byRequests sorts the busiest first and leaves no order to chance.
func byRequests(a, b windowRow) int {
	return cmp.Or(cmp.Compare(b.Value.Requests, a.Value.Requests), cmp.Compare(b.Value.Bytes, a.Value.Bytes),
		cmp.Compare(a.WindowStart, b.WindowStart), strings.Compare(a.Key, b.Key))
}

func (s *summary) print(w io.Writer) {
	fmt.Fprintln(w)
	line := func(name, value, note string) {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-14s %10s  %s", name, value, note), " "))
	}
	line("records in", grouped(s.loaded), accessTopic().Name+", from "+s.log)
	line("windows out", grouped(s.windows), trafficTopic().Name+", per client and 5 minutes")
	line("late", grouped(s.late), lateTopic().Name)
	line("dead-lettered", grouped(s.dead), deadTopic)
	line("throughput", grouped(int64(float64(s.loaded)/max(s.elapsed.Seconds(), 1e-9))),
		fmt.Sprintf("records/s, over %s from start to end", s.elapsed.Round(time.Millisecond)))
	line("commits", grouped(int64(s.commits)), "transactions, exactly once")
	if s.crashes > 0 {
		line("crashes", grouped(int64(s.crashes)), fmt.Sprintf("SIGKILL in the midst of a commit, seed %d", s.seed))
	}
	if len(s.busiest) == 0 {
		return
	}
	width := len("client")
	for _, r := range s.busiest {
		width = max(width, len(printable(r.Key)))
	}
	fmt.Fprintf(w, "\n  the busiest client windows (UTC)\n\n  %-16s  %-5s  %-*s  %8s  %13s\n", "from", "to", width, "client", "requests", "bytes")
	for _, r := range s.busiest {
		from, to := time.UnixMilli(r.WindowStart).UTC(), time.UnixMilli(r.WindowEnd).UTC()
		fmt.Fprintf(w, "  %-16s  %-5s  %-*s  %8s  %13s\n", from.Format("2006-01-02 15:04"), to.Format("15:04"),
			width, printable(r.Key), grouped(r.Value.Requests), grouped(r.Value.Bytes))
	}
}

// clientShown is how much of a client's name a summary shows; an IPv6 address
// fits.
const clientShown = 39

// printable keeps what a log contains from driving the terminal.
func printable(client string) string {
	quoted := strconv.QuoteToASCII(client)
	quoted = quoted[1 : len(quoted)-1]
	if len(quoted) > clientShown {
		return quoted[:clientShown-3] + "..."
	}
	return quoted
}

// grouped writes n with commas between the thousands.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
