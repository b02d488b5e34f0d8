package reset

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// String shows the whole plan: each committed offset, each topic with the
// reason, the state directory, and what is left alone.
func (p *Plan) String() string {
	var b strings.Builder
	if p.Nothing() {
		fmt.Fprintf(&b, "nothing to do: application %q has no committed offsets, no internal topics and no local state here\n", p.ApplicationID)
	} else {
		fmt.Fprintf(&b, "to start application %q over:\n", p.ApplicationID)
	}
	p.describeOffsets(&b)
	p.describeTopics(&b)
	if p.StateDir != "" {
		fmt.Fprintf(&b, "\nlocal state\n  delete  %s\n", p.StateDir)
	}
	return b.String()
}

func (p *Plan) describeOffsets(b *strings.Builder) {
	switch {
	case p.Group:
		fmt.Fprintf(b, "\ncommitted offsets: the group %q is deleted\n", p.ApplicationID)
	case len(p.Offsets) > 0:
		fmt.Fprintf(b, "\ncommitted offsets of the group %q\n", p.ApplicationID)
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, o := range p.Offsets {
		action, begin := "delete", fmt.Sprintf("begins at %d", o.Begin)
		if o.Keep {
			action, begin = "keep", "not an input topic that was named"
		} else if o.Begin < 0 {
			begin = "the partition is gone"
		}
		fmt.Fprintf(w, "  %s\t%s\tpartition %d\tat %d\t%s\n", action, o.Topic, o.Partition, o.Committed, join(begin, o.Note))
	}
	_ = w.Flush() // into memory
}

func (p *Plan) describeTopics(b *strings.Builder) {
	if len(p.Topics) > 0 {
		fmt.Fprintf(b, "\ninternal topics\n")
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, t := range p.Topics {
		partitions := fmt.Sprintf("%d partitions", t.Partitions)
		if t.Action == Gone {
			partitions = "-"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", t.Action, t.Name, partitions, t.Why)
	}
	_ = w.Flush() // into memory
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}
