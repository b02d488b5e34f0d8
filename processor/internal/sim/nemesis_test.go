//go:build synctests

package sim

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// faultyRequests are the kinds of requests the broker can be made to refuse,
// with the errors that a real one may give. REQUEST_TIMED_OUT and
// NOT_ENOUGH_REPLICAS_AFTER_APPEND are given after the work is done.
var faultyRequests = []struct {
	key  kmsg.Key
	errs []*kerr.Error
}{
	{kmsg.Produce, []*kerr.Error{kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.NotEnoughReplicas, kerr.UnknownServerError}},
	{kmsg.EndTxn, []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.ConcurrentTransactions, kerr.UnknownServerError}},
	{kmsg.TxnOffsetCommit, []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.RequestTimedOut, kerr.ConcurrentTransactions, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RebalanceInProgress}},
	{kmsg.InitProducerID, []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions}},
	{kmsg.AddOffsetsToTxn, []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions}},
	{kmsg.AddPartitionsToTxn, []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions}},
	{kmsg.Fetch, []*kerr.Error{kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch}},
	{kmsg.Heartbeat, []*kerr.Error{kerr.NotCoordinator, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.RebalanceInProgress}},
	{kmsg.OffsetFetch, []*kerr.Error{kerr.NotCoordinator, kerr.UnstableOffsetCommit, kerr.CoordinatorLoadInProgress}},
	{kmsg.OffsetCommit, []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.RequestTimedOut, kerr.IllegalGeneration}},
	{kmsg.JoinGroup, []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.UnknownMemberID}},
	{kmsg.SyncGroup, []*kerr.Error{kerr.NotCoordinator, kerr.RebalanceInProgress, kerr.UnknownMemberID}},
	{kmsg.LeaveGroup, []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorNotAvailable}},
	{kmsg.ListOffsets, []*kerr.Error{kerr.NotLeaderForPartition, kerr.LeaderNotAvailable}},
	{kmsg.FindCoordinator, []*kerr.Error{kerr.CoordinatorNotAvailable}},
	{kmsg.CreateTopics, []*kerr.Error{kerr.NotController, kerr.RequestTimedOut}},
}

// faultsKept bounds the faults that wait for a request of their kind, so that
// rare requests do not meet a backlog of them.
const faultsKept = 6

// nemesis breaks the broker until the run is calm.
type nemesis struct {
	s      *sim
	dice   *dice
	faults []*kfake.FaultHandle // oldest first
}

func (n *nemesis) run() {
	for n.s.opt.BrokerFault > 0 && n.s.stormy() {
		time.Sleep(n.dice.upTo(2 * n.s.opt.BrokerFault))
		n.strike()
	}
	for _, f := range n.faults {
		f.Remove()
	}
}

func (n *nemesis) fault(f kfake.Fault) {
	n.faults = append(n.faults, n.s.cluster.Fault(f))
	if len(n.faults) > faultsKept {
		n.faults[0].Remove()
		n.faults = n.faults[1:]
	}
}

func (n *nemesis) strike() {
	n.s.stats.faults.Add(1)
	r := faultyRequests[n.dice.below(len(faultyRequests))]
	switch n.dice.below(10) {
	case 0, 1, 2, 3:
		n.fault(kfake.Fault{Keys: []kmsg.Key{r.key}, Err: pick(n.dice, r.errs...), Count: n.dice.between(1, 3)})
	case 4: // one partition's records are refused, the rest of the transaction goes through
		n.fault(kfake.Fault{
			Keys: []kmsg.Key{kmsg.Produce}, Topic: pick(n.dice, n.s.topics()...), Partitions: []int32{int32(n.dice.below(n.s.opt.Partitions))},
			Err: kerr.UnknownServerError,
		})
	case 5, 6:
		n.drop(r.key)
	case 7:
		n.s.cluster.RehashCoordinators()
	default:
		n.moveLeader()
	}
}

// drop closes the connection of the next request of a kind, unanswered.
func (n *nemesis) drop(key kmsg.Key) {
	n.s.cluster.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
		if !n.s.stormy() {
			n.s.cluster.DropControl()
			return nil, nil, false
		}
		return nil, errors.New("sim: dropped"), true
	})
}

// moveLeader elects another leader for one partition. The error is that the
// topic does not exist yet.
func (n *nemesis) moveLeader() {
	topics := n.s.topics()
	topic, p := topics[n.dice.below(len(topics))], int32(n.dice.below(n.s.opt.Partitions))
	_ = n.s.cluster.MoveTopicPartition(topic, p, int32(n.dice.below(n.s.opt.Brokers)))
}

// fixEpochs answers OffsetForLeaderEpoch instead of the fake broker, whose
// answer after a move of the leader makes the client believe that the log was
// cut off. Nothing is ever cut off here, so the end of the log is right.
func fixEpochs(c *kfake.Cluster) {
	c.ControlKey(int16(kmsg.OffsetForLeaderEpoch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := r.(*kmsg.OffsetForLeaderEpochRequest)
		resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
		for _, rt := range req.Topics {
			t := kmsg.NewOffsetForLeaderEpochResponseTopic()
			t.Topic = rt.Topic
			for _, rp := range rt.Partitions {
				p := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
				p.Partition, p.LeaderEpoch = rp.Partition, rp.LeaderEpoch
				if info := c.PartitionInfo(rt.Topic, rp.Partition); info != nil {
					p.EndOffset = info.HighWatermark
				}
				t.Partitions = append(t.Partitions, p)
			}
			resp.Topics = append(resp.Topics, t)
		}
		return resp, nil, true
	})
}
