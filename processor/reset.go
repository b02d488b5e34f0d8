package processor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace/millrace/processor/internal/broker"
	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/reset"
	"github.com/millrace/millrace/state"
)

// ResetConfig says which application is to start over. ApplicationID and Brokers
// are needed. What the application wrote to its output topics is never touched.
type ResetConfig struct {
	// ApplicationID and Brokers are those of Config.
	ApplicationID string
	Brokers       []string
	// Client is added to the options of the Kafka client. It is that of Config.
	Client []kgo.Opt
	// Topology that ran under the application id. It names the internal topics,
	// and the plan asks about those that only another version of the application
	// can have made; without it, and without InternalTopics, only those are taken
	// that cannot be another application's, and the plan asks about the others.
	Topology *Topology
	// InputTopics are the source topics whose committed offsets are forgotten;
	// nil is all. A task that keeps state and also reads another one will not
	// start, as its state is gone and that offset is not.
	InputTopics []string
	// InternalTopics are changelogs and repartition topics of the application,
	// by their full names. If it is not nil, no topic is deleted that is neither
	// here nor in the Topology, but for those that have to go with the group's
	// offsets: repartition topics in which it has some, and what is noted with
	// them as written by the application, in whatever version.
	InternalTopics []string
	// StateDir is that of Config: the application's directory in it is removed,
	// if it bears the application's mark and holds nothing that an application
	// does not make; otherwise there is no plan. Neither may be a symbolic link.
	// Empty leaves local state alone. The application notices by itself that
	// state left on a machine belongs to a changelog that is no more, so this
	// saves disk and nothing else.
	StateDir string
}

// ResetPlan says what a reset is going to do. Its String is for people, its
// Execute does it. Kafka Streams' name for the tool is
// kafka-streams-application-reset.
type ResetPlan = reset.Plan

// ResetOffset is a committed offset in a ResetPlan.
type ResetOffset = reset.Offset

// ResetTopic is a topic in a ResetPlan that is, or could be, an internal one.
type ResetTopic = reset.Topic

// PlanReset looks what the application has left in the cluster and in the state
// directory, and changes nothing. Executing the plan makes the application start
// over, from where its input topics begin. It fails while the application is
// running: while its group has members, a transaction of it is open, or its
// state directory is locked.
func PlanReset(ctx context.Context, cfg ResetConfig) (*ResetPlan, error) {
	where := fmt.Sprintf("processor: reset %q at %s", cfg.ApplicationID, strings.Join(cfg.Brokers, ","))
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	inner := reset.Config{
		ApplicationID: cfg.ApplicationID, Graph: cfg.Topology,
		Client:      append(slices.Clone(cfg.Client), kgo.SeedBrokers(cfg.Brokers...)),
		InputTopics: cfg.InputTopics, InternalTopics: cfg.InternalTopics,
	}
	if cfg.StateDir != "" {
		inner.StateDir = filepath.Join(cfg.StateDir, cfg.ApplicationID)
	}
	plan, err := reset.Make(ctx, inner)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	return plan, nil
}

func (c *ResetConfig) validate() error {
	if err := state.LegalName(c.ApplicationID); err != nil {
		return fmt.Errorf("ApplicationID: %w", err)
	}
	if len(c.Brokers) == 0 {
		return errors.New("no Brokers: name at least one host:port")
	}
	if err := checkClient(c.Client); err != nil {
		return err
	}
	if c.Topology == nil {
		return nil
	}
	for _, topic := range c.InputTopics {
		if sources := c.Topology.SourceTopics(); !slices.Contains(sources, topic) {
			return fmt.Errorf("InputTopics: the topology does not read %q but %q", topic, sources)
		}
	}
	return nil
}

// withReset adds to an error that only a reset can help the command that does
// it.
func (a *App) withReset(err error) error {
	if !errors.Is(err, broker.ErrReset) && !errors.Is(err, graph.ErrStamp) {
		return err
	}
	return fmt.Errorf("%w; stop all instances, then: %s", err, a.cfg.resetCommand(a.topology))
}

func (c *Config) resetCommand(t *Topology) string {
	args := []string{
		"millrace", "reset", "--application-id", c.ApplicationID, "--brokers", strings.Join(c.Brokers, ","),
		"--internal-topics", strings.Join(reset.InternalTopics(t, c.ApplicationID), ","), "--state-dir", c.StateDir,
	}
	for i, arg := range args {
		if arg == "" || strings.ContainsFunc(arg, needsQuotes) {
			args[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(args, " ")
}

// needsQuotes says that a shell may take r for something else than a letter of a
// word.
func needsQuotes(r rune) bool {
	plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	return !plain && !strings.ContainsRune("-_./:,=@%+", r)
}
