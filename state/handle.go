package state

import (
	"fmt"

	"github.com/millrace/millrace/schemaregistry/serde"
)

// Opener is what a handle needs to open its store: something that has the stores of a task.
type Opener interface {
	// Stores are the stores of the task; nil if it has none.
	Stores() *Stores
}

// Limited is an Opener of some of the task's stores: of those that an operator has declared.
type Limited interface {
	Opener
	// Connected reports whether a store is one of them.
	Connected(store string) bool
}

// KV is the typed handle of a key-value store: declared once in the application, opened in each task.
type KV[K, V any] struct {
	// Name is the store's legal name; it names the changelog topic.
	Name string
	// Key and Value are the serdes of the keys and of the values.
	Key   serde.Serde[K]
	Value serde.Serde[V]
}

// Spec is what the task must know of the store.
func (h KV[K, V]) Spec() Spec {
	return Spec{Name: h.Name, Kind: KeyValue, Traits: []Trait{KeyFormat("keys", h.Key), Format("values", h.Value)}}
}

// Open returns the task's store. Opened again, also after an abort, it is the same store, provided K and V are the
// same. The store belongs to the task's goroutine.
func (h KV[K, V]) Open(o Opener) (*KeyValueStore[K, V], error) {
	s, st, err := openable(o, h.Spec())
	if err != nil {
		return nil, err
	}
	if st.overlay != nil {
		if opened, ok := st.overlay.(*KeyValueStore[K, V]); ok {
			return opened, nil
		}
		return nil, otherTypes(h.Name, st.overlay)
	}
	kv := &KeyValueStore[K, V]{cells: cells[V]{stores: s, store: st}}
	if kv.keyCodec, err = bind(h.Key, h.Name, "keys"); err != nil {
		return nil, err
	}
	if kv.codec, err = bind(h.Value, h.Name, "values"); err != nil {
		return nil, err
	}
	if err := kv.reload(); err != nil {
		return nil, err
	}
	kv.entry = kv
	st.overlay = kv
	return kv, nil
}

// Windowed is the typed handle of a window store, whose keys are encoded bytes.
type Windowed[V any] struct {
	// Name is the store's legal name; it names the changelog topic.
	Name string
	// Value is the serde of the values.
	Value serde.Serde[V]
}

// Spec is what the task must know of the store.
func (h Windowed[V]) Spec() Spec {
	return Spec{Name: h.Name, Kind: Window, Traits: []Trait{Format("values", h.Value)}}
}

// Open returns the task's store. Opened again, also after an abort, it is the same store, provided V is the same. The
// store belongs to the task's goroutine.
func (h Windowed[V]) Open(o Opener) (*WindowStore[V], error) {
	s, st, err := openable(o, h.Spec())
	if err != nil {
		return nil, err
	}
	if st.overlay != nil {
		if opened, ok := st.overlay.(*WindowStore[V]); ok {
			return opened, nil
		}
		return nil, otherTypes(h.Name, st.overlay)
	}
	w := &WindowStore[V]{cells: cells[V]{stores: s, store: st}}
	if w.codec, err = bind(h.Value, h.Name, "values"); err != nil {
		return nil, err
	}
	if err := w.reload(); err != nil {
		return nil, err
	}
	w.entry = w
	st.overlay = w
	return w, nil
}

// openable finds the store that spec names.
func openable(o Opener, spec Spec) (*Stores, *store, error) {
	if l, ok := o.(Limited); ok && !l.Connected(spec.Name) {
		return nil, nil, fmt.Errorf("state: store %q is opened by an operator that has not declared it; declare it there", spec.Name)
	}
	s := o.Stores()
	if s == nil {
		return nil, nil, fmt.Errorf("state: store %q: the task has no stores; add it to the topology", spec.Name)
	}
	if s.broken != nil {
		return nil, nil, s.broken
	}
	st := s.find(spec.Name)
	if st == nil {
		return nil, nil, fmt.Errorf("state: store %q is not one of task %s; add it to the operator that opens it",
			spec.Name, s.id.Task)
	}
	if st.kind != spec.Kind {
		return nil, nil, fmt.Errorf("state: store %q is a %v store and was opened as a %v store", spec.Name, st.kind, spec.Kind)
	}
	return s, st, nil
}

// Format is the trait that says in which format something is written: that of the serde.
func Format[T any](name string, s serde.Serde[T]) Trait {
	return Trait{Name: name, Value: serde.FormatOf(s), Reads: func(was string) bool { return serde.ReadsFormat(s, was) }}
}

// KeyFormat is the trait that says in which format keys are written: two versions have to write them alike.
func KeyFormat[T any](name string, s serde.Serde[T]) Trait {
	return Trait{Name: name, Value: serde.KeyFormatOf(s), Reads: func(was string) bool { return serde.ReadsKeyFormat(s, was) }}
}

func otherTypes(name string, opened overlay) error {
	return fmt.Errorf("state: store %q is open as %T; use one handle for all its users", name, opened)
}

func bind[T any](s serde.Serde[T], store, what string) (serde.Codec[T], error) {
	if s == nil {
		return nil, fmt.Errorf("state: store %q has no serde for its %s; set it in the handle", store, what)
	}
	c, err := s.Bind(serde.Use{Role: serde.State, Name: store})
	if err != nil {
		return nil, fmt.Errorf("state: store %q: bind the serde of its %s: %w", store, what, err)
	}
	return c, nil
}
