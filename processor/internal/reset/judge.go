package reset

import (
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
)

// evidence decides which topics are an application's. The name alone cannot:
// app-2-x-changelog is the changelog of store 2-x of application app, or of
// store x of application app-2.
//
// What the group's own offsets say is certain, whatever else is said, and has to go
// with them: a repartition topic that outlives the offsets in it is read from its
// beginning by the next version that knows it. Beyond that, with the topology, or
// with a list, the names are known; about a topic that the topology lacks and that
// can be nobody else's a human is asked, for another version may have made it.
// Without both, a topic is taken only for a reason that cannot be wrong; one that
// belongs to a longer group id is left alone, and about the rest a human is asked.
//
// Rejected: the prefix alone, as Kafka Streams' tool does, for it deletes the
// state of app-2 with that of app. The groups that exist alone, for a group
// that nobody has used for a week is no more, and its changelog still is.
type evidence struct {
	id string
	// exact are the names that are known, with the reason; nil if none are.
	exact map[string]string
	// others says why a topic is not among the exact ones.
	others    string
	listed    bool                         // a human has said which are the application's
	reads     []string                     // by the topology, and that are not its own
	committed map[string]bool              // topics the group has offsets in
	notes     []task.Note                  // that are kept with these
	groups    []string                     // of the cluster
	settings  map[string]map[string]string // of topics, as far as they may be read
}

// Suffixes of internal topics.
const (
	changelogSuffix   = "-changelog"
	repartitionSuffix = "-repartition"
)

// infix returns the part of an internal topic's name between application id and
// suffix; empty if the name is not that of an internal topic of id.
func infix(id, topic string) string {
	rest, ok := strings.CutPrefix(topic, id+"-")
	if !ok {
		return ""
	}
	if name, ok := strings.CutSuffix(rest, changelogSuffix); ok {
		return name
	}
	name, _ := strings.CutSuffix(rest, repartitionSuffix)
	if name == rest {
		return ""
	}
	return name
}

// known fills in what a topology and a list say.
func (e *evidence) known(g *graph.Topology, named []string) error {
	if g == nil && named == nil {
		return nil
	}
	e.exact, e.others, e.listed = map[string]string{}, "not named as an internal topic", named != nil
	for _, topic := range named {
		if infix(e.id, topic) == "" {
			return fmt.Errorf("topic %q cannot be an internal topic of application %q: those are called %q or %q", topic, e.id, e.id+"-<store>"+changelogSuffix, e.id+"-<name>"+repartitionSuffix)
		}
		e.exact[topic] = "named as an internal topic"
	}
	if g == nil {
		return nil
	}
	e.others = "not in the topology"
	for _, topic := range InternalTopics(g, e.id) {
		e.exact[topic] = "in the topology"
	}
	for _, topic := range g.Bind(e.id).SourceTopics() {
		if e.exact[topic] == "" {
			e.reads = append(e.reads, topic)
		}
	}
	return nil
}

// InternalTopics are the names of the internal topics of a topology, sorted.
func InternalTopics(g *graph.Topology, applicationID string) (names []string) {
	g = g.Bind(applicationID)
	for _, s := range g.Subtopologies() {
		for _, store := range s.Stores {
			if store.Changelog == "" { // else it is somebody's, and kept
				names = append(names, store.ChangelogTopic(applicationID))
			}
		}
	}
	for _, r := range g.Repartitions() {
		names = append(names, r.Topic)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// judge says what becomes of a topic whose name fits.
func (e *evidence) judge(topic string) (Action, string) {
	if why, ok := e.exact[topic]; ok {
		return Delete, why
	}
	if why := e.certain(topic); why != "" {
		return Delete, why
	}
	if e.exact == nil {
		return e.byName(topic)
	}
	if !e.listed && !slices.Contains(e.reads, topic) {
		if action, why := e.byName(topic); action == Delete {
			return Ask, e.others + ", but " + why + ": another version may have made it"
		}
	}
	return Keep, e.others
}

// certain is what the group's own offsets say for a topic; empty if nothing.
func (e *evidence) certain(topic string) string {
	if slices.Contains(e.reads, topic) {
		return ""
	}
	if e.committed[topic] && strings.HasSuffix(topic, repartitionSuffix) {
		return "the group has committed offsets in it"
	}
	if _, noted := task.FindNote(e.notes, topic); noted {
		return "noted with the group's offsets"
	}
	return ""
}

// byName judges a topic of which nothing is known but name and settings.
func (e *evidence) byName(topic string) (Action, string) {
	name := infix(e.id, topic)
	switch other := e.rival(topic); {
	case len(other) > len(e.id):
		return Keep, fmt.Sprintf("by its name it belongs to the group %q", other)
	case other != "":
		return Ask, fmt.Sprintf("by its name it may belong to the group %q", other)
	case strings.Contains(name, "-"):
		return Ask, fmt.Sprintf("by its name it may belong to an application %q", e.id+"-"+name[:strings.LastIndexByte(name, '-')])
	case strings.Contains(e.id, "-"):
		return Ask, fmt.Sprintf("by its name it may belong to an application %q", e.id[:strings.LastIndexByte(e.id, '-')])
	case !e.looksInternal(topic):
		return Ask, "its settings are not those of an internal topic"
	}
	return Delete, "its name fits no other application"
}

// rival returns the longest other group the topic's name fits; empty if there is
// none.
func (e *evidence) rival(topic string) (longest string) {
	for _, g := range e.groups {
		if g != e.id && infix(g, topic) != "" && len(g) > len(longest) {
			longest = g
		}
	}
	return longest
}

// looksInternal says that a topic has the settings that a worker gives to its
// internal topics, and that nobody gives to another by accident.
func (e *evidence) looksInternal(topic string) bool {
	s := e.settings[topic]
	compacted := slices.Contains(strings.Split(s["cleanup.policy"], ","), "compact")
	return s["retention.ms"] == "-1" && s["retention.bytes"] == "-1" && compacted == strings.HasSuffix(topic, changelogSuffix)
}
