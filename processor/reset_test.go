package processor_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/processor"
	"github.com/millrace/millrace/processor/stream"
	"github.com/millrace/millrace/schemaregistry/serde"
)

// byValue is how words are counted in the tests of the reset: by value, so that
// there is a repartition topic beside the changelog.
func byValue(b *stream.Builder) {
	values := stream.GroupBy("by-value", stream.From(b, words), func(_, value string) string { return value }, serde.String, serde.String)
	stream.To(stream.Count("totals", values).Changes(), counts)
}

// resetConfig is a reset of the cluster's application, as the command line has
// it: without the topology.
func (c *cluster) resetConfig() processor.ResetConfig {
	return processor.ResetConfig{ApplicationID: c.cfg.ApplicationID, Brokers: c.cfg.Brokers, StateDir: c.cfg.StateDir}
}

func (c *cluster) planReset(cfg processor.ResetConfig) *processor.ResetPlan {
	c.t.Helper()
	plan, err := processor.PlanReset(c.t.Context(), cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	return plan
}

func (c *cluster) reset(cfg processor.ResetConfig) (done []string) {
	c.t.Helper()
	plan := c.planReset(cfg)
	if err := plan.Execute(c.t.Context(), func(step string) { done = append(done, step) }); err != nil {
		c.t.Fatalf("%v; the plan was:\n%s", err, plan)
	}
	return done
}

// After a reset everything is counted again, once: the results are those of the
// first run, and not of the first run continued.
func TestResetStartsOver(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		with func(*cluster, *processor.ResetConfig)
	}{
		{"with the topology", func(c *cluster, cfg *processor.ResetConfig) { cfg.Topology = c.topology(byValue) }},
		{"without", func(*cluster, *processor.ResetConfig) {}},
		{"with a list", func(_ *cluster, cfg *processor.ResetConfig) {
			cfg.InternalTopics = []string{"app-totals-changelog", "app-by-value-repartition"}
		}},
		{"with the local state left", func(_ *cluster, cfg *processor.ResetConfig) { cfg.StateDir = "" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t, "words", "counts")
			for range 50 {
				c.produce(word("1", "a"), word("2", "b"), word("3", "a"))
			}
			c.cfg.CommitRecords = 1000
			if err := c.run(byValue); err != nil {
				t.Fatal(err)
			}
			before := c.last(2)
			if want := map[string]string{"a": "100", "b": "50"}; !maps.Equal(before, want) {
				t.Fatalf("the first run: %v, want %v", before, want)
			}
			cfg := c.resetConfig()
			tt.with(c, &cfg)
			c.reset(cfg)
			c.checkTrace(cfg.StateDir == "")
			if err := c.run(byValue); err != nil {
				t.Fatal(err)
			}
			if after := c.last(4); !maps.Equal(after, before) {
				t.Errorf("after the reset %v, before it %v", after, before)
			}
		})
	}
}

// checkTrace: nothing is left of the application but what it read and wrote.
func (c *cluster) checkTrace(withState bool) {
	c.t.Helper()
	got := c.topics().Names()
	if want := []string{"counts", "words"}; !slices.Equal(got, want) {
		c.t.Errorf("the topics after the reset are %q, want %q", got, want)
	}
	entries, err := os.ReadDir(c.cfg.StateDir)
	if err != nil || (len(entries) > 0) != withState {
		c.t.Errorf("the state directory after the reset: %v, %v", entries, err)
	}
}

// The plan shows every offset and topic, planning changes nothing, and a second
// reset finds nothing to do.
func TestResetPlan(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts", "app-other")
	c.produce(word("1", "a"), word("2", "b"))
	if err := c.run(byValue); err != nil {
		t.Fatal(err)
	}
	plan := c.planReset(c.resetConfig())
	text := plan.String()
	for _, want := range []string{
		"delete  app-by-value-repartition  2 partitions  the group has committed offsets in it\n",
		"delete  app-totals-changelog      2 partitions  noted with the group's offsets\n",
		`words                     partition 0  at `, `words                     partition 1  at `, `bounded run "run"`,
		"delete  " + filepath.Join(c.cfg.StateDir, "app") + "\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the plan does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "app-other") || plan.Nothing() {
		t.Errorf("the plan:\n%s", text)
	}
	if err := c.run(byValue); err != nil {
		t.Errorf("after planning, the same run again: %v", err)
	}
	if done := c.reset(c.resetConfig()); len(done) != 4 {
		t.Errorf("done: %q", done)
	}
	again := c.planReset(c.resetConfig())
	if !again.Nothing() || !strings.HasPrefix(again.String(), "nothing to do:") {
		t.Errorf("the second plan:\n%s", again)
	}
	if done := c.reset(c.resetConfig()); len(done) != 0 {
		t.Errorf("the second reset did %q", done)
	}
}

// Topics of an application whose id begins like this one's are never deleted,
// whether its group is there or not.
func TestResetLeavesSiblings(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts")
	c.produce(word("1", "a"), word("2", "b"))
	sibling := *c
	sibling.cfg.ApplicationID = "app-2"
	for _, each := range []*cluster{c, &sibling} {
		if err := each.run(byValue); err != nil {
			t.Fatal(err)
		}
	}
	theirs := []string{"app-2-by-value-repartition", "app-2-totals-changelog"}
	t.Run("alive", func(t *testing.T) {
		text := c.planReset(c.resetConfig()).String()
		if strings.Count(text, `by its name it belongs to the group "app-2"`) != 2 {
			t.Errorf("the plan does not say why the sibling's topics stay:\n%s", text)
		}
		c.reset(c.resetConfig())
		c.checkSibling(t, theirs)
		sibling.produce(word("3", "b"))
		if err := sibling.run(byValue); err == nil || !strings.Contains(err.Error(), "gone on") {
			t.Errorf("the sibling does not know its run any more: %v", err)
		}
	})
	t.Run("its group is gone", func(t *testing.T) {
		if _, err := c.admin().DeleteGroup(t.Context(), "app-2"); err != nil {
			t.Fatal(err)
		}
		if err := c.run(byValue); err != nil {
			t.Fatal(err)
		}
		plan := c.planReset(c.resetConfig())
		if got := plan.Undecided(); !slices.Equal(got, theirs) {
			t.Errorf("it asks about %q, want %q", got, theirs)
		}
		if err := plan.Execute(t.Context(), nil); err == nil || !strings.Contains(err.Error(), `"app-2-totals-changelog"`) {
			t.Errorf("executing without an answer: %v", err)
		}
		cfg := c.resetConfig()
		cfg.Topology = c.topology(byValue)
		c.reset(cfg)
		c.checkSibling(t, theirs)
	})
	t.Run("the other way round", func(t *testing.T) {
		if got := sibling.planReset(sibling.resetConfig()).Undecided(); !slices.Equal(got, theirs) {
			t.Errorf("it asks about %q, want %q", got, theirs)
		}
		cfg := sibling.resetConfig()
		cfg.InternalTopics = theirs
		sibling.reset(cfg)
		if left := sibling.topics().Names(); slices.ContainsFunc(left, func(s string) bool { return strings.HasPrefix(s, "app-2-") }) {
			t.Errorf("left: %q", left)
		}
	})
}

func (c *cluster) checkSibling(t *testing.T, theirs []string) {
	t.Helper()
	got := slices.DeleteFunc(c.topics().Names(), func(s string) bool { return !strings.HasPrefix(s, "app-") })
	if !slices.Equal(got, theirs) {
		t.Errorf("internal topics after the reset: %q, want %q", got, theirs)
	}
	if _, err := os.Stat(filepath.Join(c.cfg.StateDir, "app-2")); err != nil {
		t.Errorf("the sibling's local state: %v", err)
	}
}

// A start that is refused names the whole command, and works after it.
func TestRefusedStartNamesTheCommand(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts")
	c.produce(word("1", "a"), word("2", "b"))
	if err := c.run(byValue); err != nil {
		t.Fatal(err)
	}
	c.cfg.BoundedRun = "another"
	command := fmt.Sprintf("millrace reset --application-id app --brokers %s --internal-topics app-by-value-repartition,app-totals-changelog --state-dir %s",
		strings.Join(c.cfg.Brokers, ","), c.cfg.StateDir)
	if err := c.run(byValue); err == nil || !strings.Contains(err.Error(), `bounded run "run", not to "another"`) || !strings.HasSuffix(err.Error(), command) {
		t.Fatalf("the start is refused with\n%v\nwant\n%s", err, command)
	}
	if err := c.run(byValue); strings.Count(err.Error(), "millrace reset") != 1 {
		t.Errorf("it says more than once what is to be done: %v", err)
	}
	c.reset(c.resetConfig())
	if err := c.run(byValue); err != nil {
		t.Fatal(err)
	}
	if got, want := c.last(4), (map[string]string{"a": "1", "b": "1"}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A stranger's record in an internal topic stops the application, with the
// command that removes it.
func TestForeignRecordNamesTheCommand(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "counts")
	c.cfg.BoundedRun = ""
	running := make(chan struct{}, 4) // two tasks of each sub-topology
	c.cfg.Events.TaskRestored = func(processor.RestoreInfo) { running <- struct{}{} }
	r := c.start(byValue)
	for range cap(running) { // what comes before is of an earlier life, and deleted
		select {
		case err := <-r.done:
			t.Fatal(err)
		case <-running:
		}
	}
	stranger := word("1", "a")
	stranger.Topic = "app-by-value-repartition"
	c.produce(stranger)
	if err := r.wait(); err == nil || !strings.Contains(err.Error(), "no upstream task has written it") || !strings.Contains(err.Error(), "then: millrace reset --application-id app ") {
		t.Fatalf("it ended with %v", err)
	}
	cfg := c.resetConfig()
	cfg.Topology = c.topology(byValue)
	c.reset(cfg)
}

// Only the offsets of the topics that are named are forgotten.
func TestResetOfSomeInputs(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "words", "more", "counts")
	numbers := stream.Topic[string, int64]{Name: "more", Key: serde.String, Value: serde.Int64}
	two := func(b *stream.Builder) {
		stream.To(stream.Map(stream.From(b, words), func(k, _ string) (string, int64) { return k, 1 }), counts)
		stream.To(stream.From(b, numbers), counts)
	}
	c.produce(word("1", "a"))
	more := word("2", "12345678")
	more.Topic = "more"
	c.produce(more)
	if err := c.run(two); err != nil {
		t.Fatal(err)
	}
	cfg := c.resetConfig()
	cfg.InputTopics, cfg.Topology = []string{"words"}, c.topology(two)
	text := c.planReset(cfg).String()
	if strings.Count(text, "  delete  words") != 2 || strings.Count(text, "  keep    more") != 2 {
		t.Errorf("the plan:\n%s", text)
	}
	c.reset(cfg)
	if !c.planReset(cfg).Nothing() {
		t.Errorf("the second plan:\n%s", c.planReset(cfg))
	}
	if err := c.run(two); err != nil {
		t.Fatal(err)
	}
	if got := c.consume("counts", 3); got["1=1"] != 2 || len(got) != 2 {
		t.Errorf("got %v, want the words twice", got)
	}
	cfg.InputTopics = []string{"word"}
	if _, err := processor.PlanReset(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), `does not read "word"`) {
		t.Errorf("a topic that is not read: %v", err)
	}
}
