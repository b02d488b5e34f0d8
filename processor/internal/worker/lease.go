package worker

import (
	"fmt"
	"iter"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

// A lease is one task this worker owns, from its assignment until it is revoked
// or lost. It belongs to the worker's goroutine, but for the time in which the
// restorer has it; then the worker looks at id, sub, owner and task only, which
// the restorer leaves alone.
//
// Always: the stores reflect what Kafka has committed and nothing else;
// everything newer is in the task and its overlay, and is gone after drop.
type lease struct {
	id     task.ID
	sub    *graph.Subtopology
	owner  identity // under which the task was assigned (G2)
	stores *state.Stores
	task   *task.Task // nil while the state is being restored
	inputs []source   // one for each of sub.Sources

	logicalNow int64         // of a bounded run
	careful    int           // for how many records the next task is; see task.CarefulRecords
	exact      bool          // so is it; see task.Config
	failed     graph.Origin  // the last record that made the task go back
	skip       []task.Poison // records that failed and could not be taken back
	failures   int           // of records since the last commit
	limit      int           // if set, commit after so many records, until all inputs are past until
	until      []int64
	away       *away // what is brought up before the task goes on; nil usually
	rebuilt    bool  // the state was thrown away once because it did not fit
	mended     int   // see Worker.mend

	topics []string // changelogs, by store; see changelogs
}

// A source is one source partition of a lease.
type source struct {
	topicPartition
	offset    int64 // committed: where a replay begins
	watermark int64 // committed with it
	highest   int64 // committed with it
	upstream  []state.Upstream
	formats   []string    // committed with it
	notes     []task.Note // to be committed
	failed    task.Failed // committed with it
	end       int64       // of a bounded run
	finished  bool        // of a bounded run, committed
	polled    int64       // behind what was fetched
	paused    bool
	backlog   []*kgo.Record // fetched and not handed to the task yet
	bytes     int           // of the backlog
	headers   int           // of the backlog
	slabs     []lentSlab    // oldest first; the task may be done with the first
}

// A lentSlab is what a task was handed at a time: messages of so many bytes.
type lentSlab struct {
	messages []graph.Message
	bytes    int
}

func newLease(id task.ID, sub *graph.Subtopology, owner identity) *lease {
	l := &lease{id: id, sub: sub, owner: owner}
	for _, topic := range sub.Sources {
		l.inputs = append(l.inputs, source{topicPartition: topicPartition{topic, id.Partition}})
	}
	return l
}

// changelogs returns the changelog topics of the task, by store.
func (l *lease) changelogs(applicationID string) []string {
	if l.topics == nil {
		for _, s := range l.sub.Stores {
			l.topics = append(l.topics, s.ChangelogTopic(applicationID))
		}
	}
	return l.topics
}

// setLimits tells the stores what their changelogs take.
func (l *lease) setLimits(c *catalog, applicationID string) {
	for i, topic := range l.changelogs(applicationID) {
		l.stores.SetLimit(l.sub.Stores[i].Name, c.largestEntry(topic))
	}
}

// running yields the leases whose state is restored: the others' inputs and
// stores are the restorer's for now.
func (w *Worker) running() iter.Seq[*lease] {
	return func(yield func(*lease) bool) {
		for _, l := range w.leases {
			if l.task != nil && !yield(l) {
				return
			}
		}
	}
}

// inTurn yields them too, and begins with another one each time.
func (w *Worker) inTurn() iter.Seq[*lease] {
	return func(yield func(*lease) bool) {
		leases := w.leases
		w.first++
		for i := range leases {
			if l := leases[(w.first+i)%len(leases)]; l.task != nil && !yield(l) {
				return
			}
		}
	}
}

// drop throws away everything that is not committed.
func (l *lease) drop(keepOverlay bool) {
	if l.stores != nil && !keepOverlay {
		l.stores.Discard()
	}
	if l.task != nil {
		l.careful, l.exact = l.task.Careful(), l.task.Exact()
		l.task.Aborted()
	}
	l.task = nil
	for i := range l.inputs {
		l.inputs[i].rewind()
	}
}

// rewind goes back to the committed position: what was fetched behind it will be
// fetched again.
func (in *source) rewind() {
	in.polled, in.backlog, in.slabs, in.paused = in.offset, nil, nil, false
	in.bytes, in.headers = 0, 0
}

// close gives the stores back.
func (l *lease) close(flush bool) error {
	if l.stores == nil {
		return nil
	}
	err := l.stores.Close(flush)
	l.stores = nil
	if err != nil {
		return fmt.Errorf("task %s: close its stores: %w", l.id, err)
	}
	return nil
}

// finished says that a bounded run is over for this task.
func (l *lease) finished() bool { return l.task != nil && l.task.Finished() }

// take puts fetched records of one input behind those that wait.
func (l *lease) take(index int, records []*kgo.Record) {
	in := &l.inputs[index]
	in.polled = records[len(records)-1].Offset + 1
	bytes, headers := 0, 0
	for _, r := range records {
		bytes += recordBytes(r)
		headers += len(r.Headers)
	}
	if len(l.inputs) > 1 && bytes < detachBytes {
		detach(records, bytes)
	}
	in.bytes += bytes
	in.headers += headers
	if len(in.backlog) == 0 {
		in.backlog = records
		return
	}
	in.backlog = append(in.backlog, records...)
}

// detachBytes is the part of a fetch that is not worth keeping the whole fetch in
// memory for, while it waits for the other inputs of its task.
const detachBytes = 64 << 10

// detach gives records memory of their own: what is not compressed lies in the
// middle of everything else that the broker sent with it.
func detach(records []*kgo.Record, bytes int) {
	own := make([]byte, 0, bytes)
	move := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		from := len(own)
		own = append(own, b...)
		return own[from:len(own):len(own)]
	}
	for _, r := range records {
		r.Key, r.Value = move(r.Key), move(r.Value)
		for i := range r.Headers {
			r.Headers[i].Value = move(r.Headers[i].Value)
		}
	}
}

// feed hands the task what it may process in a step of so many records. It gets
// no more than that at a time: what is copied just before it is processed is
// still in the cache then. A task with several inputs, which chooses among
// their heads, never runs out of one that has more.
func (l *lease) feed(records int, slabs *messageSlabs) error {
	low := 1
	if len(l.inputs) > 1 {
		low = records
	}
	for i := range l.inputs {
		for len(l.inputs[i].backlog) > 0 && l.task.Queued(i) < low {
			if err := l.hand(i, records, slabs); err != nil {
				return err
			}
		}
	}
	return nil
}

// hand gives the task the next records of one input.
func (l *lease) hand(index, limit int, slabs *messageSlabs) error {
	l.reclaim(index, slabs)
	in := &l.inputs[index]
	records := in.backlog[:min(limit, len(in.backlog))]
	in.backlog = in.backlog[len(records):]
	next := records[len(records)-1].Offset + 1
	in.slabs = append(in.slabs, in.lend(slabs.take(len(records)), records))
	if err := l.task.Enqueue(index, in.slabs[len(in.slabs)-1].messages, next); err != nil {
		return err
	}
	if l.task.Batches(index) < len(in.slabs) { // nothing in it was for the task
		slabs.giveBack(in.slabs[len(in.slabs)-1].messages)
		in.slabs = in.slabs[:len(in.slabs)-1]
	}
	return nil
}

// reclaim takes back what the task is done with.
func (l *lease) reclaim(index int, slabs *messageSlabs) {
	in := &l.inputs[index]
	used := len(in.slabs) - l.task.Batches(index)
	for _, s := range in.slabs[:used] {
		slabs.giveBack(s.messages)
	}
	in.slabs = slices.Delete(in.slabs, 0, used)
}

// lend appends what is in the records to batch. The client's records are not
// needed any more then, but for the bytes of their keys and values, and go back.
func (in *source) lend(batch []graph.Message, records []*kgo.Record) lentSlab {
	headers, bytes := in.headerSlab(records), 0
	for _, r := range records {
		bytes += recordBytes(r)
		if !r.Attrs.IsControl() {
			batch = append(batch, message(r, &headers))
		}
		r.Recycle()
	}
	clear(records)
	in.bytes -= bytes
	return lentSlab{messages: batch, bytes: bytes}
}

// recordBytes is the memory that a record keeps.
func recordBytes(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// waiting counts the records of one input that were fetched and not processed.
func (l *lease) waiting(index int) int { return l.task.Queued(index) + len(l.inputs[index].backlog) }

// waitingBytes is the memory that the records of one input keep: of those that
// wait, and of those that were handed to the task together with one that waits.
func (l *lease) waitingBytes(index int) int {
	in := &l.inputs[index]
	n := in.bytes
	for _, s := range in.slabs[len(in.slabs)-l.task.Batches(index):] {
		n += s.bytes
	}
	return n
}

// queued counts those of all inputs.
func (l *lease) queued() (n int) {
	for i := range l.inputs {
		n += l.waiting(i)
	}
	return n
}

// headerSlab has room for the headers of these records of the backlog: one
// allocation for a batch, none where nothing has headers.
func (in *source) headerSlab(records []*kgo.Record) []graph.Header {
	if in.headers == 0 {
		return nil
	}
	n := 0
	for _, r := range records {
		n += len(r.Headers)
	}
	in.headers -= n
	return make([]graph.Header, 0, n)
}

// stand puts an input where a position says.
func (in *source) stand(at state.Input) {
	in.offset, in.watermark, in.highest, in.upstream = at.Offset, at.Watermark, at.Highest, at.Upstream
}

func message(r *kgo.Record, headers *[]graph.Header) graph.Message {
	m := graph.Message{Key: r.Key, Value: r.Value, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli()}
	if len(r.Headers) == 0 {
		return m
	}
	from := len(*headers)
	for _, h := range r.Headers {
		*headers = append(*headers, graph.Header{Key: h.Key, Value: h.Value})
	}
	m.Headers = (*headers)[from:len(*headers):len(*headers)]
	return m
}

// settle takes note of a commit that Kafka has.
func (l *lease) settle(c *task.Commit) {
	for i, o := range c.Reached {
		l.inputs[i].stand(o)
	}
	for i := range l.inputs {
		l.inputs[i].failed, l.inputs[i].formats = c.Failed[i], c.Formats[i]
	}
	l.failures, l.mended = 0, 0
	l.relax()
}
