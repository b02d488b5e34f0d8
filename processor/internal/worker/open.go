package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/commit"
	"github.com/millrace/millrace/processor/internal/group"
	"github.com/millrace/millrace/processor/internal/restore"
	"github.com/millrace/millrace/processor/internal/topics"
)

// open connects, looks around, settles what a former incarnation left, and
// joins the group.
func (w *Worker) open(ctx context.Context) (over bool, err error) {
	if w.fetcher, err = broker.NewFetcher(w.cfg.Client, &w.waker); err != nil {
		return false, err
	}
	if w.catalog, err = topics.Check(ctx, w.topicsConfig(), w.fetcher.Client); err != nil {
		return false, err
	}
	w.lastRead = time.Now()
	w.warnOfBounds()
	w.group = group.NewOffsets(w.cfg.ApplicationID, w.fetcher.Client, w.catalog.IDs)
	if w.pipeline, err = commit.Open(ctx, w.commitConfig(), w.group, &w.waker); err != nil {
		return false, err
	}
	w.buryFormer(ctx)
	if over, err := w.precheck(ctx); over || err != nil {
		return over, err
	}
	if w.member, err = group.Join(w.memberConfig(), w.group, &w.waker); err != nil {
		return false, err
	}
	w.restores.Restorer = restore.Start(w.restoreConfig(), &w.waker)
	return false, nil
}

// warnOfBounds tells of sinks that refuse what is likely to come, once in a process.
func (w *Worker) warnOfBounds() {
	if w.cfg.Index > 0 {
		return
	}
	for _, warning := range w.catalog.TooFar(w.cfg.Graph, w.cfg.Now(), w.cfg.run() != "") {
		w.cfg.Events.warning(warning)
	}
}

// topicsConfig and the following are what each of the rooms below is told of the
// worker.
func (w *Worker) topicsConfig() topics.Config {
	return topics.Config{
		ApplicationID: w.cfg.ApplicationID, Graph: w.cfg.Graph, ExactlyOnce: w.cfg.Guarantee == ExactlyOnce,
		Warn: w.cfg.Events.warning,
	}
}

func (w *Worker) memberConfig() group.MemberConfig {
	return group.MemberConfig{
		Client: w.cfg.Client, Topics: w.cfg.Graph.SourceTopics(), Layout: &w.catalog.Layout, Changelog: w.changelog,
		SessionTimeout: w.cfg.SessionTimeout, RebalanceTimeout: w.cfg.RebalanceTimeout, HeartbeatInterval: w.cfg.HeartbeatInterval,
		Answered: w.cfg.Events.answered,
	}
}

// changelog names the changelog of a store.
func (w *Worker) changelog(store string) string {
	spec, _ := w.cfg.Graph.Store(store)
	return spec.ChangelogTopic(w.cfg.ApplicationID)
}

func (w *Worker) commitConfig() commit.Config {
	c := commit.Config{
		Client: w.cfg.Client, TransactionTimeout: w.cfg.TransactionTimeout,
		Stepped: w.catalog.Stepped, LargestBatch: w.catalog.LargestBatch,
		Faults: &w.cfg.Faults.CommitFaults, Warn: w.cfg.Events.warning,
	}
	if w.cfg.Guarantee == ExactlyOnce {
		c.TransactionalID = fmt.Sprintf("%s-%s-%d", w.cfg.ApplicationID, w.cfg.Storage.ProcessID(), w.cfg.Index)
	}
	return c
}

func (w *Worker) restoreConfig() restore.Config {
	return restore.Config{
		ApplicationID: w.cfg.ApplicationID, Client: w.cfg.Client, Storage: w.cfg.Storage,
		AtLeastOnce: w.cfg.Guarantee == AtLeastOnce, Run: w.cfg.run(), AcceptRemade: w.cfg.AcceptRemade,
		Now: w.cfg.Now, Faults: &w.cfg.Faults.RestoreFaults,
		Topics: w.catalog, Offsets: w.group, Requests: w.fetcher.Client, Who: w.member.Identity,
	}
}
