// Package compare runs contenders over the same topics of a real Kafka broker, one
// after the other: plain client loops that mark the limit, Millrace, Kafka Streams
// and Flink. One observer outside of all of them measures each in the same way,
// the output of each run is checked, and what is found goes to a history that a
// table is printed from.
//
//	catalog    which loads there are, and how each peer runs them best
//	scale      loads for Millrace alone, in which one thing grows
//	plan       which runs are still missing
//	contender  the command line of a run
//	site       one run: topics, process, check, tidying up; latency its other half
//	observe    committed offsets and CPU time, ten times a second
//	history    one JSON line per run
//	table      medians, ranges and ratios as markdown
package compare

import "slices"

// Peers, in the order of the table.
const (
	Loop         = "loop"
	Millrace     = "millrace"
	KafkaStreams = "kafka-streams"
	Flink        = "flink"
)

// Peers lists the peers.
func Peers() []string { return []string{Loop, Millrace, KafkaStreams, Flink} }

const (
	// matchedLoop is the loop that reads and writes as much as Millrace did in the same
	// place, matchedPipe the same with pipelined commits, so that ours flatter nobody.
	matchedLoop = "L3"
	matchedPipe = "L3p"

	million = 1_000_000

	// most bounds every input: 30 M records are 4 GB of log.
	most = 30 * million

	// emitSlack is the event time of the windows that Kafka Streams may still hold
	// when it looks for closed ones once a second, as it does by default: those that
	// the flush records close, 60 s ahead, and the one before.
	emitSlack = 80_000
)

// A Load is one row of the goals: a workload of the contract over keys of a number.
type Load struct {
	Name     string
	Workload string
	// Keys is the number of key ids.
	Keys int64
	// Rate is the records per second of a latency load; 0: the input is drained.
	Rate    int
	Entries []Entry
	Shape
	// Scale is what grows from load to load; such loads run on demand only.
	Scale string
	// Layout is the only one of the load; empty: both.
	Layout string
	// Threads of the contender; 0: as many as the layout has cores for it.
	Threads int
	// Grace of windows in ms.
	Grace int64
}

// An Entry is a peer in one configuration.
type Entry struct {
	Peer string
	// Config is the name the peer knows its configuration by; for loops the mode.
	Config string
	// CommitMS is the commit or checkpoint interval in ms.
	CommitMS int
	// Records sizes the input: a minute between 30 % and 90 % of it, from the best
	// rate known, at most 30 M.
	Records int64
	// Flags are added to the peer's command line.
	Flags []string
	// Slack of the check in ms, see workload.Check.
	Slack int64
	// Extra entries are no candidates for the best and run on demand only.
	Extra bool
}

// Loads lists all loads. Which configuration is a peer's best is what was measured
// with all of them: see the README of each peer.
func Loads() []Load { return slices.Concat(goals(), scales()) }

func goals() []Load {
	return []Load{
		drain("map", "map", 10_000, streams("K2", most), flink("F1", most)),
		drain("tumble", "tumble", 10_000, streams("K3", most), flink("F1", most)),
		drain("tumblefinal", "tumblefinal", 10_000, onClose(streams("K3", most)), flink("F1", most)),
		drain("tumble1m", "tumble", million, streams("K3", 8*million), flink("F1", most)),
		drain("tumblefinal1m", "tumblefinal", million, onClose(streams("K3", 8*million)), flink("F1", most)),
		drain("hop", "hop", 10_000, streams("K3", 3*million), flink("F1", 10*million)),
		drain("hopfinal", "hopfinal", 10_000, onClose(streams("K3", 1_500_000)), flink("F1", 25*million)),
		drain("session", "session", 10_000, streams("K2", 5*million), nil),
		drain("sessionfinal", "sessionfinal", 10_000, onClose(streams("K2", 3*million)), flink("F1", most)),
		inMemory(drain("dedupkeys", "dedupkeys", 10*million, streams("K3", most), flink("F1", most))),
		capped("dedupkeys256m", "dedupkeys", 10*million, 12*million),
		latency("lat5k", 5_000),
		latency("lat20k", 20_000),
	}
}

// matches reports whether an entry is a matched loop.
func (e Entry) matches() bool { return e.Config == matchedLoop || e.Config == matchedPipe }

func drain(name, workload string, keys int64, streams, flink []Entry) Load {
	loops := []Entry{
		{Peer: Loop, Config: "L2", CommitMS: 100, Records: most},
		{Peer: Millrace, CommitMS: 100, Records: most},
		{Peer: Loop, Config: matchedLoop, CommitMS: 100, Records: most},
		{Peer: Loop, Config: matchedPipe, CommitMS: 100, Records: most},
	}
	return Load{Name: name, Workload: workload, Keys: keys, Entries: slices.Concat(loops, streams, flink)}
}

// inMemory has Millrace hold state that does not fit into its default of memory, as
// Flink does on the heap.
func inMemory(l Load) Load {
	for i := range l.Entries {
		if l.Entries[i].Peer == Millrace {
			l.Entries[i].Config = "M2"
		}
	}
	return l
}

// capped has everybody keep a large state in 256 MiB of memory. The state grows with the
// input, so all get the same.
func capped(name, workload string, keys, records int64) Load {
	l := drain(name, workload, keys, nil, nil)
	for i := range l.Entries {
		l.Entries[i].Records = records
		if l.Entries[i].Peer == Millrace {
			l.Entries[i].Config = "M3"
		}
	}
	l.Entries = append(l.Entries,
		Entry{Peer: KafkaStreams, Config: "K4", CommitMS: 100, Records: records},
		Entry{Peer: Flink, Config: "F2-256m", CommitMS: 1_000, Records: records, Flags: []string{"--set", "taskmanager.memory.managed.size=256m"}})
	return l
}

// streams are the configurations of Kafka Streams, the best one first.
func streams(best string, records int64) (all []Entry) {
	for _, config := range []string{"K1", "K2", "K3"} {
		all = append(all, Entry{Peer: KafkaStreams, Config: config, CommitMS: 100, Records: records, Extra: config != best})
	}
	return all
}

// onClose adds for each configuration the product's own interval of looking for
// closed windows. It is faster, but what the end of the input closes stays inside.
func onClose(entries []Entry) (all []Entry) {
	for _, e := range entries {
		second := e
		second.Config += "-emit1s"
		second.Flags = []string{"--emit-interval-ms", "1000"}
		second.Slack = emitSlack
		e.Extra = true // slower than the product as it is
		all = append(all, second, e)
	}
	return all
}

// flink are the configurations of Flink; the best one checkpoints each second.
func flink(best string, records int64) (all []Entry) {
	for _, ms := range []int{100, 1_000, 10_000} {
		all = append(all, Entry{Peer: Flink, Config: "F1", CommitMS: ms, Records: records, Extra: best != "F1" || ms != 1_000})
	}
	return append(all, Entry{Peer: Flink, Config: "F2", CommitMS: 1_000, Records: records, Extra: best != "F2"})
}

// latency is map under an open-loop load: a minute of it.
func latency(name string, rate int) Load {
	n := int64(rate) * 60
	return Load{Name: name, Workload: "map", Keys: 10_000, Rate: rate, Entries: []Entry{
		{Peer: Loop, Config: "L2", CommitMS: 100, Records: n},
		{Peer: Millrace, CommitMS: 100, Records: n},
		{Peer: KafkaStreams, Config: "K2", CommitMS: 100, Records: n},
		{Peer: Flink, Config: "F1", CommitMS: 100, Records: n},
		{Peer: Loop, Config: "L2p", CommitMS: 20, Records: n},
		{Peer: Millrace, CommitMS: 20, Records: n},
		{Peer: KafkaStreams, Config: "K2", CommitMS: 20, Records: n, Extra: true},
	}}
}
