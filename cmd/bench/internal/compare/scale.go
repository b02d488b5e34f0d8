package compare

import "fmt"

// Scale loads are Millrace alone on the windowed count, as in the load tumble but for
// the one thing that grows from load to load: what a thousand times the keys, 64 times
// the partitions or the open windows cost. Each is named scale-WHAT-SIZE.

// scaleRecords sizes their inputs: seconds of steady time, for the shape of a curve
// matters here and not its last percent.
const scaleRecords = 15 * million

// openWindow is the size of the windows of the workloads in ms: so much more grace
// keeps one window more open.
const openWindow = 10_000

func scales() (all []Load) {
	add := func(what, size string, change func(*Load)) {
		l := Load{
			Name: "scale-" + what + "-" + size, Scale: what, Layout: Pinned, Workload: "tumble", Keys: 10_000,
			Entries: []Entry{{Peer: Millrace, CommitMS: 100, Records: scaleRecords}},
		}
		change(&l)
		all = append(all, l)
	}
	for _, n := range []int64{1_000, 10_000, 100_000, million, 10 * million} {
		add("keys", exponent(n), func(l *Load) { l.Keys = n })
	}
	add("keys", "zipf-"+exponent(million), func(l *Load) { l.Keys, l.Zipf = million, 1 })
	for _, n := range []int{1, 4, 16, 64} {
		add("partitions", fmt.Sprint(n), func(l *Load) { l.Partitions = n })
	}
	for _, n := range []int64{1, 10, 100} {
		add("windows", fmt.Sprint(n), func(l *Load) {
			// Slower event time, so that the input is long enough for the last point.
			l.Workload, l.EventRate, l.Grace = "tumblefinal", 5_000, (n-1)*openWindow
		})
	}
	for _, ms := range []int{10, 20, 50, 100, 300, 1000} {
		add("commit", fmt.Sprint(ms), func(l *Load) { l.Entries[0].CommitMS = ms })
	}
	for _, n := range []int{1, 2} {
		add("workers", fmt.Sprint(n), func(l *Load) { l.Layout, l.Threads = Shared, n })
	}
	return all
}

// exponent writes a power of ten with k or m.
func exponent(n int64) string {
	if n >= million {
		return fmt.Sprintf("%dm", n/million)
	}
	return fmt.Sprintf("%dk", n/1000)
}
