//go:build synctests

package sim

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// twoStages has a scenario run the workloads with a repartition, and nothing
// else.
func (o *Options) twoStages() { o.Workloads = []string{regroup, chain} }

// unreadable has somebody hold a transaction open at the start of one source
// partition, for much longer than it takes a partition to be idle, while the
// others are read to their ends. It is not idle: all of it is still to come.
func unreadable(o *Options) func(*sim) {
	o.twoStages()
	o.Preload, o.Idle, o.Blocked = true, 2*time.Second, true
	return func(s *sim) {
		s.pass(25 * time.Second)
		s.unblock()
	}
}

// refusedAcrossStages has commits of the first stage fail in the middle, after
// the records were sent and before the offsets are in.
func refusedAcrossStages(o *Options) func(*sim) {
	o.twoStages()
	return func(s *sim) {
		d := newDice(s.opt.Seed, "script")
		for range 12 {
			s.pass(time.Second + d.upTo(4*time.Second))
			s.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.UnknownServerError})
		}
	}
}

// readersMove has the tasks of the second stage go to other hosts in the middle
// of the input, again and again, while one source partition is quiet: what its
// task said is not said again.
func readersMove(o *Options) func(*sim) {
	o.twoStages()
	o.Quiet, o.Idle, o.Preload = true, 0, false
	return func(s *sim) {
		d := newDice(s.opt.Seed, "script")
		s.pass(35 * time.Second)
		for range 4 {
			s.pass(8*time.Second + d.upTo(4*time.Second))
			if p := s.hosts[d.below(len(s.hosts))].process.Load(); p != nil {
				p.crash()
			}
		}
	}
}

// outrun holds up a host until others have its tasks, have gone on and have
// deleted from the repartition topics what they processed. It reads on where
// nothing is any more, before it hears that it is out.
func outrun(o *Options) func(*sim) {
	o.twoStages()
	return func(s *sim) {
		s.pass(25 * time.Second)
		for i := range 2 {
			if p := s.hosts[(int(s.opt.Seed)+i)%len(s.hosts)].process.Load(); p != nil {
				p.link.pause(45 * time.Second)
			}
		}
		s.pass(60 * time.Second)
	}
}

// burstAfterQuiet has nothing come for some minutes, so that every partition is
// idle and its time follows the clock, and then everything at once, with the
// time of the day. Nothing of it is late.
func burstAfterQuiet(o *Options) func(*sim) {
	o.twoStages()
	o.Clocked, o.Margin, o.Idle, o.Grace = true, clockMargin, 5*time.Second, 0
	return func(*sim) {}
}

// hourBehind has one partition take records of a producer that is an hour
// behind: they are late there, and nothing else is.
func hourBehind(o *Options) func(*sim) {
	o.twoStages()
	o.Behind, o.Orderly = true, true
	return func(*sim) {}
}

// leaderless has one source partition after the other be without a leader for
// longer than its records may be behind the clock. Its time does not go on with
// the clock meanwhile, for nobody knows what comes there.
func leaderless(o *Options) func(*sim) {
	o.twoStages()
	o.Clocked, o.Margin, o.Idle, o.Grace = true, clockMargin, time.Second, 0
	return func(s *sim) {
		for p := range int32(o.Partitions) {
			s.pass(5 * time.Second)
			over := s.outage(place{s.opt.sources()[0], p}, kmsg.Fetch, kmsg.ListOffsets)
			s.pass(o.Bound + 2*clockMargin)
			over()
		}
	}
}
