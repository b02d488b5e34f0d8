package reset

import (
	"slices"
	"strings"
	"testing"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/processor/internal/task"
	"github.com/millrace/millrace/state"
)

func TestInfix(t *testing.T) {
	for _, tt := range []struct{ id, topic, want string }{
		{"app", "app-x-changelog", "x"},
		{"app", "app-x-repartition", "x"},
		{"app", "app-2-x-changelog", "2-x"},
		{"app-2", "app-2-x-changelog", "x"},
		{"app", "app-changelog", ""},
		{"app", "app--changelog", ""},
		{"app", "app-changelog-changelog", "changelog"},
		{"app", "app-x-changelog-2", ""},
		{"app", "app2-x-changelog", ""},
		{"app", "my-app-x-changelog", ""},
		{"app", "app-x", ""},
		{"app", "app", ""},
	} {
		if got := infix(tt.id, tt.topic); got != tt.want {
			t.Errorf("%s as one of %s: %q, want %q", tt.topic, tt.id, got, tt.want)
		}
	}
}

// ours are the settings of internal topics.
var ours = map[string]map[string]string{
	"changelog":   {"cleanup.policy": "compact,delete", "retention.ms": "-1", "retention.bytes": "-1"},
	"repartition": {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"},
	"default":     {"cleanup.policy": "delete", "retention.ms": "604800000", "retention.bytes": "-1"},
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name      string
		id, topic string
		settings  string
		groups    []string
		committed bool
		exact     map[string]string
		want      Action
		why       string
	}{
		{"one reading", "app", "app-x-changelog", "changelog", nil, false, nil, Delete, "fits no other"},
		{"one reading, repartition", "app", "app-x-repartition", "repartition", nil, false, nil, Delete, "fits no other"},
		{"its own group and others", "app", "app-x-changelog", "changelog", []string{"app", "ap", "app-x", "other"}, false, nil, Delete, "fits no other"},
		{"settings of a user's topic", "app", "app-x-changelog", "default", nil, false, nil, Ask, "settings"},
		{"settings of the other kind", "app", "app-x-changelog", "repartition", nil, false, nil, Ask, "settings"},
		{"settings of the other kind", "app", "app-x-repartition", "changelog", nil, false, nil, Ask, "settings"},
		{"settings unknown", "app", "app-x-changelog", "", nil, false, nil, Ask, "settings"},
		{"a longer id fits", "app", "app-2-x-changelog", "changelog", nil, false, nil, Ask, `application "app-2"`},
		{"a longer id fits, its group is there", "app", "app-2-x-changelog", "changelog", []string{"app", "app-2"}, false, nil, Keep, `group "app-2"`},
		{"a shorter id fits", "app-2", "app-2-x-changelog", "changelog", nil, false, nil, Ask, `application "app"`},
		{"a shorter id fits, its group is there", "app-2", "app-2-x-changelog", "changelog", []string{"app", "app-2"}, false, nil, Ask, `group "app"`},
		{"the group reads it", "app", "app-2-x-repartition", "", []string{"app-2"}, true, nil, Delete, "committed"},
		{"the group reads another's changelog", "app", "app-2-x-changelog", "", []string{"app-2"}, true, nil, Keep, `group "app-2"`},
		{"named", "app", "app-2-x-changelog", "", []string{"app-2"}, false, map[string]string{"app-2-x-changelog": "named"}, Delete, "named"},
		{"not named, but the group reads it", "app", "app-x-repartition", "repartition", nil, true, map[string]string{}, Delete, "committed"},
		{"not named", "app", "app-x-changelog", "changelog", nil, false, map[string]string{}, Keep, "not named"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := evidence{
				id: tt.id, exact: tt.exact, listed: tt.exact != nil, others: "not named", groups: tt.groups,
				committed: map[string]bool{tt.topic: tt.committed}, settings: map[string]map[string]string{tt.topic: ours[tt.settings]},
			}
			if got, why := e.judge(tt.topic); got != tt.want || !strings.Contains(why, tt.why) {
				t.Errorf("%v, %s; want %v, %s", got, why, tt.want, tt.why)
			}
		})
	}
}

// TestJudgeByNotes: what the group's offsets have a note on goes with them,
// whatever its name may mean and whoever was asked.
func TestJudgeByNotes(t *testing.T) {
	noted := evidence{id: "app", notes: []task.Note{{Topic: task.NoteTopic("app-2-x-changelog")}}}
	listed, reading := noted, noted
	listed.exact, listed.listed = map[string]string{}, true
	reading.exact, reading.reads = map[string]string{}, []string{"app-2-x-changelog"}
	for name, tt := range map[string]struct {
		e    evidence
		want Action
	}{"nothing else is known": {noted, Delete}, "a list without it": {listed, Delete}, "another's, which is read": {reading, Keep}} {
		if got, why := tt.e.judge("app-2-x-changelog"); got != tt.want {
			t.Errorf("%s: %v, %s", name, got, why)
		}
	}
}

// TestJudgeWithATopology: another version may have made what it lacks, if nobody
// else can have.
func TestJudgeWithATopology(t *testing.T) {
	for topic, want := range map[string]Action{"app-old-changelog": Ask, "app-2-x-changelog": Keep, "app-users-changelog": Keep} {
		e := evidence{id: "app", exact: map[string]string{}, others: "not in the topology", settings: map[string]map[string]string{
			"app-old-changelog": ours["changelog"], "app-2-x-changelog": ours["changelog"], "app-users-changelog": ours["default"],
		}}
		if got, why := e.judge(topic); got != want || !strings.HasPrefix(why, "not in the topology") {
			t.Errorf("%s: %v, %s", topic, got, why)
		}
	}
}

// TestATopicThatAStoreNamesIsNotInternal: it was there before the application and
// is kept.
func TestATopicThatAStoreNamesIsNotInternal(t *testing.T) {
	b := graph.NewBuilder("test")
	in := b.Add(graph.Node{Name: "in", Kind: graph.SourceNode, Topic: "in"})
	b.Add(graph.Node{Name: "op", Kind: graph.OperatorNode, Stores: []string{"counts", "users"}}, graph.Edge{From: in})
	b.AddStore("op", state.Spec{Name: "counts"})
	b.AddStore("op", state.Spec{Name: "users", Changelog: "all-users"})
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if got := InternalTopics(g, "app"); !slices.Equal(got, []string{"app-counts-changelog"}) {
		t.Errorf("internal topics %q", got)
	}
}
