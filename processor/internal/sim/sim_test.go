//go:build synctests

package sim

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/internal/worker"
)

// Limits of virtual time.
const (
	patience   = 3 * time.Minute  // from the calm until everything is done (I10)
	aftermath  = 20 * time.Second // the run goes on for so long, so that what is stale shows up
	stopLimit  = 2 * time.Minute  // for a worker that was told to stop
	settleStep = 250 * time.Millisecond
	// lingering is longer than anything of the run sleeps: requests and links
	// that are held up go on until then.
	lingering = time.Minute
)

// A sim is one run.
type sim struct {
	opt      Options
	mutant   worker.Faults           // planted bugs
	script   func(*sim)              // a directed scenario; nil: the nemesis
	graph    *graph.Topology         // as it is written
	topology *graph.Topology         // as it runs, with the full names of its internal topics
	log      map[place][]*kgo.Record // what was committed, at the end
	goal     map[place]int64         // of repartition topics: what there was when the sources had come to their ends
	net      kfake.VirtualNetwork
	cluster  *kfake.Cluster
	feeder   *feeder
	stats    *stats
	trace    *trace
	watch    *watch
	hosts    []*host
	began    time.Time
	calm     atomic.Bool
	bounded  atomic.Bool   // processes that start from now on make a bounded run
	unblock  func()        // with Options.Blocked
	scripted chan struct{} // closed when the script is through
	dawdlers *dice
	stop     context.Context

	mu         sync.Mutex
	violations []string
	unsaid     int // violations beyond those kept
}

// violationsKept bounds what is reported of one run: the first ones matter.
const violationsKept = 6

// bad records a violation.
func (s *sim) bad(format string, args ...any) {
	v := fmt.Sprintf(format, args...)
	s.trace.add("VIOLATION %s", v)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.violations) >= violationsKept {
		s.unsaid++
		return
	}
	s.violations = append(s.violations, fmt.Sprintf("%v %s", time.Since(s.began).Round(time.Millisecond), v))
}

// failed says whether there is a violation already.
func (s *sim) failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.violations) > 0
}

func (s *sim) running() bool { return s.stop.Err() == nil }

// called is told by user code that it sees a record.
func (s *sim) called(at place) {
	if s.script != nil {
		s.watch.saw(at)
		return
	}
	if s.opt.Dawdle > 0 && s.stormy() && s.dawdlers.hit(s.opt.Dawdle) {
		time.Sleep(s.dawdlers.upTo(30 * time.Second))
	}
}

// stormy says whether faults happen now.
func (s *sim) stormy() bool { return !s.calm.Load() && s.running() }

// client are the options of a client without faults of its own.
func (s *sim) client() []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers("127.0.0.1:9092", "127.0.0.1:9093"), kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
		return dial(ctx, &s.net, network, addr)
	})}
}

// topics lists every topic of the run.
func (s *sim) topics() []string {
	all := slices.Concat(s.opt.sources(), s.topology.SinkTopics())
	for _, sub := range s.topology.Subtopologies() {
		for _, spec := range sub.Stores {
			all = append(all, spec.ChangelogTopic(application))
		}
	}
	return all
}

// A result is what one run has to say.
type result struct {
	opt        Options
	violations []string
	trace      []string
	stats      *stats
	log        map[place][]*kgo.Record
	virtual    time.Duration
}

// simulate makes one run in a bubble of its own.
func simulate(t *testing.T, o Options, mutant worker.Faults, script func(*sim)) (r result) {
	synctest.Test(t, func(t *testing.T) {
		s := &sim{opt: o, mutant: mutant, script: script, goal: map[place]int64{}, stats: newStats(), began: time.Now()}
		s.trace = newTrace(s.began)
		if err := s.setUp(); err != nil {
			t.Fatalf("seed %d: set up: %v", o.Seed, err)
		}
		s.play()
		time.Sleep(2 * refetch) // a cluster that is closed while fetches are held back never lets go of them: the bubble would not end
		s.cluster.Close()
		time.Sleep(lingering)
		r = result{opt: o, violations: s.violations, trace: s.trace.all(), stats: s.stats, log: s.log, virtual: time.Since(s.began) - lingering}
		if s.unsaid > 0 {
			r.violations = append(r.violations, fmt.Sprintf("and %d more", s.unsaid))
		}
	})
	return r
}

func (s *sim) setUp() (err error) {
	s.bounded.Store(s.opt.Bounded)
	s.scripted, s.dawdlers = make(chan struct{}), newDice(s.opt.Seed, "dawdle")
	if s.graph, err = (&app{&s.opt, s.called}).topology(); err != nil {
		return err
	}
	s.topology = s.graph.Bind(application)
	opts := []kfake.Opt{
		kfake.Ports(9092, 9093, 9094), kfake.ListenFn(s.net.Listen), kfake.WithLogger(s.trace),
		kfake.SeedTopics(int32(s.opt.Partitions), slices.Concat(s.opt.sources(), s.outside())...),
		// History is replayed: nothing may be deleted for its age.
		kfake.BrokerConfigs(map[string]string{"log.retention.ms": "-1"}),
	}
	if s.opt.Stepped {
		opts = append(opts, kfake.MaxVersions(kversion.V3_8_0()))
	}
	if s.cluster, err = kfake.NewCluster(opts...); err != nil {
		return err
	}
	fixEpochs(s.cluster)
	s.watch = newWatch(s)
	return nil
}

// play lets the run happen and judges it.
func (s *sim) play() {
	stop, end := context.WithCancel(context.Background())
	defer end()
	s.stop = stop
	s.feeder = newFeeder(s)
	var group sync.WaitGroup
	group.Go(s.watch.run)
	if s.opt.Blocked {
		s.unblock = s.openTransaction(s.opt.sources()[0], int32(s.opt.Seed)%int32(s.opt.Partitions))
	}
	if s.opt.Bounded || s.opt.Preload { // its end is fixed when it is first started
		s.feeder.run(0)
	} else {
		group.Go(func() { s.feeder.run(s.opt.Calm * 7 / 10) })
	}
	group.Go((&nemesis{s: s, dice: newDice(s.opt.Seed, "nemesis")}).run)
	if s.script == nil {
		group.Go((&nemesis{s: s, dice: newDice(s.opt.Seed, "outages")}).outages)
	}
	group.Go(func() { s.calmDown() })
	group.Go(func() {
		defer close(s.scripted)
		if s.script != nil {
			s.script(s)
		}
	})
	for i := range s.opt.Hosts {
		h := newHost(s, i)
		s.hosts = append(s.hosts, h)
		group.Go(h.run)
	}
	s.settle()
	s.calm.Store(true)
	end()
	group.Wait()
	s.judge()
	for _, h := range s.hosts {
		if err := h.disk.Close(); err != nil {
			s.bad("host %d: close its disk: %v", h.id, err)
		}
	}
}

// calmDown ends the faults.
func (s *sim) calmDown() {
	select {
	case <-time.After(s.opt.Calm):
		s.calm.Store(true)
		s.trace.add("calm")
	case <-s.stop.Done():
	}
}

// settle waits until everything is done (I10), and then a little longer.
func (s *sim) settle() {
	<-s.feeder.done
	<-s.scripted
	deadline := s.began.Add(s.opt.Calm)
	if now := time.Now(); now.After(deadline) {
		deadline = now
	}
	deadline = deadline.Add(patience)
	for !s.done() {
		if time.Now().After(deadline) {
			s.bad("I10: not done %v after the faults had stopped: %s", patience, s.progress())
			return
		}
		time.Sleep(settleStep)
	}
	time.Sleep(aftermath)
	if !s.done() {
		s.bad("I10: done, and then not done any more: %s", s.progress())
	}
}

// fed says that all input has been produced.
func (s *sim) fed() bool {
	select {
	case <-s.feeder.done:
		return true
	default:
		return false
	}
}

// done says that a live run has committed the end of every source partition,
// and that the workers of a bounded one have all returned.
func (s *sim) done() bool {
	if s.bounded.Load() {
		for _, h := range s.hosts {
			if !h.finished.Load() {
				return false
			}
		}
		return true
	}
	return s.behind() == "" && s.downstream() == ""
}

// behind names the first source partition that is not committed to its end.
func (s *sim) behind() string {
	info := s.cluster.GroupInfo(application)
	if info == nil {
		return "nobody has joined"
	}
	for _, topic := range s.opt.sources() {
		for _, p := range s.cluster.PartitionInfos(topic) {
			if c := info.Commits[topic][p.Partition]; c.Offset < p.HighWatermark {
				return fmt.Sprintf("%s/%d committed %d of %d", topic, p.Partition, c.Offset, p.HighWatermark)
			}
		}
	}
	return ""
}

// downstream names the first partition of a repartition topic that is not
// committed to where it was when the sources had come to their ends, or whose
// time has not come as far as the input lets it.
func (s *sim) downstream() string {
	info := s.cluster.GroupInfo(application)
	for _, topic := range s.repartitions() {
		for _, p := range s.cluster.PartitionInfos(topic) {
			at := place{topic, p.Partition}
			if _, known := s.goal[at]; !known {
				s.goal[at] = p.HighWatermark
			}
			c := info.Commits[topic][p.Partition]
			meta, err := task.DecodeMeta(c.Metadata)
			switch {
			case c.Offset < s.goal[at]:
				return fmt.Sprintf("%v committed %d of %d", at, c.Offset, s.goal[at])
			case s.opt.Endless || s.opt.Quiet && s.opt.Idle == 0:
			case err != nil || meta.Watermark < s.opt.lastTime():
				return fmt.Sprintf("%v committed %+v, want watermark %d", at, meta, s.opt.lastTime())
			}
		}
	}
	return ""
}

// outside lists the topics that users see.
func (s *sim) outside() (all []string) {
	internal := s.repartitions()
	for _, topic := range s.topology.SinkTopics() {
		if !slices.Contains(internal, topic) {
			all = append(all, topic)
		}
	}
	return all
}

func (s *sim) progress() string {
	state := s.behind()
	for _, h := range s.hosts {
		state += fmt.Sprintf("; host %d: incarnation %d, finished %v", h.id, h.incarnation.Load(), h.finished.Load())
	}
	if info := s.cluster.GroupInfo(application); info != nil {
		state += "; " + s.downstream()
		state += fmt.Sprintf("; group %s, generation %d, %d members", info.State, info.Epoch, len(info.Members))
	}
	return state
}
