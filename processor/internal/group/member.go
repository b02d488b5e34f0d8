package group

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/broker"
)

// notesKept bounds the warnings that wait for the worker.
const notesKept = 32

// eventQueue is how many group events wait for the worker before the group
// client is held up.
const eventQueue = 16

// A Member is the worker's seat in the consumer group. It never reads a record
// and never fetches an offset for anyone: the group client is used for joining,
// heartbeats and assignments only.
//
// The client's callbacks run on the client's goroutines. They post an event and,
// where partitions are taken away, wait until the worker has committed and
// closed the tasks; they touch nothing else. After Stop they return at once.
type Member struct {
	group     string
	offsets   *Offsets
	changelog func(store string) string
	client    *kgo.Client
	balancer  *balancer
	Events    chan Event // for the worker, in their order
	Notes     chan error // warnings, for the worker to pass on; lost when too many
	waker     *broker.Waker
	losses    atomic.Uint64
	asking    sync.Mutex // requests end on two goroutines; it guards silent, and that answered hears of it in order
	silent    bool       // the last request about the seat was not answered
	answered  func(bool) // is told when that changes; must not wait
	quit      chan struct{}
	cancel    context.CancelFunc
}

// A MemberConfig is what a seat in the group is made of.
type MemberConfig struct {
	Client []kgo.Opt // of all connections
	Topics []string  // that the application reads
	Layout *Layout   // of all its tasks
	// Changelog names the changelog of a store.
	Changelog func(store string) string
	// SessionTimeout, RebalanceTimeout and HeartbeatInterval are those of the group.
	SessionTimeout, RebalanceTimeout, HeartbeatInterval time.Duration
	// Answered is told when the broker that keeps the group begins to leave requests
	// about the seat unanswered, and when that ends. The client's goroutine calls it.
	Answered func(ok bool)
}

// Join opens the client that asks for a seat in the group of the offsets, and goes
// on asking until Stop. From then on events come, each of which wakes the waker.
func Join(cfg MemberConfig, offsets *Offsets, w *broker.Waker) (*Member, error) {
	ctx, cancel := context.WithCancel(context.Background())
	b := &balancer{layout: cfg.Layout}
	m := &Member{
		group: offsets.name, offsets: offsets, changelog: cfg.Changelog, balancer: b, Events: make(chan Event, eventQueue), Notes: make(chan error, notesKept),
		answered: cfg.Answered, waker: w, quit: make(chan struct{}), cancel: cancel,
	}
	b.tell, b.needs = m.note, m.needs
	client, err := kgo.NewClient(append(cfg.Client[:len(cfg.Client):len(cfg.Client)],
		kgo.WithContext(ctx),
		kgo.ConsumerGroup(m.group),
		kgo.ConsumeTopics(cfg.Topics...),
		kgo.Balancers(b),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(cfg.SessionTimeout),
		kgo.RebalanceTimeout(cfg.RebalanceTimeout),
		kgo.HeartbeatInterval(cfg.HeartbeatInterval),
		kgo.OnPartitionsAssigned(m.onAssigned),
		kgo.OnPartitionsRevoked(m.onRevoked),
		kgo.OnPartitionsLost(m.onLost),
		kgo.AdjustFetchOffsetsFn(nothing),
		kgo.WithHooks(m),
	)...)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open the group client: %w", err)
	}
	client.PauseFetchTopics(cfg.Topics...)
	m.client = client
	return m, nil
}

// nothing keeps the group client from reading what it is assigned.
func nothing(context.Context, map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	return nil, nil
}

// Identity is who the worker is now. Before the first join the member is empty.
// Anyone may ask.
func (m *Member) Identity() Identity {
	losses := m.losses.Load()
	id, generation := m.client.GroupMetadata()
	return Identity{id, generation, losses}
}

// onAssigned runs after every join, also if nothing changed. The client's view
// of what is new is passed on but not believed: after a silent rejoin it keeps
// what it had. A member that is refused has been told to give up everything by
// now, and has committed.
func (m *Member) onAssigned(_ context.Context, client *kgo.Client, added map[string][]int32) {
	said := m.balancer.word()
	if err := said.refusal(m.group, m.balancer.layout); err != nil {
		m.post(Event{Kind: Broken, Err: err})
		return
	}
	id, generation := client.GroupMetadata()
	m.post(Event{
		Kind: Assigned, Partitions: m.balancer.assignment(), Added: added, Coming: said.Coming,
		Who: Identity{id, generation, m.losses.Load()},
	})
}

func (m *Member) onRevoked(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	if len(parts) > 0 {
		m.postAndWait(Event{Kind: Revoked, Partitions: parts})
	}
}

func (m *Member) onLost(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	m.losses.Add(1)
	m.postAndWait(Event{Kind: Lost, Partitions: parts})
}

// OnGroupManageError is called by the group client when a session died, or could
// not begin. It tries again by itself, perhaps for ever.
func (m *Member) OnGroupManageError(err error) {
	for _, fatal := range []error{
		kerr.GroupAuthorizationFailed, kerr.TopicAuthorizationFailed, kerr.InconsistentGroupProtocol,
		kerr.InvalidGroupID, kerr.InvalidSessionTimeout, kerr.UnsupportedVersion,
	} {
		if errors.Is(err, fatal) {
			m.post(Event{Kind: Broken, Err: err})
			return
		}
	}
	if !errors.Is(err, kgo.ErrClientClosed) {
		m.note(fmt.Errorf("the seat in the consumer group %q is lost, or cannot be had, and is asked for again: %w", m.group, err))
	}
}

// OnBrokerE2E is called by the group client after each request that a broker was
// sent. What is about the seat goes to the one that keeps the group, and a
// heartbeat goes all the time.
func (m *Member) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e kgo.BrokerE2E) {
	switch kmsg.Key(key) {
	case kmsg.Heartbeat, kmsg.JoinGroup, kmsg.SyncGroup:
	default:
		return
	}
	err := e.Err()
	if errors.Is(err, context.Canceled) {
		return
	}
	m.asking.Lock()
	defer m.asking.Unlock()
	if silent := err != nil; m.silent != silent {
		m.silent = silent
		m.answered(!silent)
	}
}

// note is for warnings: nobody waits until they are heard.
func (m *Member) note(err error) {
	select {
	case m.Notes <- err:
		m.waker.Wake()
	default:
	}
}

func (m *Member) post(e Event) {
	select {
	case m.Events <- e:
		m.waker.Wake()
	case <-m.quit:
	}
}

func (m *Member) postAndWait(e Event) {
	e.Done = make(chan struct{})
	m.post(e)
	select {
	case <-e.Done:
	case <-m.quit:
	}
}

// Stop ends the client without a word to the group; the caller sends the leave
// request itself. It is safe to call twice.
func (m *Member) Stop() {
	select {
	case <-m.quit:
		return
	default:
	}
	close(m.quit)
	m.cancel()
	m.client.Close()
}

// Overlap reports whether the assignment a has the partition of any of the topics.
func Overlap(a map[string][]int32, topics []string, partition int32) bool {
	for _, t := range topics {
		if slices.Contains(a[t], partition) {
			return true
		}
	}
	return false
}

// covers reports whether a has the partition of all the topics.
func covers(a map[string][]int32, topics []string, partition int32) bool {
	for _, t := range topics {
		if !slices.Contains(a[t], partition) {
			return false
		}
	}
	return true
}

func cloneAssignment(a map[string][]int32) map[string][]int32 {
	out := maps.Clone(a)
	for t, ps := range out {
		out[t] = slices.Clone(ps)
	}
	return out
}
