//go:build synctests

package sim

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/internal/worker"
	"github.com/millrace/millrace/state"
)

// watchStep is how often the committed offsets are looked at.
const watchStep = 50 * time.Millisecond

type place struct {
	topic     string
	partition int32
}

func (p place) String() string { return fmt.Sprintf("%s/%d", p.topic, p.partition) }

// A watch looks at the group from the broker's side while the run goes on:
// committed offsets grow (I6), watermarks never go back (I8), and nobody commits
// what was assigned to another (I5).
type watch struct {
	s *sim

	mu       sync.Mutex
	assigned map[int32]map[place]string // by generation, who got what
	topicIDs map[[16]byte]string
	onStep   func(*process, worker.Step) // of the script
	onRecord func(place)                 // likewise
	seen     map[place]committed
	heard    map[string]time.Time // of each member of the group, when last

	generation int32     // of the group, when last looked at
	since      time.Time // it has been there and balancing
	barrier    *kfake.FaultHandle
}

type committed struct {
	offset int64
	meta   task.Meta
}

func newWatch(s *sim) *watch {
	w := &watch{s: s, assigned: map[int32]map[place]string{}, topicIDs: map[[16]byte]string{}, seen: map[place]committed{}, heard: map[string]time.Time{}}
	for _, topic := range s.opt.sources() {
		w.learn(topic)
	}
	s.cluster.ControlKey(int16(kmsg.SyncGroup), w.synced)
	s.cluster.ControlKey(int16(kmsg.TxnOffsetCommit), w.txnCommitting)
	s.cluster.ControlKey(int16(kmsg.OffsetCommit), w.committing)
	s.cluster.ControlKey(int16(kmsg.JoinGroup), w.hear)
	s.cluster.ControlKey(int16(kmsg.Heartbeat), w.hear)
	return w
}

// synced learns from the leader who is assigned what.
func (w *watch) synced(r kmsg.Request) (kmsg.Response, error, bool) {
	_, _, _ = w.hear(r)
	req := r.(*kmsg.SyncGroupRequest)
	if len(req.GroupAssignment) == 0 {
		return nil, nil, false
	}
	owners := map[place]string{}
	for _, m := range req.GroupAssignment {
		var a kmsg.ConsumerMemberAssignment
		if err := a.ReadFrom(m.MemberAssignment); err != nil {
			continue
		}
		for _, t := range a.Topics {
			for _, p := range t.Partitions {
				at := place{t.Topic, p}
				if other, double := owners[at]; double {
					w.s.bad("I5: generation %d assigns %v to %s and to %s", req.Generation, at, other, m.MemberID)
				}
				owners[at] = m.MemberID
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.assigned[req.Generation] = owners
	return nil, nil, false
}

func (w *watch) txnCommitting(r kmsg.Request) (kmsg.Response, error, bool) {
	req := r.(*kmsg.TxnOffsetCommitRequest)
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			w.checkOwner(req.Group, req.MemberID, req.Generation, w.name(t.Topic, t.TopicID), p.Partition, p.Offset)
		}
	}
	return nil, nil, false
}

func (w *watch) committing(r kmsg.Request) (kmsg.Response, error, bool) {
	req := r.(*kmsg.OffsetCommitRequest)
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			w.checkOwner(req.Group, req.MemberID, req.Generation, w.name(t.Topic, t.TopicID), p.Partition, p.Offset)
		}
	}
	return nil, nil, false
}

func (w *watch) name(topic string, id [16]byte) string {
	if topic == "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.topicIDs[id]
	}
	return topic
}

// learn notes the id of a topic, if it exists.
func (w *watch) learn(topic string) {
	if info := w.s.cluster.TopicInfo(topic); info != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.topicIDs[info.TopicID] = topic
	}
}

// checkOwner is I5. A partition that is nobody's in a generation is being
// handed over: its old owner may still commit.
func (w *watch) checkOwner(group, member string, generation int32, topic string, partition int32, offset int64) {
	if group != application {
		return
	}
	w.mu.Lock()
	owner := w.assigned[generation][place{topic, partition}]
	w.mu.Unlock()
	if owner != "" && owner != member {
		w.s.bad("I5: member %s commits offset %d of %s/%d in generation %d, in which that belongs to %s", member, offset, topic, partition, generation, owner)
	}
}

// run looks at the committed offsets until the run ends.
func (w *watch) run() {
	client, err := kgo.NewClient(w.s.client()...)
	if err != nil {
		w.s.bad("watch: %v", err)
		return
	}
	defer client.Close()
	for w.s.running() {
		w.look()
		w.buryGhosts(client)
		w.unblock()
		time.Sleep(watchStep)
	}
}

// ghostAge is how long a member of the group may be silent: longer than any
// wait for the others to join.
const ghostAge = 35 * time.Second

func (w *watch) hear(r kmsg.Request) (kmsg.Response, error, bool) {
	var member string
	switch r := r.(type) {
	case *kmsg.JoinGroupRequest:
		member = r.MemberID
	case *kmsg.SyncGroupRequest:
		member = r.MemberID
	case *kmsg.HeartbeatRequest:
		member = r.MemberID
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard[member] = time.Now()
	return nil, nil, false
}

// Limits of how long the group may wait for its members to join.
const (
	balanceAge   = 40 * time.Second // longer than any real one takes
	balanceQuiet = 16 * time.Second // longer than the rebalance timeout
)

// unblock ends a rebalance that does not end by itself. A real broker waits for
// the rebalance timeout; the fake one waits anew after each member that joins,
// and clients that give up and join again in turn keep it from ever being done.
// Here nobody can join for a while, so that its wait ends.
func (w *watch) unblock() {
	info := w.s.cluster.GroupInfo(application)
	if info == nil || info.State != "PreparingRebalance" || info.Epoch != w.generation {
		if info != nil {
			w.generation = info.Epoch
		}
		w.since = time.Now()
	}
	switch {
	case w.barrier != nil && time.Since(w.since) > balanceAge+balanceQuiet, w.barrier != nil && time.Since(w.since) < balanceAge:
		w.barrier.Remove()
		w.barrier, w.since = nil, time.Now()
	case w.barrier == nil && time.Since(w.since) > balanceAge:
		w.s.trace.add("nobody can join for %v, so that the rebalance ends", balanceQuiet)
		w.barrier = w.s.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.CoordinatorLoadInProgress, Count: -1})
	}
}

// buryGhosts takes members out of the group that have not been heard of for
// long. A real broker does that when their session is over; the fake one keeps
// a member for ever whose connection was lost while it joined, and begins to
// wait for it anew with each member that joins.
func (w *watch) buryGhosts(client *kgo.Client) {
	info := w.s.cluster.GroupInfo(application)
	if info == nil {
		return
	}
	for _, m := range info.Members {
		w.mu.Lock()
		at, known := w.heard[m.MemberID]
		if !known {
			w.heard[m.MemberID] = time.Now()
		}
		w.mu.Unlock()
		if !known || time.Since(at) < ghostAge {
			continue
		}
		w.s.trace.add("member %s is taken out: its session is over", m.MemberID)
		ctx, cancel := context.WithTimeout(w.s.stop, time.Second)
		_, _ = leaveRequest(m.MemberID).RequestWith(ctx, client) // it is tried again if it fails
		cancel()
	}
}

func (w *watch) look() {
	info := w.s.cluster.GroupInfo(application)
	if info == nil {
		return
	}
	for _, topic := range w.s.repartitions() {
		w.learn(topic)
	}
	for topic, ps := range info.Commits {
		for p, c := range ps {
			w.check(place{topic, p}, c.Offset, c.Metadata)
		}
	}
}

func (w *watch) check(at place, offset int64, metadata string) {
	meta, err := task.DecodeMeta(metadata)
	if err != nil {
		w.s.bad("%v: committed offset %d has metadata %q: %v", at, offset, metadata, err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before, known := w.seen[at]
	w.seen[at] = committed{offset, meta}
	switch {
	case !known:
	case offset < before.offset:
		w.s.bad("I6: %v: committed offset went back from %d to %d", at, before.offset, offset)
	case before.meta.Run != "" && (meta.Run != before.meta.Run || w.ends(at, meta) != w.ends(at, before.meta) || meta.LogicalNow != before.meta.LogicalNow):
		w.s.bad("%v: the bounds of the run changed from %+v to %+v", at, before.meta, meta)
	case before.meta.Finished && !meta.Finished:
		w.s.bad("%v: a finished run is not finished any more", at)
	}
	if known {
		w.s.backwards(fmt.Sprintf("commit of %v@%d", at, offset), before.meta.Watermark, meta.Watermark, before.meta.Upstream, meta.Upstream)
	}
	w.s.finite(fmt.Sprintf("commit of %v@%d", at, offset), state.Position{Inputs: []state.Input{{Watermark: meta.Watermark, Upstream: meta.Upstream}}})
}

// ends is where a bounded run stops reading; a repartition topic has no such
// place.
func (w *watch) ends(at place, meta task.Meta) int64 {
	if slices.Contains(w.s.opt.sources(), at.topic) {
		return meta.End
	}
	return 0
}

// last returns the committed offset that was seen last.
func (w *watch) last(at place) (committed, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.seen[at]
	return c, ok
}

// reached tells the script of a step of a commit, on the worker's goroutine.
func (w *watch) reached(p *process, step worker.Step) {
	w.mu.Lock()
	f := w.onStep
	w.mu.Unlock()
	if f != nil {
		f(p, step)
	}
}

// saw tells the script of a record that user code sees, on the worker's
// goroutine.
func (w *watch) saw(at place) {
	w.mu.Lock()
	f := w.onRecord
	w.mu.Unlock()
	if f != nil {
		f(at)
	}
}

// on sets what the script is told.
func (w *watch) on(step func(*process, worker.Step), record func(place)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onStep, w.onRecord = step, record
}
