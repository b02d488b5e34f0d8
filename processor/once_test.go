package processor_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
)

// An App is used for one Run, also where two are called at once; the second
// changes nothing for the first.
func TestASecondRunIsRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts", "dead")
	app, err := processor.New(c.topology(countWords), c.cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	defer cancel()
	const calls = 8
	errs := make([]error, calls)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = app.Run(ctx) })
	}
	all.Wait()
	var ran int
	for _, err := range append(errs, app.Run(ctx)) {
		switch {
		case err == nil:
			ran++
		case !strings.Contains(err.Error(), "is used for one Run") || !strings.Contains(err.Error(), "New"):
			t.Errorf("a further call: %v", err)
		}
	}
	if ran != 1 {
		t.Errorf("%d of %d calls ran", ran, calls+1)
	}
}

// A Registerer takes one App of an application id at a time, and the next when it
// is over.
func TestMetricsOfOneAppAfterAnother(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts", "dead")
	reg := prometheus.NewPedanticRegistry()
	c.cfg.Registerer = reg
	for range 2 {
		app, err := processor.New(c.topology(countWords), c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		before := families(t, reg)
		for range 2 { // the second time too: what is refused must not take away or leave anything
			_, err := processor.New(c.topology(countWords), c.cfg)
			if err == nil || !strings.Contains(err.Error(), `"app"`) || !strings.Contains(err.Error(), "never run keeps its metrics") {
				t.Errorf("a second App beside the first: %v", err)
			}
		}
		if after := families(t, reg); after != before {
			t.Errorf("the registry shows %d families, and %d after the refusal", before, after)
		}
		if err := app.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := families(t, reg); n != 0 {
			t.Errorf("%d families of metrics are left", n)
		}
	}
}

// What is in the way of one metric takes none of the others' place.
func TestHalfRegisteredMetricsAreTakenBack(t *testing.T) {
	c := newCluster(t, "words", "counts", "dead")
	reg := prometheus.NewRegistry()
	c.cfg.Registerer = reg
	labels := prometheus.Labels{"application_id": "app"}
	foreign := prometheus.NewGauge(prometheus.GaugeOpts{Name: "millrace_warnings_total", Help: "Things an operator should know; see the log.", ConstLabels: labels})
	reg.MustRegister(foreign)
	if _, err := processor.New(c.topology(countWords), c.cfg); err == nil {
		t.Fatal("two metrics of one name are accepted")
	}
	if n := families(t, reg); n != 1 {
		t.Errorf("%d families of metrics are there, want the foreign one", n)
	}
	reg.Unregister(foreign)
	if _, err := processor.New(c.topology(countWords), c.cfg); err != nil {
		t.Error(err)
	}
}

func families(t *testing.T, reg prometheus.Gatherer) int {
	t.Helper()
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// A function that ends its goroutine does not look like the end of a run.
func TestGoexitIsAnError(t *testing.T) {
	c := newCluster(t, "words", "counts", "dead")
	c.produce(word("a", "x"))
	err := c.run(func(b *stream.Builder) {
		in := stream.From(b, stream.Topic[string, string]{Name: "words", Key: serde.String, Value: serde.String})
		in.Filter(func(string, string) bool { runtime.Goexit(); return true })
	})
	if err == nil || !strings.Contains(err.Error(), "runtime.Goexit") {
		t.Errorf("the run came to %v", err)
	}
}
