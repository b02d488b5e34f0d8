//go:build synctests

package sim

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/worker"
	"github.com/millrace/millrace/state"
)

// quiet are the options of a directed scenario: those of the seed, without any
// fault.
func quiet(seed uint64) Options {
	o := draw(seed)
	o.Crash, o.Stall, o.Dawdle, o.LostRequest, o.LostResponse, o.Slow, o.Unanswered = 0, 0, 0, 0, 0, 0, 0
	o.BrokerFault, o.Freeze, o.Restart = 0, 0, 0
	o.Bounded, o.Hollow, o.Stepped, o.InputTxn, o.Trouble, o.Shared, o.Workers = false, false, false, false, false, true, 1
	o.Workloads = []string{countEach, countWindows}
	o.CommitInterval, o.CommitRecords, o.PollRecords, o.QueueRecords = 100*time.Millisecond, 0, 100, 1000
	o.Calm = 100 * time.Second
	return o
}

// owner returns the process that runs the task of a partition of the first
// source, and its name in the group; nil if nobody does.
func (s *sim) owner(partition int32) (*process, string) {
	info := s.cluster.GroupInfo(application)
	if info == nil {
		return nil, ""
	}
	for _, m := range info.Members {
		for _, p := range m.Assignment[s.opt.sources()[0]] {
			if p != partition {
				continue
			}
			for _, h := range s.hosts {
				if q := h.process.Load(); q != nil && q.member.Load() == any(m.MemberID) {
					return q, m.MemberID
				}
			}
		}
	}
	return nil, ""
}

// oneRecordRefused has the broker refuse the records of one partition, now and
// then, while all others of the same transaction are taken.
func oneRecordRefused(*Options) func(*sim) {
	return func(s *sim) {
		d := newDice(s.opt.Seed, "script")
		for range 12 {
			s.pass(time.Second + d.upTo(4*time.Second))
			s.cluster.Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.UnknownServerError,
				Topic:      pick(d, countsTopic, state.ChangelogTopic(application, "count")),
				Partitions: []int32{int32(d.below(s.opt.Partitions))},
			})
		}
	}
}

// pass lets virtual time pass, unless the run ends.
func (s *sim) pass(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.stop.Done():
	}
}

// silentRejoin has a member thrown out of the group in a way its client does
// not tell: its attempts to join again are lost until its session is over, so
// the first answer it gets is that nobody knows it, and it joins under another
// name. All the while its worker is busy with one record.
func silentRejoin(*Options) func(*sim) {
	return func(s *sim) {
		d := newDice(s.opt.Seed, "script")
		var busy atomic.Int32
		busy.Store(-1)
		s.watch.on(nil, func(at place) {
			if busy.CompareAndSwap(at.partition, -1) {
				s.trace.add("user code is busy with a record of %v", at)
				time.Sleep(22*time.Second + d.upTo(8*time.Second))
			}
		})
		s.pass(10*time.Second + d.upTo(5*time.Second))
		for range 2 {
			partition := int32(d.below(s.opt.Partitions))
			p, member := s.owner(partition)
			if p == nil {
				s.pass(time.Second)
				continue
			}
			busy.Store(partition)
			s.evict(member, 12*time.Second)
			s.pass(32 * time.Second)
		}
	}
}

// evict makes a member join again and loses its requests to do so for a while.
func (s *sim) evict(member string, d time.Duration) {
	s.trace.add("member %s is cut off from joining", member)
	until := time.Now().Add(d)
	s.cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.RebalanceInProgress,
		When: func(r kmsg.Request) bool { return r.(*kmsg.HeartbeatRequest).MemberID == member },
	})
	s.cluster.ControlKey(int16(kmsg.JoinGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
		switch {
		case time.Now().After(until):
			s.cluster.DropControl()
			return nil, nil, false
		case r.(*kmsg.JoinGroupRequest).MemberID != member:
			return nil, nil, false
		}
		s.cluster.KeepControl()
		return nil, errors.New("sim: dropped"), true
	})
}

// transactionAtTail has somebody hold a transaction open on a changelog, as a
// stalled former owner does, while the task commits behind it and then moves.
func transactionAtTail(*Options) func(*sim) {
	return func(s *sim) {
		d := newDice(s.opt.Seed, "script")
		s.pass(8*time.Second + d.upTo(4*time.Second))
		for range 2 {
			partition := int32(d.below(s.opt.Partitions))
			closeIt := s.openTransaction(state.ChangelogTopic(application, "count"), partition)
			s.pass(4*time.Second + d.upTo(2*time.Second))
			if p, _ := s.owner(partition); p != nil {
				p.crash()
			}
			s.pass(15 * time.Second)
			closeIt()
			s.pass(10 * time.Second)
		}
	}
}

// openTransaction writes a record and leaves its transaction open until the
// function that is returned is called.
func (s *sim) openTransaction(topic string, partition int32) (abort func()) {
	client, err := kgo.NewClient(append(s.client(), kgo.TransactionalID("former-owner"), kgo.TransactionTimeout(time.Minute),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err == nil {
		err = client.BeginTransaction()
	}
	if err == nil {
		err = client.ProduceSync(context.Background(), &kgo.Record{Topic: topic, Partition: partition, Key: []byte("\x01stray"), Value: []byte("stray")}).FirstErr()
	}
	if err != nil {
		s.bad("open a transaction: %v", err)
		return func() {}
	}
	return func() {
		if err := client.EndTransaction(context.Background(), kgo.TryAbort); err != nil {
			s.bad("abort a transaction: %v", err)
		}
		client.Close()
	}
}

// zombieFires makes a live run that leaves windows open, and then a bounded one
// that has nothing to read, only to fire. The first process that is about to
// commit what fired is held up for longer than its session and shorter than
// its transaction.
func zombieFires(o *Options) func(*sim) {
	o.Endless, o.Calm, o.Transaction = true, 60*time.Second, 90*time.Second
	return func(s *sim) {
		for s.running() && (!s.fed() || s.behind() != "") {
			s.pass(time.Second)
		}
		var stalled atomic.Bool
		s.watch.on(func(p *process, step worker.Step) {
			if p.bounded && step == worker.AfterFlush && !stalled.Swap(true) {
				p.stall(step, 40*time.Second)
			}
		}, nil)
		s.bounded.Store(true)
		for _, h := range s.hosts {
			if p := h.process.Load(); p != nil {
				p.told.Store(true)
				p.cancel()
			}
		}
		s.pass(time.Minute)
	}
}
