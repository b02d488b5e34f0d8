//go:build kafka

package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/cmd/internal/kafka"
	"github.com/millrace/millrace/cmd/internal/workload"
)

const (
	partitions  = 8
	pace        = 10_000 // records per second
	wipeEvery   = 7      // every so many kills the disk is lost too
	processes   = 2
	mostCommits = 40 // of a process before it is killed
	testLimit   = 5 * time.Minute
	lookAgain   = 200 * time.Millisecond
)

// haltSteps are the steps of a commit at which a transaction is open.
var haltSteps = []string{"before-flush", "after-flush", "after-offsets"}

// A trial is how much is done to which application.
type trial struct {
	stages  string
	records int64
	kills   int
}

// TestKilledProcessesCountEveryRecordOnce kills processors at seeded steps of
// their commits, while a million records arrive, and compares what was committed
// with the truth. Each one that is killed had committed at least once, and the
// broker says that its transaction is open.
func TestKilledProcessesCountEveryRecordOnce(t *testing.T) {
	for _, x := range []trial{{oneStage, 1_000_000, 20}, {twoStages, 400_000, 10}} {
		t.Run(x.stages+" stage", func(t *testing.T) { x.run(t) })
	}
}

func (x trial) run(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	s := newScene(t, ctx, x)
	loaded := make(chan error, 1)
	go func() { loaded <- s.load(ctx) }()
	for i := range s.children {
		s.start(i, true)
	}
	killed := s.killAll(ctx)
	s.drain(ctx, loaded)
	for i := range s.children {
		s.children[i].stop(t)
	}
	t.Logf("killed %d processes, %d of them lost their disk", killed, s.wiped)
	if killed < x.kills {
		t.Errorf("only %d of %d kills", killed, x.kills)
	}
	s.verify(ctx, "tumblefinal", topicWindows)
	s.verify(ctx, "dedupkeys", topicCounts)
}

// A scene is a broker, its topics and the processes under test.
type scene struct {
	t        *testing.T
	trial    trial
	broker   *kafka.Broker
	cluster  workload.Cluster
	admin    *kadm.Client
	input    *workload.Input
	random   *rand.Rand
	children [processes]*child
	lines    chan line
	stateDir string
	wiped    int
}

// A line is what a child said, or that it has ended.
type line struct {
	child *child
	text  string
	ended bool
}

func newScene(t *testing.T, ctx context.Context, x trial) *scene {
	t.Helper()
	s := &scene{t: t, trial: x, random: rand.New(rand.NewPCG(1, 2)), lines: make(chan line, 1024), stateDir: t.TempDir()}
	s.broker = kafka.ForTest(t, kafka.Options{})
	s.cluster = workload.Cluster{Options: []kgo.Opt{kgo.SeedBrokers(s.broker.Addr())}}
	client, err := kgo.NewClient(s.cluster.Options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s.admin = kadm.NewClient(client)
	for _, topic := range []string{topicIn, topicWindows, topicCounts} {
		if _, err := s.cluster.CreateTopic(ctx, topic, partitions, false); err != nil {
			t.Fatal(err)
		}
	}
	gen, err := workload.NewGen(workload.Parameters{Keys: 2000, ValueSize: 32, Rate: 5000, Jitter: 1000, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	if s.input, err = workload.NewInput(gen, x.records, partitions, time.Minute); err != nil {
		t.Fatal(err)
	}
	return s
}

// load produces the input at its pace.
func (s *scene) load(ctx context.Context) error {
	client, err := kgo.NewClient(append(s.cluster.Options, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return err
	}
	defer client.Close()
	var first error
	began := time.Now()
	for seq := range s.input.Total() {
		var key [workload.KeySize]byte
		value := make([]byte, 32)
		ts := s.input.Record(seq, &key, value)
		r := &kgo.Record{Topic: topicIn, Partition: int32(workload.PartitionOf(key[:], partitions)), Key: key[:], Value: value, Timestamp: time.UnixMilli(ts)}
		client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil && first == nil {
				first = err // promises are called one at a time
			}
		})
		if ahead := time.Duration(seq)*time.Second/pace - time.Since(began); seq%100 == 0 && ahead > 0 {
			time.Sleep(ahead)
		}
	}
	return errors.Join(client.Flush(ctx), first)
}

// killAll kills children as they halt, until there were enough and none is left
// that is going to halt.
func (s *scene) killAll(ctx context.Context) (killed int) {
	s.t.Helper()
	for s.halting() > 0 {
		select {
		case l := <-s.lines:
			switch {
			case l.text == lineCommit:
				l.child.commits++
			case l.text == lineHalt:
				killed++
				s.kill(ctx, l.child, killed%wipeEvery == 0)
				s.t.Logf("kill %d after %d commits, at step %s", killed, l.child.commits, l.child.haltAt)
				s.start(l.child.slot, killed+s.halting() < s.trial.kills)
			case l.ended && !l.child.killed:
				s.t.Fatalf("process %d ended by itself:\n%s", l.child.slot, l.child.talk())
			}
		case <-ctx.Done():
			s.t.Fatalf("%d of %d kills when the time was up", killed, s.trial.kills)
		}
	}
	return killed
}

// halting counts the children that are still to be killed.
func (s *scene) halting() (n int) {
	for _, c := range s.children {
		if c.haltAt != "" && !c.killed {
			n++
		}
	}
	return n
}

// kill ends a child that has halted, after making sure that it has committed
// before and that the broker sees a transaction of it open.
func (s *scene) kill(ctx context.Context, c *child, wipe bool) {
	s.t.Helper()
	if c.commits < 1 {
		s.t.Errorf("process %d halted without ever having committed", c.slot)
	}
	ids := c.transactionalIDs(s.t)
	for open := false; !open; {
		described, err := s.admin.DescribeTransactions(ctx, ids...)
		if err != nil {
			s.t.Fatalf("no transaction of %s is open: %v", ids, err)
		}
		for _, d := range described {
			open = open || d.State == "Ongoing"
		}
	}
	c.killed = true
	if err := c.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	<-c.ended
	if wipe {
		s.wiped++
		if err := os.RemoveAll(c.stateDir); err != nil {
			s.t.Fatal(err)
		}
	}
}

// drain waits until the input is loaded and the group has committed the end of
// every partition. It goes on listening: a child whose lines nobody reads stops.
// It looks again by itself, too: offsets of a transaction show only some time
// after its end, and after the last one no child has anything more to say.
func (s *scene) drain(ctx context.Context, loaded <-chan error) {
	s.t.Helper()
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for complete := false; !complete || !s.drained(ctx); {
		select {
		case l := <-s.lines:
			if l.ended && !l.child.killed {
				s.t.Fatalf("process %d ended by itself:\n%s", l.child.slot, l.child.talk())
			}
		case err := <-loaded:
			if err != nil {
				s.t.Fatal(err)
			}
			complete, loaded = true, nil
		case <-look.C:
		case <-ctx.Done():
			s.t.Fatalf("the input was not drained when the time was up: %s", s.stuck())
		}
	}
}

func (s *scene) drained(ctx context.Context) bool {
	lag, err := s.admin.Lag(ctx, applicationID)
	if err != nil || lag.Error() != nil {
		return false
	}
	g := lag[applicationID]
	return len(g.Lag[topicIn]) == partitions && g.Lag.Total() == 0
}

// stuck says what keeps the application from being done: how far behind it is,
// and what its processes were doing.
func (s *scene) stuck() string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var b strings.Builder
	lag, err := s.admin.Lag(ctx, applicationID)
	fmt.Fprintf(&b, "%v %v", err, lag.Error())
	for _, l := range lag[applicationID].Lag.Sorted() {
		if l.Lag != 0 {
			fmt.Fprintf(&b, "\n%s/%d: committed %d of %d", l.Topic, l.Partition, l.Commit.At, l.End.Offset)
		}
	}
	for _, c := range s.children {
		c.killed = true
		_ = c.cmd.Process.Signal(syscall.SIGQUIT) // it ends with its goroutines
		go func() {
			for range s.lines { // so that it can
			}
		}()
		fmt.Fprintf(&b, "\nprocess %d:\n%s", c.slot, c.talk())
	}
	return b.String()
}

// verify compares a sink with the truth.
func (s *scene) verify(ctx context.Context, load, sink string) {
	s.t.Helper()
	v, err := workload.Check{
		Cluster: s.cluster, Workload: load, Inputs: []string{topicIn}, Sink: sink, Grace: windowGrace.Milliseconds(),
	}.Run(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Log(v)
	if err := v.Err(); err != nil {
		s.t.Error(err)
	}
}

// A child is one processor process.
type child struct {
	slot     int
	stateDir string
	cmd      *exec.Cmd
	stderr   strings.Builder
	ended    chan struct{} // closed when the process is gone
	haltAt   string        // the step it is to be killed at; empty: none
	commits  int
	killed   bool
}

// start starts the process of a slot on what its disk kept; it halts in a later
// commit if it is to be killed.
func (s *scene) start(slot int, halt bool) {
	s.t.Helper()
	c := &child{slot: slot, stateDir: filepath.Join(s.stateDir, fmt.Sprint(slot)), ended: make(chan struct{})}
	s.children[slot] = c
	c.cmd = exec.Command(os.Args[0], "-test.run=^$")
	c.cmd.Env = append(os.Environ(), envBroker+"="+s.broker.Addr(), envStateDir+"="+c.stateDir, envStages+"="+s.trial.stages)
	if halt {
		c.haltAt = haltSteps[s.random.IntN(len(haltSteps))]
		c.cmd.Env = append(c.cmd.Env, envHaltAt+"="+c.haltAt, fmt.Sprintf("%s=%d", envHaltIn, 1+s.random.IntN(mostCommits)))
	}
	c.cmd.Stderr = &c.stderr
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.cmd.Process.Kill() }) // where the test has failed
	go s.listen(c, out)
}

// listen passes on what a child says, until it has ended.
func (s *scene) listen(c *child, out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		s.lines <- line{child: c, text: lines.Text()}
	}
	_ = c.cmd.Wait() // how it ended is judged by whoever expected it
	close(c.ended)
	s.lines <- line{child: c, ended: true}
}

// stop ends a child in order.
func (c *child) stop(t *testing.T) {
	t.Helper()
	c.killed = true
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	<-c.ended
	if code := c.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("process %d: exit code %d after SIGTERM:\n%s", c.slot, code, c.talk())
	}
}

// talk is the end of what a child that has ended wrote to its log.
func (c *child) talk() string {
	<-c.ended
	const most = 20_000
	s := c.stderr.String()
	return s[max(0, len(s)-most):]
}

// transactionalIDs are those that the child's only worker uses in turn.
func (c *child) transactionalIDs(t *testing.T) []string {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(c.stateDir, applicationID, "process.json"))
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		ID string `json:"process_id"`
	}
	if err := json.Unmarshal(file, &p); err != nil {
		t.Fatal(err)
	}
	only := fmt.Sprintf("%s-%s-0", applicationID, p.ID)
	return []string{only + "-0", only + "-1"}
}
