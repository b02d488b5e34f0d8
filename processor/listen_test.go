package processor

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// TestAddressesAreThoseThatAreServed, and gone with their listeners: the port
// may belong to somebody else by then.
func TestAddressesAreThoseThatAreServed(t *testing.T) {
	a := &App{cfg: Config{Listen: "127.0.0.1:0", DebugListen: "0", Logger: zap.NewNop()}, health: newHealth(1), gatherer: prometheus.NewRegistry()}
	ctx, cancel := context.WithCancel(t.Context())
	wait, err := a.serveAll(ctx)
	defer cancel()
	if err != nil {
		t.Fatal(err)
	}
	if a.ListenAddr() == "" || a.DebugAddr() == "" {
		t.Errorf("served on %q and %q", a.ListenAddr(), a.DebugAddr())
	}
	cancel()
	wait()
	if a.ListenAddr() != "" || a.DebugAddr() != "" {
		t.Errorf("still %q and %q when nothing is served", a.ListenAddr(), a.DebugAddr())
	}
}
