package state

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// A Trait is one of the things that give the bytes of a store their meaning: the format of its values, the windows that
// its numbers stand for, a version that the application declares. The traits of a store go with its state, on disk and
// in its changelog, so that a later version of the application does not read one thing as another.
type Trait struct {
	// Name says which trait it is, in words for people: "values", "windows".
	Name string
	// Value is what it is. Longer values than 64 KiB are kept and compared as their SHA-256.
	Value string
	// Reads reports whether state that was kept under another value can be gone on with; nil if none can. It is not asked
	// about a value of which there is only the SHA-256.
	Reads func(was string) bool
}

// traitValueMax is the length of a value that is kept as it is: enough for the format of a struct of 2000 fields, as JSON.
// It is written with each commit, in a changelog record, of which a topic takes 1 MB if nothing else is said.
const traitValueMax = 64 << 10

// hashPrefix begins a value that is kept as its SHA-256.
const hashPrefix = "sha256 "

func hashOf(value string) string {
	return fmt.Sprintf("%s%x", hashPrefix, sha256.Sum256([]byte(value)))
}

// A Difference is a trait under which the state of a store cannot be gone on with.
type Difference struct{ Trait, Was, Is string }

// String says what has changed, from what to what. Of long values it shows where they begin to differ.
func (d Difference) String() string {
	was, is := apart(d.Was, d.Is)
	return fmt.Sprintf("%s: was %s, is %s", d.Trait, shown(was), shown(is))
}

func shown(value string) string {
	if value == "" {
		return "not set"
	}
	return fmt.Sprintf("%q", value)
}

// What is shown of a long value: so many bytes, of which some come before the difference.
const (
	shownMax    = 200
	shownBefore = 60
)

// apart cuts two values down to where they begin to differ, if one is long.
func apart(was, is string) (string, string) {
	if len(was) <= shownMax && len(is) <= shownMax {
		return was, is
	}
	same := 0
	for same < min(len(was), len(is)) && was[same] == is[same] {
		same++
	}
	from := max(same-shownBefore, 0)
	return cut(was, from), cut(is, from)
}

func cut(value string, from int) string {
	part := strings.ToValidUTF8(value[from:min(from+shownMax, len(value))], "")
	if from > 0 {
		part = "..." + part
	}
	if from+shownMax < len(value) {
		part += "..."
	}
	return part
}

// kept are the traits of a spec as they are written.
func kept(spec Spec) []Trait {
	all := []Trait{{Name: "store", Value: spec.Kind.String()}}
	for _, t := range spec.Traits {
		if len(t.Value) > traitValueMax {
			t.Value = hashOf(t.Value)
		}
		all = append(all, t)
	}
	return all
}

// Compare returns the traits under which something cannot be gone on with: was are those that were kept with it, is those
// of now. A trait that is not among was is no difference: its writer did not know it. Where Reads panics the difference
// says so.
func Compare(was, is []Trait) (all []Difference) {
	for _, w := range was {
		at := slices.IndexFunc(is, func(t Trait) bool { return t.Name == w.Name })
		if at < 0 {
			all = append(all, Difference{Trait: w.Name, Was: w.Value})
			continue
		}
		if reads, is := is[at].reads(w.Value); !reads {
			all = append(all, Difference{Trait: w.Name, Was: w.Value, Is: is})
		}
	}
	return all
}

// reads reports whether what was kept under a value, or its hash, is of this trait or can be gone on with, and what the
// trait is: Reads is user code, and where it panics that is the reason.
func (t Trait) reads(was string) (reads bool, is string) {
	defer func() {
		if p := recover(); p != nil {
			reads, is = false, fmt.Sprintf("%s (of which Reads panicked: %v)", t.Value, p)
		}
	}()
	if strings.HasPrefix(was, hashPrefix) {
		return was == t.Value || was == hashOf(t.Value), t.Value
	}
	return was == t.Value || t.Reads != nil && t.Reads(was), t.Value
}

// Differences returns what keeps the present version from going on with the state of a store: what its bytes meant when
// they were written, and what they mean now. None, if nothing does or the store is new.
func (s *Stores) Differences(store string) []Difference {
	st := s.find(store)
	if st == nil {
		return nil
	}
	p, ok := st.lastPosition()
	if !ok {
		return nil
	}
	return Compare(p.Traits, st.traits)
}

// Differences returns what keeps a store with this spec from going on with the state that a position tells of; none, if
// nothing does.
func (s Spec) Differences(p Position) []Difference { return Compare(p.Traits, kept(s)) }

// KeptTrait is the value that a trait had when the store's state was last committed; false if there is none, or the
// version that committed it did not know the trait.
func (s *Stores) KeptTrait(store, trait string) (string, bool) {
	st := s.find(store)
	if st == nil {
		return "", false
	}
	p, _ := st.lastPosition()
	for _, t := range p.Traits {
		if t.Name == trait {
			return t.Value, true
		}
	}
	return "", false
}

// KeepTrait sets the value of a trait of the store's Spec, from the next commit on: for operators that go on with a layout
// they find, though they would choose another for a new store. A trait that the Spec lacks is not added.
func (s *Stores) KeepTrait(store, trait, value string) {
	st := s.find(store)
	if st == nil {
		return
	}
	for i := range st.traits {
		if st.traits[i].Name == trait {
			st.traits[i].Value = value
		}
	}
}
