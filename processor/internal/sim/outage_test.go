//go:build synctests

package sim

import (
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// refetch is how long every fetch takes while a partition has no leader: the
// client asks again at once.
const refetch = 50 * time.Millisecond

// outage has the broker answer these requests for one partition with an error,
// until over is called.
func (s *sim) outage(at place, keys ...kmsg.Key) (over func()) {
	s.trace.add("%v has no leader for %v", at, keys)
	var ended atomic.Bool
	s.cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		if ended.Load() {
			s.cluster.DropControl()
		} else {
			s.cluster.SleepControl(func() { time.Sleep(refetch) })
		}
		return nil, nil, false
	})
	fault := s.cluster.Fault(kfake.Fault{Keys: keys, Err: kerr.NotLeaderForPartition, Topic: at.topic, Partitions: []int32{at.partition}, Count: -1})
	return func() {
		s.trace.add("%v has a leader", at)
		ended.Store(true)
		fault.Remove()
	}
}

// The bounds of how long a partition has no leader: longer than it takes one to
// be idle.
const (
	shortestOutage = 8 * time.Second
	longestOutage  = 40 * time.Second
)

// outages takes the leader from one source partition after the other. Where all
// input is there from the start, the first has none from the start.
func (n *nemesis) outages() {
	o := &n.s.opt
	for first := o.Preload; o.Outage > 0 && n.s.stormy(); first = false {
		if !first {
			n.s.pass(n.dice.upTo(2 * o.Outage))
		}
		keys := []kmsg.Key{kmsg.Fetch}
		if n.dice.hit(0.3) {
			keys = append(keys, kmsg.ListOffsets) // nor does anybody know where it ends
		}
		over := n.s.outage(place{pick(n.dice, o.sources()...), int32(n.dice.below(o.Partitions))}, keys...)
		n.s.stats.faults.Add(1)
		for began, d := time.Now(), shortestOutage+n.dice.upTo(longestOutage-shortestOutage); n.s.stormy() && time.Since(began) < d; {
			n.s.pass(time.Second)
		}
		over()
	}
}
