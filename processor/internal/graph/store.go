package graph

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/state"
)

// A store is one store of the topology. It belongs to the sub-topology of the
// nodes that are connected to it (Node.Stores): what one of them writes the
// others read at once, in the same task.
type store struct {
	spec   state.Spec
	by     string // the operator that gave it
	shared bool   // others may give it too
}

// AddStore gives the topology a store that belongs to one operator: no other one
// gives a store of that name. Nodes of other operators may be connected to it.
func (b *Builder) AddStore(operator string, spec state.Spec) {
	b.stores = append(b.stores, store{spec: spec, by: operator})
}

// ShareStore gives the topology a store that belongs to no operator alone: others
// may give it too, with an equal spec.
func (b *Builder) ShareStore(operator string, spec state.Spec) {
	b.stores = append(b.stores, store{spec: spec, by: operator, shared: true})
}

// Store returns the spec of a store. Of one that the topology does not have, as
// one of another version, that is the name alone, and false.
func (t *Topology) Store(name string) (state.Spec, bool) {
	for i := range t.stores {
		if t.stores[i].spec.Name == name {
			return t.stores[i].spec, true
		}
	}
	return state.Spec{Name: name}, false
}

// checkStores wants names that are legal and of one store each, and every store
// to be used by some node, and no other.
func (t *Topology) checkStores() error {
	var errs []error
	for i, s := range t.stores {
		if err := state.LegalName(s.spec.Name); err != nil {
			errs = append(errs, fmt.Errorf("operator %q: %w", s.by, err))
		}
		first := slices.IndexFunc(t.stores, func(o store) bool { return o.spec.Name == s.spec.Name })
		if first < i {
			errs = append(errs, t.stores[first].fits(s))
		} else if !slices.ContainsFunc(t.nodes, func(n *Node) bool { return slices.Contains(n.Stores, s.spec.Name) }) {
			errs = append(errs, fmt.Errorf("store %q of operator %q is used by no operator; leave it out", s.spec.Name, s.by))
		}
	}
	for _, n := range t.nodes {
		for _, name := range n.Stores {
			if _, ok := t.Store(name); !ok {
				errs = append(errs, fmt.Errorf("operator %q uses the store %q, which the topology does not have", n.Name, name))
			}
		}
	}
	return errors.Join(errs...)
}

// fits reports why a store of the same name is not the same store; nil if it is.
func (s store) fits(other store) error {
	if !s.shared || !other.shared {
		return fmt.Errorf("the name %q is used by two operators, %q and %q; names of state are unique in an application", s.spec.Name, s.by, other.by)
	}
	if differ := s.spec.Unlike(other.spec); differ != "" {
		return fmt.Errorf("operators %q and %q give different stores the name %q (%s); use one handle in both, or another name", s.by, other.by, s.spec.Name, differ)
	}
	return nil
}

// allot gives every sub-topology the stores of its nodes, by name.
func (t *Topology) allot() {
	for _, s := range t.subs {
		var names []string
		for _, n := range s.Nodes {
			names = append(names, n.Stores...)
		}
		slices.SortFunc(names, strings.Compare)
		for _, name := range slices.Compact(names) {
			spec, _ := t.Store(name)
			s.Stores = append(s.Stores, spec)
		}
	}
}
