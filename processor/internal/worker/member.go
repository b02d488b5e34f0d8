package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// eventQueue is how many group events wait for the worker before the group
// client is held up.
const eventQueue = 16

// An identity is who a worker is in its group at one moment. A commit is
// fenced by member and generation; losses counts how often the group client
// gave everything up, so that a task can tell that it was lost in between.
type identity struct {
	member     string
	generation int32
	losses     uint64
}

// owns says that what was assigned under o is still owned by i: the same member
// without a loss since. The generation moves with every rebalance and does not
// matter.
func (i identity) owns(o identity) bool { return i.member == o.member && i.losses == o.losses }

type eventKind uint8

const (
	assigned eventKind = iota // partitions: all that are ours now
	revoked                   // partitions: to be given up after a commit
	lost                      // partitions: others may have them already
	broken                    // err: the group cannot be joined
)

// An event is what the group has to say.
type event struct {
	kind       eventKind
	partitions map[string][]int32
	added      map[string][]int32 // assigned: what the client believes is new
	coming     int                // assigned: how many more tasks will be ours
	who        identity           // assigned: under which name
	err        error
	done       chan struct{} // closed by the worker; the group client waits for it
}

// A member is the worker's seat in the consumer group. It never reads a record
// and never fetches an offset for anyone: the group client is used for joining,
// heartbeats and assignments only.
//
// The client's callbacks run on the client's goroutines. They post an event and,
// where partitions are taken away, wait until the worker has committed and
// closed the tasks; they touch nothing else. After leave they return at once.
type member struct {
	group    string
	client   *kgo.Client
	balancer *balancer
	events   chan event
	notes    chan error // warnings, for the worker to pass on; lost when too many
	waker    *waker
	losses   atomic.Uint64
	asking   sync.Mutex // requests end on two goroutines; it guards silent, and that answered hears of it in order
	silent   bool       // the last request about the seat was not answered
	answered func(bool) // is told when that changes; must not wait
	quit     chan struct{}
	cancel   context.CancelFunc
}

func newMember(cfg *Config, b *balancer, w *waker) (*member, error) {
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{
		group: cfg.ApplicationID, balancer: b, events: make(chan event, eventQueue), notes: make(chan error, notesKept),
		answered: cfg.Events.answered, waker: w, quit: make(chan struct{}), cancel: cancel,
	}
	b.tell = m.note
	client, err := kgo.NewClient(append(cfg.Client[:len(cfg.Client):len(cfg.Client)],
		kgo.WithContext(ctx),
		kgo.ConsumerGroup(cfg.ApplicationID),
		kgo.ConsumeTopics(cfg.Graph.SourceTopics()...),
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
	client.PauseFetchTopics(cfg.Graph.SourceTopics()...)
	m.client = client
	return m, nil
}

// nothing keeps the group client from reading what it is assigned.
func nothing(context.Context, map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	return nil, nil
}

// identity is who the worker is now. Before the first join the member is empty.
func (m *member) identity() identity {
	losses := m.losses.Load()
	id, generation := m.client.GroupMetadata()
	return identity{id, generation, losses}
}

// onAssigned runs after every join, also if nothing changed. The client's view
// of what is new is passed on but not believed: after a silent rejoin it keeps
// what it had. A member that is refused has been told to give up everything by
// now, and has committed.
func (m *member) onAssigned(_ context.Context, client *kgo.Client, added map[string][]int32) {
	said := m.balancer.word()
	if err := said.refusal(m.group, m.balancer.layout); err != nil {
		m.post(event{kind: broken, err: err})
		return
	}
	id, generation := client.GroupMetadata()
	m.post(event{
		kind: assigned, partitions: m.balancer.assignment(), added: added, coming: said.Coming,
		who: identity{id, generation, m.losses.Load()},
	})
}

func (m *member) onRevoked(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	if len(parts) > 0 {
		m.postAndWait(event{kind: revoked, partitions: parts})
	}
}

func (m *member) onLost(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
	m.losses.Add(1)
	m.postAndWait(event{kind: lost, partitions: parts})
}

// OnGroupManageError is called by the group client when a session died, or could
// not begin. It tries again by itself, perhaps for ever.
func (m *member) OnGroupManageError(err error) {
	for _, fatal := range []error{
		kerr.GroupAuthorizationFailed, kerr.TopicAuthorizationFailed, kerr.InconsistentGroupProtocol,
		kerr.InvalidGroupID, kerr.InvalidSessionTimeout, kerr.UnsupportedVersion,
	} {
		if errors.Is(err, fatal) {
			m.post(event{kind: broken, err: err})
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
func (m *member) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e kgo.BrokerE2E) {
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
func (m *member) note(err error) {
	select {
	case m.notes <- err:
		m.waker.wake()
	default:
	}
}

func (m *member) post(e event) {
	select {
	case m.events <- e:
		m.waker.wake()
	case <-m.quit:
	}
}

func (m *member) postAndWait(e event) {
	e.done = make(chan struct{})
	m.post(e)
	select {
	case <-e.done:
	case <-m.quit:
	}
}

// stop ends the client without a word to the group; the caller sends the leave
// request itself. It is safe to call twice.
func (m *member) stop() {
	select {
	case <-m.quit:
		return
	default:
	}
	close(m.quit)
	m.cancel()
	m.client.Close()
}

// subsetOf returns the partitions of a that are in b too.
func overlap(a map[string][]int32, topics []string, partition int32) bool {
	for _, t := range topics {
		if slices.Contains(a[t], partition) {
			return true
		}
	}
	return false
}

// covers says that a has the partition of all the topics.
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
