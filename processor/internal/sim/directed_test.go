//go:build synctests

package sim

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/worker"
	"github.com/millrace/millrace/state"
)

// A scenario is a run whose faults are chosen by hand.
type scenario struct {
	name string
	make func(*Options) func(*sim) // may change the options
}

func (c *scenario) draw(seed uint64) (Options, func(*sim)) {
	o := quiet(seed)
	script := c.make(&o)
	return o, script
}

func scenarios() []*scenario {
	return []*scenario{
		{"oneRecordRefused", oneRecordRefused}, {"silentRejoin", silentRejoin}, {"busyRejoin", busyRejoin},
		{"transactionAtTail", transactionAtTail}, {"zombieFires", zombieFires},
		{"unreadable", unreadable}, {"refusedAcrossStages", refusedAcrossStages}, {"readersMove", readersMove},
		{"outrun", outrun}, {"burstAfterQuiet", burstAfterQuiet}, {"hourBehind", hourBehind}, {"leaderless", leaderless},
	}
}

// quiet are the options of a directed scenario: those of the seed, without any
// fault.
func quiet(seed uint64) Options {
	o := draw(seed)
	o.Crash, o.Stall, o.Dawdle, o.LostRequest, o.LostResponse, o.Slow, o.Unanswered = 0, 0, 0, 0, 0, 0, 0
	o.BrokerFault, o.Outage, o.Freeze, o.Restart = 0, 0, 0, 0
	o.Bounded, o.Hollow, o.Stepped, o.InputTxn, o.Trouble, o.Shared, o.Workers = false, false, false, false, false, true, 1
	o.Workloads = []string{countEach, countWindows}
	o.CommitInterval, o.CommitRecords, o.TurnRecords, o.QueueRecords = 100*time.Millisecond, 0, 100, 1000
	o.Preload, o.Quiet, o.Behind, o.Clocked, o.Idle, o.Down = false, false, false, false, 0, 3
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

// silentRejoin has members thrown out of the group in a way their clients do not
// tell: the first they hear is, on joining again, that nobody knows them, and
// they join under another name and keep what they had. In between the others
// may have taken their tasks over, and may be gone again; the worker may be
// busy with one record all the while.
func silentRejoin(*Options) func(*sim) {
	return rejoins(3, func(seed uint64, round int) int { return (int(seed) + round) % 3 })
}

// busyRejoin is silentRejoin with others that take the tasks over, again and
// again.
func busyRejoin(*Options) func(*sim) { return rejoins(8, func(uint64, int) int { return 1 }) }

// rejoins throws members out in so many rounds, each in the way that kind says.
func rejoins(rounds int, kind func(seed uint64, round int) int) func(*sim) {
	return func(s *sim) {
		d := newDice(s.opt.Seed, "script")
		var busy atomic.Int32
		busy.Store(-1)
		s.watch.on(nil, func(at place) {
			if busy.CompareAndSwap(at.partition, -1) {
				s.trace.add("user code is busy with a record of %v", at)
				time.Sleep(13*time.Second + d.upTo(4*time.Second))
			}
		})
		s.pass(8*time.Second + d.upTo(5*time.Second))
		for i := range rounds {
			partition := int32(d.below(s.opt.Partitions))
			_, member := s.owner(partition)
			if member == "" {
				s.pass(time.Second)
				continue
			}
			switch kind(s.opt.Seed, i) {
			case 0: // nobody else had it
				s.evict(member, 0)
			case 1: // others took it over
				busy.Store(partition)
				s.evict(member, 10*time.Second)
			case 2: // and are gone again
				s.evict(member, 10*time.Second)
				s.pass(9500 * time.Millisecond)
				if p, _ := s.owner(partition); p != nil {
					p.told.Store(true)
					p.cancel()
				}
			}
			s.pass(20 * time.Second)
		}
	}
}

// evict takes a member out of the group. For a while its heartbeats are
// answered as if nothing had happened, then it is asked to join again.
func (s *sim) evict(member string, deaf time.Duration) {
	s.trace.add("member %s is thrown out", member)
	until := time.Now().Add(deaf)
	s.cluster.ControlKey(int16(kmsg.Heartbeat), func(r kmsg.Request) (kmsg.Response, error, bool) {
		if r.(*kmsg.HeartbeatRequest).MemberID != member {
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.HeartbeatResponse)
		if time.Now().Before(until) {
			s.cluster.KeepControl()
		} else {
			resp.ErrorCode = kerr.RebalanceInProgress.Code
		}
		return resp, nil, true
	})
	client, err := kgo.NewClient(s.client()...)
	if err == nil {
		defer client.Close()
		_, err = leaveRequest(member).RequestWith(context.Background(), client)
	}
	if err != nil {
		s.bad("throw a member out: %v", err)
	}
}

func leaveRequest(member string) *kmsg.LeaveGroupRequest {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = application, member
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID = member
	req.Members = append(req.Members, m)
	return req
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
			if p.bounded && step == commit.AfterFlush && !stalled.Swap(true) {
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
