//go:build synctests

package sim

import (
	"fmt"
	"slices"
	"time"
)

// Options are all the choices of one run. They follow from the seed, except
// what a directed scenario sets by hand.
type Options struct {
	Seed       uint64
	Hosts      int
	Workers    int // per host
	Partitions int
	Brokers    int
	Records    int // of each source partition
	Keys       int // of each source topic
	Workloads  []string
	Shared     bool // all workloads read one topic, so that they share tasks
	Bounded    bool
	Stepped    bool          // brokers without transaction.version 2
	InputTxn   bool          // the input is transactional, some of it aborted
	Trouble    bool          // input holds records that must be dropped or dead-lettered
	Hollow     bool          // one partition of each topic has no record
	Endless    bool          // no last record that closes the windows
	Preload    bool          // all input is there before the first process starts
	Far        bool          // one record of each partition is of the year 2085
	Blocked    bool          // one source partition cannot be read until a script lets it
	Quiet      bool          // one partition of each topic gets few records and no last one
	Behind     bool          // some records of one partition are an hour behind the others
	Clocked    bool          // event time is the wall clock's, with a long pause in it; idle partitions follow it
	Margin     time.Duration // with Clocked: how much later than by their bound records may come
	Orderly    bool          // no record is late, but for those that are an hour behind
	Idle       time.Duration // after which a partition at its end is idle; 0: never
	Down       int           // partitions of repartition topics
	Input      uint64        // seed of the input
	Calm       time.Duration

	CommitInterval time.Duration
	CommitRecords  int
	TurnRecords    int
	QueueRecords   int
	Session        time.Duration
	Transaction    time.Duration
	Bound, Grace   time.Duration // of event time
	Size, Advance  time.Duration

	Crash, Stall              float64 // chances per step of a commit
	Dawdle                    float64 // chance per record that user code takes seconds
	Unsynced                  int     // percent of unsynced data that a crash keeps, at most
	LostRequest, LostResponse float64 // chances per socket operation
	Slow                      float64 // chance that a request is held back
	Unanswered                float64 // chance that the answer to the end of a transaction is lost
	BrokerFault               time.Duration
	BadDisk                   float64       // chance that a commit cannot be applied
	Outage                    time.Duration // mean time between source partitions without a leader; 0: never
	Freeze                    time.Duration // mean time between held-up links; 0: never
	Restart                   time.Duration // mean time between clean restarts of a host; 0: never
}

// The workloads.
const (
	countEach    = "count"   // a table that sends every change
	countWindows = "windows" // final results of windows, and late records
	lastWindows  = "latest"  // the last value of each window at each commit
	mapEach      = "map"     // no state
)

// draw chooses the options of a seed.
func draw(seed uint64) Options {
	d := newDice(seed, "options")
	o := Options{
		Seed: seed, Hosts: 3, Workers: 1, Partitions: 4, Brokers: 3,
		Records: d.between(60, 150), Keys: d.between(3, 12),
		Shared: d.hit(0.6), Bounded: d.hit(0.35), Stepped: d.hit(0.2), InputTxn: d.hit(0.3), Trouble: d.hit(0.6),
		Calm: time.Duration(d.between(90, 200)) * time.Second,

		CommitInterval: pick(d, 20*time.Millisecond, 100*time.Millisecond, 500*time.Millisecond),
		CommitRecords:  pick(d, 0, 0, 5, 25),
		TurnRecords:    pick(d, 3, 20, 100),
		QueueRecords:   pick(d, 10, 50, 1000),
		Session:        8 * time.Second,
		Transaction:    12 * time.Second,
		Bound:          time.Duration(d.between(0, 20)) * time.Second,
		Grace:          time.Duration(d.below(3)) * 10 * time.Second,
		Size:           30 * time.Second,
		Input:          seed,
		Down:           pick(d, 3, 3, 1, 4, 5),
	}
	o.Advance = pick(d, o.Size, o.Size, 10*time.Second)
	for _, w := range []string{countEach, countWindows, lastWindows, mapEach, regroup, chain} {
		if d.hit(0.5) {
			o.Workloads = append(o.Workloads, w)
		}
	}
	if len(o.Workloads) == 0 {
		o.Workloads = []string{countEach, countWindows, regroup, chain}
	}
	if d.hit(0.15) {
		o.Workers = 2
	}
	o.Hollow = o.Bounded && d.hit(0.4)
	o.Behind = d.hit(0.2)
	if !o.Bounded {
		o.Quiet = d.hit(0.25)
	}
	// What is idle depends on the wall clock, but not where all input is there
	// before: then the output does not depend on it.
	if o.Preload = !o.Bounded && d.hit(0.3); o.Preload && d.hit(0.85) {
		o.Idle = time.Duration(d.between(1, 5)) * time.Second
	}
	o.drawFaults(d)
	if d := newDice(seed, "disk"); d.hit(0.5) {
		o.BadDisk = pick(d, 0.002, 0.01)
	}
	o.drawTime(newDice(seed, "time"))
	return o
}

// drawTime chooses what concerns time: in some seeds event time is that of the
// day, and partitions that have an idle rule cannot be read for a while although
// there is something to read. Time that is wrong shows itself in the second of
// two stages.
func (o *Options) drawTime(d *dice) {
	if !o.Bounded && !o.Preload && !o.Quiet && d.hit(0.1) {
		o.Clocked, o.Behind, o.Margin = true, false, produceLimit+clockMargin
		o.Idle = time.Duration(d.between(1, 5)) * time.Second
	}
	if d.hit(0.25) || o.Idle > 0 && d.hit(0.9) {
		o.Outage = time.Duration(d.between(10, 60)) * time.Second
	}
	if o.Idle > 0 && !slices.Contains(o.Workloads, regroup) && !slices.Contains(o.Workloads, chain) {
		o.Workloads = append(o.Workloads, pick(d, regroup, chain))
	}
}

// drawFaults leaves each kind of fault out in some seeds, so that none of them
// always hides what another one would show.
func (o *Options) drawFaults(d *dice) {
	often := func(p float64, f func()) {
		if d.hit(p) {
			f()
		}
	}
	often(0.8, func() { o.Crash = pick(d, 0.002, 0.008, 0.02) })
	often(0.7, func() { o.Stall = pick(d, 0.001, 0.004, 0.01) })
	often(0.8, func() { o.LostRequest, o.LostResponse = 0.002, 0.004 })
	often(0.5, func() { o.Dawdle = pick(d, 0.0002, 0.001) })
	often(0.5, func() { o.Slow = pick(d, 0.0005, 0.002) })
	often(0.5, func() { o.Unanswered = pick(d, 0.005, 0.03) })
	often(0.8, func() { o.BrokerFault = time.Duration(d.between(150, 1200)) * time.Millisecond })
	often(0.4, func() { o.Freeze = 30 * time.Second })
	often(0.5, func() { o.Restart = time.Duration(d.between(15, 60)) * time.Second })
	o.Unsynced = d.below(101)
}

// String is everything needed to set up the same run again.
func (o Options) String() string {
	type plain Options
	return fmt.Sprintf("%+v", plain(o))
}

// source names the topic a workload reads.
func (o *Options) source(workload string) string {
	if o.Shared {
		return "in"
	}
	return "in-" + workload
}

// sources lists the source topics.
func (o *Options) sources() []string {
	if o.Shared {
		return []string{"in"}
	}
	var all []string
	for _, w := range o.Workloads {
		all = append(all, o.source(w))
	}
	return all
}
