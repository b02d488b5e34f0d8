package worker

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/restore"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// A slowStorage says that it is asked for the first task, and waits to be let go on.
type slowStorage struct {
	state.Storage
	once        sync.Once
	asked, goOn chan struct{}
}

func (s *slowStorage) Open(name string, id state.Identity, specs []state.Spec) (*state.Stores, error) {
	s.once.Do(func() {
		close(s.asked)
		<-s.goOn
	})
	return s.Storage.Open(name, id, specs)
}

// A worker that was thrown out of the group and has not heard of it restores a
// task that another one goes on with meanwhile: the state is then ahead of the
// offsets that it has asked for. Neither is anything wrong with the state, nor
// does the worker have to end.
func TestRestoreIsOvertaken(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "in", "out")
	first, second, third := rows(1, 20, 2), rows(1, 20, 2), rows(1, 20, 2)
	c.load(first...)
	p := start(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t)))
	c.output("out", 20)
	p.end()

	w := newWitness(t)
	cfg := c.config(counting(t, graph.ErrorPolicy{}), nil, w)
	cfg.HeartbeatInterval = 3 * time.Second // so long it hears nothing
	slow := &slowStorage{Storage: state.NewMemory(), asked: make(chan struct{}), goOn: make(chan struct{})}
	cfg.Storage = slow
	p = start(t, cfg)
	<-slow.asked
	c.throwOut("app")
	c.load(second...)
	other := start(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t)))
	c.output("out", 40)
	other.end()
	close(slow.goOn)
	var restored restore.Restoration
	w.wait(t, "the restore", func() bool {
		restored = w.restored[task.ID{}]
		return restored.Records > 0
	})
	if restored.Rebuilt {
		t.Errorf("a good state was built anew: %+v", restored)
	}
	c.load(third...)
	c.checkCounts(append(append(first, second...), third...))
	p.end()
}

// throwOut makes all members leave a group without asking them.
func (c *cluster) throwOut(group string) {
	c.t.Helper()
	cl := c.client()
	groups, err := kadm.NewClient(cl).DescribeGroups(context.Background(), group)
	if err != nil {
		c.t.Fatal(err)
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	for _, m := range groups[group].Members {
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID = m.MemberID
		req.Members = append(req.Members, member)
	}
	resp, err := req.RequestWith(context.Background(), cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil || len(req.Members) == 0 {
		c.t.Fatalf("%d members of group %q thrown out: %v", len(req.Members), group, err)
	}
}
