package main

import (
	"context"
	"time"

	"github.com/millrace/millrace/processor"
)

// live is an application that runs.
type live struct {
	began  time.Time
	cancel context.CancelFunc
	ended  chan struct{} // closed when it does not run any more
	err    error         // why, once ended is closed
}

func start(ctx context.Context, app *processor.App) *live {
	ctx, cancel := context.WithCancel(ctx)
	l := &live{began: time.Now(), cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(l.ended)
		l.err = app.Run(ctx)
	}()
	return l
}

// stop returns when the application has stopped. It may be called again.
func (l *live) stop() error {
	l.cancel()
	<-l.ended
	return l.err
}
