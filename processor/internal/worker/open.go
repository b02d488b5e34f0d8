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
	if w.catalog, err = topics.Check(ctx, w.cfg.topics(), w.fetcher.Client); err != nil {
		return false, err
	}
	w.group = group.NewOffsets(w.cfg.ApplicationID, w.fetcher.Client, w.catalog.IDs)
	w.limits = topicLimits{
		applicationID: w.cfg.ApplicationID, catalog: w.catalog, client: w.fetcher.Client, leases: &w.leases,
		waker: &w.waker, warn: w.cfg.Events.warning, lastRead: time.Now(),
	}
	w.search = search{cfg: &w.cfg, leases: &w.leases, limits: &w.limits}
	check := startCheck{&w.cfg, w.fetcher.Client, w.catalog, w.group}
	check.warnOfBounds()
	if w.pipeline, err = commit.Open(ctx, w.cfg.commit(w.catalog), w.group, &w.waker); err != nil {
		return false, err
	}
	w.note.buryFormer(ctx, w.group)
	if over, err := check.run(ctx); over || err != nil {
		return over, err
	}
	if w.member, err = group.Join(w.cfg.member(w.catalog), w.group, &w.waker); err != nil {
		return false, err
	}
	w.restores.Restorer = restore.Start(restore.Config{
		ApplicationID: w.cfg.ApplicationID, Client: w.cfg.Client, Storage: w.cfg.Storage,
		AtLeastOnce: w.cfg.Guarantee == AtLeastOnce, Run: w.cfg.run(), AcceptRemade: w.cfg.AcceptRemade,
		Now: w.cfg.Now, Faults: &w.cfg.Faults.RestoreFaults,
		Topics: w.catalog, Offsets: w.group, Requests: w.fetcher.Client, Who: w.member.Identity,
	}, &w.waker)
	return false, nil
}

// topics and the following are what each of the rooms below is told of the worker.
func (c *Config) topics() topics.Config {
	return topics.Config{
		ApplicationID: c.ApplicationID, Graph: c.Graph, ExactlyOnce: c.Guarantee == ExactlyOnce,
		Warn: c.Events.warning,
	}
}

func (c *Config) member(catalog *topics.Catalog) group.MemberConfig {
	return group.MemberConfig{
		Client: c.Client, Topics: c.Graph.SourceTopics(), Layout: &catalog.Layout, Changelog: c.changelog,
		SessionTimeout: c.SessionTimeout, RebalanceTimeout: c.RebalanceTimeout, HeartbeatInterval: c.HeartbeatInterval,
		Answered: c.Events.answered,
	}
}

// changelog names the changelog of a store.
func (c *Config) changelog(store string) string {
	spec, _ := c.Graph.Store(store)
	return spec.ChangelogTopic(c.ApplicationID)
}

func (c *Config) commit(catalog *topics.Catalog) commit.Config {
	told := commit.Config{
		Client: c.Client, TransactionTimeout: c.TransactionTimeout,
		Stepped: catalog.Stepped, LargestBatch: catalog.LargestBatch,
		Faults: &c.Faults.CommitFaults, Warn: c.Events.warning,
	}
	if c.Guarantee == ExactlyOnce {
		told.TransactionalID = fmt.Sprintf("%s-%s-%d", c.ApplicationID, c.Storage.ProcessID(), c.Index)
	}
	return told
}
