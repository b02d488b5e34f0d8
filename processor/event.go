package processor

import (
	"time"

	"go.uber.org/zap"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/processor/internal/worker"
)

// An EventListener is told what happens in an App: the one seam for logs,
// metrics and tests. Every function may be nil. They are called by the workers,
// several at a time if there are several, and hold them up: they must be quick.
type EventListener struct {
	// TaskAssigned: the task is this worker's; its state is going to be restored.
	TaskAssigned func(TaskInfo)
	// TaskRestored: the task processes from now on; also told of tasks without
	// state.
	TaskRestored func(RestoreInfo)
	// TaskRevoked: the task is closed and may run elsewhere.
	TaskRevoked func(TaskInfo)
	// Committed: Kafka has the commit. The local state has followed it, or is
	// going to be read back.
	Committed func(CommitInfo)
	// Aborted: the work of one interval was undone and is repeated.
	Aborted func(error)
	// Unknown: it was not learned whether a commit succeeded; the worker asks
	// Kafka.
	Unknown func(error)
	// Poisoned: a record failed after it had effects, and its task goes back to
	// the last commit. Those that follow are taken back in place and counted only.
	Poisoned func(error)
	// Warning: something an operator should know that stops nothing.
	Warning func(error)
}

// TaskInfo names a task, as Kafka Streams does: <sub-topology>_<partition>.
type TaskInfo struct{ Task string }

// RestoreInfo tells what it took to bring a task's state up to date.
type RestoreInfo struct {
	Task     string
	Records  int64 // read from changelogs
	Duration time.Duration
	Rebuilt  bool // the local state could not be used
}

// CommitInfo describes one commit.
type CommitInfo struct {
	Tasks     int
	Records   int // processed
	Outputs   int // records for sink topics
	Changelog int // records for changelog topics
	Duration  time.Duration
}

// listeners passes the events of a worker, by its index, on to the user's
// listener, the log and the metrics.
func (a *App) listeners(index int) worker.Events {
	user, log, m := a.cfg.Events, a.cfg.Logger, a.metrics
	return worker.Events{
		Seated:   func(coming int) { a.health.seated(index, coming) },
		Unseated: func() { a.health.unseated(index) },
		Answered: func(ok bool) { a.health.answered(index, ok) },
		TaskAssigned: func(id task.ID) {
			log.Info("task assigned", zap.Stringer("task", id))
			a.health.assigned(id)
			call(user.TaskAssigned, TaskInfo{id.String()})
		},
		TaskMoved: func(id task.ID, from, to worker.LifecycleState) {
			log.Debug("task moves", zap.Stringer("task", id), zap.Stringer("from", from), zap.Stringer("to", to))
		},
		TaskRestored: func(id task.ID, r worker.Restoration) {
			log.Info("task runs", zap.Stringer("task", id), zap.Int64("restored_records", r.Records),
				zap.Duration("duration", r.Duration), zap.Bool("rebuilt", r.Rebuilt))
			m.restored.Add(float64(r.Records))
			a.health.restored(id)
			call(user.TaskRestored, RestoreInfo{Task: id.String(), Records: r.Records, Duration: r.Duration, Rebuilt: r.Rebuilt})
		},
		TaskRevoked: func(id task.ID) {
			log.Info("task revoked", zap.Stringer("task", id))
			a.health.revoked(id)
			a.times.leave(index, id)
			call(user.TaskRevoked, TaskInfo{id.String()})
		},
		Times: func(t []task.TimeInfo) { a.times.set(index, t) },
		Counted: func(_ task.ID, c []graph.Counters) {
			m.count(c)
			a.drops.count(c)
		},
		Repeating: func(undone int) { a.health.repeating(index, undone) },
		Committed: func(c worker.Committed) {
			a.health.repeating(index, 0)
			m.commit(c)
			call(user.Committed, CommitInfo{Tasks: c.Tasks, Records: c.Records, Outputs: c.Outputs, Changelog: c.Entries, Duration: c.Duration})
		},
		Aborted: func(reason error) {
			log.Warn("transaction aborted, its work is repeated", zap.Error(reason))
			m.aborts.Inc()
			call(user.Aborted, reason)
		},
		Unknown: func(reason error) {
			log.Warn("outcome of a commit unknown, asking Kafka", zap.Error(reason))
			m.unknowns.Inc()
			call(user.Unknown, reason)
		},
		Poisoned: func(p task.Poison) {
			log.Warn("record failed after it had effects, its task goes back to the last commit", zap.String("topic", p.Origin.Topic),
				zap.Int32("partition", p.Origin.Partition), zap.Int64("offset", p.Origin.Offset), zap.Error(p.Failure))
			call(user.Poisoned, p.Err())
		},
		Warning: a.warn,
	}
}

// warn tells of something an operator should know.
func (a *App) warn(err error) {
	a.cfg.Logger.Warn("warning", zap.Error(err))
	a.metrics.warnings.Inc()
	call(a.cfg.Events.Warning, err)
}

func call[T any](f func(T), v T) {
	if f != nil {
		f(v)
	}
}
