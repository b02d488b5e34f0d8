package state

import (
	"fmt"
	"slices"
)

// Kind is the shape of a store, part of what its bytes mean.
type Kind uint8

const (
	// KeyValue is a store with one value per key.
	KeyValue Kind = iota + 1
	// Window is a store with one value per window start and key.
	Window
)

// String names the kind as error texts and descriptions do.
func (k Kind) String() string {
	switch k {
	case KeyValue:
		return "key-value"
	case Window:
		return "window"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Spec is what a task must know of a store without knowing its types.
type Spec struct {
	// Name is a legal name (LegalName), unique in the application: it names the changelog topic.
	Name string
	// Kind is the store's shape.
	Kind Kind
	// Changelog is the topic that has the store's changes; empty for one that is the application's own and named after
	// it and the store.
	Changelog string
	// Traits are what else gives the store's bytes their meaning; their names are unique.
	Traits []Trait
}

// Unlike says in what two specs of one name differ; "" if their stores can be one.
func (s Spec) Unlike(other Spec) string {
	if s.Changelog != other.Changelog {
		return fmt.Sprintf("changelog: %s and %s", shown(s.Changelog), shown(other.Changelog))
	}
	is := kept(other)
	for _, t := range kept(s) {
		at := slices.IndexFunc(is, func(o Trait) bool { return o.Name == t.Name })
		if at < 0 {
			return fmt.Sprintf("%s: %s and none", t.Name, shown(t.Value))
		}
		if is[at].Value != t.Value {
			return fmt.Sprintf("%s: %s and %s", t.Name, shown(t.Value), shown(is[at].Value))
		}
	}
	if len(other.Traits) > len(s.Traits) {
		return other.Unlike(s)
	}
	return ""
}

// nameMax is the longest legal name, in bytes: with the application id before it and "-changelog" behind it a topic
// name stays within Kafka's 249.
const nameMax = 100

// LegalName reports why name cannot name a store, a task or a note; nil if it can: 1 to 100 of Kafka's characters
// [A-Za-z0-9._-], and neither "." nor "..".
func LegalName(name string) error {
	if name == "" || name == "." || name == ".." {
		return fmt.Errorf("state: %q is not a legal name: use 1 to %d of [A-Za-z0-9._-]", name, nameMax)
	}
	if len(name) > nameMax {
		return fmt.Errorf("state: the name %.20q... has %d characters, %d are allowed", name, len(name), nameMax)
	}
	for i := range len(name) {
		if !legalByte(name[i]) {
			return fmt.Errorf("state: %q is not a legal name: character %d is not one of [A-Za-z0-9._-]", name, i+1)
		}
	}
	return nil
}

func legalByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// ChangelogTopic is the topic that has the store's changes in an application.
func (s Spec) ChangelogTopic(applicationID string) string {
	if s.Changelog != "" {
		return s.Changelog
	}
	return ChangelogTopic(applicationID, s.Name)
}

// ChangelogTopic is the name of a changelog that is the application's own, as Kafka Streams builds it.
func ChangelogTopic(applicationID, store string) string {
	return applicationID + "-" + store + "-changelog"
}

// storesMax bounds the stores of one task; it is far below the number of store ids.
const storesMax = 1000

func checkSpecs(specs []Spec) error {
	if len(specs) > storesMax {
		return fmt.Errorf("state: a task has %d stores, %d are allowed: split the topology", len(specs), storesMax)
	}
	seen := make(map[string]bool, len(specs))
	for _, s := range specs {
		if err := LegalName(s.Name); err != nil {
			return err
		}
		if s.Kind != KeyValue && s.Kind != Window {
			return fmt.Errorf("state: store %q has the unknown %v: make its Spec with KV or Windowed", s.Name, s.Kind)
		}
		if seen[s.Name] {
			return fmt.Errorf("state: two stores are named %q: rename one", s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}
